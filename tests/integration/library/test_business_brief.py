"""The business brief with its policy in force: each analyst reads its own figures and nobody else's."""

import csv
from pathlib import Path
from typing import Any

import pytest

from agents import registry
from agents.library.business import series
from agents.policies.view import default as view
from agents.tools import recording
from approvals import demo, demo_content
from approvals.models import Gate
from approvals.services import decide
from orchestrator import services
from orchestrator.gallery import templates
from orchestrator.models import Artifact, Content, Event, Run, Task
from tests.engine import eventually, finished, shift, task
from tests.hands import reviewer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _agents(tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = tmp_path
    view.forget()  # what an earlier test had in force
    registry.autodiscover()
    registry.sync()
    recording.sync()
    demo.seed_queues()


@pytest.fixture
def _entitled() -> None:
    demo_content.seed_policy()
    view.forget()


def briefed(number: int, **changed: Any) -> Run:
    """A run of the brief's sample, up to its gate or its end."""
    template = templates.find("business-intelligence")
    assert template is not None
    services.publish(source=template.source, file=template.file, by=None, make_queues=True)
    given = {**template.samples[number].input, **changed}
    return services.start_run(workflow=template.name, input=given, by=None, actor="feed")


def asked(run: Run) -> bool:
    return Gate.objects.filter(run=run, status="open").exists() or finished(run)


@pytest.mark.usefixtures("_entitled")
def test_brief_recommends_keeps_its_dissent_and_is_delivered_with_where_each_figure_is_from() -> None:
    ana = reviewer()
    run = briefed(1)
    with shift():
        eventually(lambda: asked(run))
        gate = Gate.objects.get(run=run, status="open")
        decide(gate_id=gate.pk, gate_version=gate.version, verdict="approve", by=ana, note="as agreed")
        eventually(lambda: finished(run))

    assert run.status == "succeeded", run.error
    brief = task(run, "brief").output
    assert brief["recommendation"] == "do not proceed"
    assert [(voice["analyst"], voice["stance"]) for voice in brief["dissent"]] == [("performance", "for")]
    assert {voice["analyst"] for voice in brief["voices"]} == {"competition", "market", "performance"}
    document = bytes(Content.objects.get(pk=Artifact.objects.get(run_id=run.pk).sha256).body).decode()
    dissent, appendix = document.partition("## Dissent")[2], document.partition("## Appendix: provenance")[2]
    assert "The performance analyst says for" in dissent.partition("##")[0]
    for dataset in ("stocks", "us-employment"):
        assert series.table(dataset).sha256 in appendix
    assert "public domain" in appendix


@pytest.mark.usefixtures("_entitled")
def test_figures_are_those_of_the_file_and_of_no_later_month() -> None:
    path = series._folder() / "stocks.csv"
    with path.open() as file:
        prices = {row["date"]: float(row["price"]) for row in csv.DictReader(file) if row["symbol"] == "MSFT"}
    grew = prices["Mar 1 2010"] / prices["Mar 1 2007"] - 1

    run = briefed(1)
    with shift():
        eventually(lambda: asked(run))

    assert f"MSFT rose by {grew:.1%} in 36 months" in task(run, "performance").output["text"]


def test_without_entitlements_no_analyst_guesses_and_the_brief_waits() -> None:
    run = briefed(0)
    with shift():
        eventually(lambda: asked(run))

    brief = Gate.objects.get(run=run, status="open").subject["proposal"]
    assert (brief["recommendation"], brief["confidence"]) == ("wait", 0.0)
    assert sorted(brief["missing"]) == ["competition", "market", "performance"]
    assert brief["provenance"] == []
    assert Event.objects.filter(run_id=run.pk, kind="tool.refused").count() == 3


@pytest.mark.usefixtures("_entitled")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"company": "ACME"}, "unknown_series"),
        ({"peers": ["AAPL"]}, "no_peers"),
        ({"as_of": "2000-03"}, "too_few_values"),
        ({"sector": "astrology"}, "unknown_series"),
    ],
    ids=["no such company", "its own peer", "too early", "no such sector"],
)
def test_question_without_figures_is_refused_in_a_sentence(change: dict[str, Any], code: str) -> None:
    run = briefed(0, **change)
    with shift():
        eventually(lambda: asked(run))

    gates = Gate.objects.filter(run=run, status="open")
    errors = [one.error for one in Task.objects.of_run(run.pk) if one.error]
    assert {error["code"] for error in errors} == {code}
    assert all(error["message"].endswith(".") for error in errors)
    assert all(any(error["message"] in gate.title for gate in gates) for error in errors)
