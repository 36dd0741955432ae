"""A model words an incident's summary in a real shift; when it cannot, the incident's own sentences stand in."""

from collections.abc import Iterator
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from agents import local_llm, registry
from agents.library import written_summary
from agents.library.samples import Incidents
from approvals import demo
from approvals.management.commands.seed_demo import library_files
from orchestrator import services
from orchestrator.models import Run, Workflow
from tests import engine

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]


@pytest.fixture(autouse=True)
def _named(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> None:
    """A stack whose WATCHKEEPER_LLM names a server that is down, until a test says better."""
    settings.DATA_DIR = tmp_path
    monkeypatch.setenv(written_summary.VARIABLE, "smollm2@http://127.0.0.1:9/v1")
    registry.autodiscover()
    for part in ("_versions", "_newest"):  # the writer is registered for these tests alone
        monkeypatch.setattr(registry.default, part, {**getattr(registry.default, part)})
    written_summary.register_writer()
    registry.sync()
    demo.seed_queues()
    for file in library_files():
        services.publish(source=file.read_text(), file=file.name, by=None)


@pytest.fixture
def smollm2(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with local_llm.running(threads=1) as url:
        monkeypatch.setenv(written_summary.VARIABLE, f"smollm2@{url}")
        yield


def _summarised(number: int = 0) -> tuple[Run, dict[str, Any]]:
    """Start one incident and let a shift work it until its summary is there."""
    sample = Incidents().sample(number, date(2026, 1, 1))
    run = services.start_run(workflow=sample.workflow, input=sample.input, by=None, actor="feed")
    with engine.shift():
        engine.eventually(lambda: engine.statuses(run)["summary"] in {"succeeded", "failed", "waiting"}, seconds=300)
    return run, engine.task(run, "summary").output  # type: ignore[return-value]


def test_summary_is_written_by_a_real_model_and_checked_sentence_by_sentence(smollm2: None) -> None:
    run, summary = _summarised()

    words, quotes = engine.task(run, "words"), engine.task(run, "quotes")
    assert words.status == "succeeded"
    assert words.output["summary"].strip()
    claims = [item for item in summary["evidence"] if item["source"].startswith("written by smollm2")]
    assert claims
    assert all(item["claim"] in words.output["summary"] for item in claims)
    assert sum(item["status"] == "unsupported" for item in claims) == summary["flagged"]
    kept = " ".join(item["claim"] for item in claims if item["status"] == "computed")
    assert summary["summary"] == (kept or quotes.output["summary"])
    assert summary["evidence"][len(claims) :] == quotes.output["evidence"]


def test_summary_of_a_model_that_breaks_its_contract_is_the_incidents_own_words(
    smollm2: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The real model cut off after three tokens: what it wrote is no JSON.
    monkeypatch.setitem(written_summary.SETTINGS, "max_tokens", 3)

    run, summary = _summarised()

    words = engine.task(run, "words")
    assert (words.status, words.error["code"], words.failures) == ("failed", "model_output", 2)
    assert summary["summary"] == engine.task(run, "quotes").output["summary"]
    assert "no usable answer" in summary["remark"]


def test_run_whose_model_server_is_down_goes_on_to_its_report() -> None:
    run, summary = _summarised()

    assert engine.task(run, "words").error["code"] == "connection"
    assert "no usable answer" in summary["remark"]
    with engine.shift():
        engine.eventually(lambda: engine.finished(run) or "waiting" in engine.statuses(run).values(), seconds=60)
    statuses = engine.statuses(run)
    assert "failed" not in {status for key, status in statuses.items() if key != "words"}


def test_seed_demo_without_a_model_publishes_the_workflow_without_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with_model = Workflow.objects.get(name="incident-response").current_version
    monkeypatch.delenv(written_summary.VARIABLE)

    call_command("seed_demo", stdout=StringIO())

    without = Workflow.objects.get(name="incident-response").current_version
    assert with_model is not None
    assert without is not None
    assert "threat-summary-writer" in with_model.source
    assert without.source == next(file.read_text() for file in library_files() if file.name == "incident-response.yaml")
    assert "threat-summary-writer" not in without.source
