"""What is shipped keeps its own advice: it publishes under `strict`, and its stand-ins do what they are named for."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from agents import registry
from agents.errors import Permanent, Transient
from agents.library import written_summary
from agents.library.samples import Incidents, News, Refunds
from agents.policies.view import default as view
from agents.tools import recording
from agents.types import Json
from approvals import demo, demo_content
from approvals.models import Gate
from orchestrator import checks, services
from orchestrator.definitions.errors import DefinitionError
from orchestrator.models import Event, Run, Task
from tests.engine import eventually, finished, shift, statuses, task

pytestmark = pytest.mark.django_db(transaction=True)
SHIPPED = sorted(
    [*Path("orchestrator/patterns/workflows").glob("*.yaml"), *Path("orchestrator/library").rglob("*.yaml")]
)
TEXT = "Ransomware encrypted files on mail.example.org and CVE-2026-1234 was exploited. The attackers left a note."


@pytest.fixture(autouse=True)
def _agents(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any) -> None:
    """The library's agents, the writer among them, in a registry that a test may change."""
    settings.DATA_DIR = tmp_path
    registry.autodiscover()
    for part in ("_versions", "_newest"):
        copied = {name: dict(of) if part == "_versions" else of for name, of in getattr(registry.default, part).items()}
        monkeypatch.setattr(registry.default, part, copied)
    monkeypatch.setenv(written_summary.VARIABLE, "smollm2@http://127.0.0.1:9/v1")
    written_summary.register_writer()
    registry.sync()
    demo.seed_queues()


def breaks(*names: str, error: Callable[[], Exception]) -> None:
    """From now on these agents fail so."""

    def fail(given: dict[str, Any], ctx: Any) -> dict[str, Json]:
        raise error()

    for name in names:
        spec = registry.default.get(name)
        registry.default.put(replace(spec, function=fail, is_async=False))


def hopeless() -> Exception:
    return Permanent("this cannot work", code="hopeless")


def busy() -> Exception:
    return Transient("not yet", code="busy", retry_after=0.01)


def strict(file: Path) -> str:
    source = file.read_text()
    return source.replace("\nconfiguration:\n", "\nconfiguration:\n  strict: true\n", 1)


@pytest.mark.parametrize("file", SHIPPED, ids=[f"{file.parent.name}/{file.stem}" for file in SHIPPED])
def test_shipped_definition_is_published_under_strict_without_a_warning(file: Path) -> None:
    source = strict(file)
    assert "  strict: true\n" in source

    version = services.publish(source=source, file=file.name, by=None, make_queues=True)

    version.refresh_from_db()
    assert checks.of_version(version) == []


def test_strict_would_have_refused_one_without_error_handling() -> None:
    source = strict(Path("orchestrator/patterns/workflows/sequential.yaml"))

    with pytest.raises(DefinitionError):
        services.publish(source=source[: source.index("error_handling")], file="s.yaml", by=None)


def started(file: str, given: dict[str, Any]) -> Run:
    path = next(one for one in SHIPPED if f"{one.parent.name}/{one.stem}" == file)
    version = services.publish(source=path.read_text(), file=path.name, by=None, make_queues=True)
    run = services.start_run(workflow=version.workflow.name, input=given, by=None, actor="feed")
    with shift():
        eventually(lambda: finished(run) or Task.objects.of_run(run.pk).filter(wait_for="gate").exists(), seconds=60)
    run.refresh_from_db()
    return run


def stood_in(run: Run) -> dict[str, str]:
    """Whom the run's steps fell back to."""
    fell = Event.objects.filter(run_id=run.pk, kind="task.fell_back")
    return {Task.objects.get(pk=event.task_id).key: event.data["to"] for event in fell}


def test_incident_whose_assessor_fails_is_put_before_people_by_the_generalist() -> None:
    breaks("severity-assessor", "enrichment-fetcher", error=hopeless)

    run = started("library/incident-response", Incidents().sample(0, date(2026, 1, 1)).input)

    assert stood_in(run) == {"techniques": "incident-generalist", "severity": "incident-generalist"}
    assert statuses(run)["recommend"] == "waiting"
    assert task(run, "severity").output["confidence"] == 0


def test_incident_without_any_specialist_is_reported_by_the_generalist_alone() -> None:
    """Nobody but the generalist works; the report is written once people have approved and added their note."""
    names = ("incident-intake", "threat-summariser", "enrichment-fetcher", "indicator-extractor", "severity-assessor",
             "remediation-recommender")  # fmt: skip
    breaks(*names, error=hopeless)

    run = started("library/incident-response", Incidents().sample(0, date(2026, 1, 1)).input)

    assert set(stood_in(run)) == {"intake", "summary", "techniques", "indicators", "severity", "recommend"}
    assert task(run, "recommend").status == "waiting"
    assert "no action is proposed" in str(Gate.objects.get(run=run).subject)


def test_report_takes_what_the_stand_ins_say() -> None:
    breaks("threat-summariser", "enrichment-fetcher", "indicator-extractor", "compliance-reporter", error=hopeless)

    routine = next(
        run
        for number in range(6)
        if "waiting" not in statuses(run := started("library/incident-response", _incident(number))).values()
    )

    assert routine.status == "succeeded"
    assert "report" in stood_in(routine)


def _incident(number: int) -> dict[str, Any]:
    return dict(Incidents().sample(number, date(2026, 1, 1)).input)


def test_copy_without_any_specialist_waits_for_its_editor() -> None:
    breaks("news-researcher", "brief-writer", "copy-optimiser", error=hopeless)

    run = started("library/content-production", dict(News().sample(0, date(2026, 1, 1)).input))

    assert set(stood_in(run)) == {"research", "draft", "optimise"}
    assert statuses(run)["optimise"] == "waiting"
    assert Gate.objects.get(run=run, status="open").confidence == 1.0  # every sentence stands in the source


def test_refund_is_paid_once_by_the_stand_in() -> None:
    breaks("refund-payer", error=hopeless)
    given = {**Refunds().sample(0, date(2026, 1, 1)).input, "amount_cents": 500, "paid_cents": 500}

    run = started("library/refund-approval", given)

    assert (run.status, stood_in(run)) == ("succeeded", {"pay": "refund-generalist"})
    assert task(run, "pay").output["amount_cents"] == 500


def test_refund_of_more_than_was_paid_still_fails_its_run() -> None:
    given = {**Refunds().sample(0, date(2026, 1, 1)).input, "amount_cents": 501, "paid_cents": 500}

    run = started("library/refund-approval", given)

    assert (run.status, run.error["code"]) == ("failed", "more_than_paid")
    assert stood_in(run) == {}


def test_hierarchy_goes_on_with_the_generalist_in_the_place_of_a_specialist() -> None:
    breaks("threat-summariser", "investigation-synthesis", error=hopeless)

    run = started("workflows/hierarchy", {"text": TEXT})

    assert run.status == "succeeded", run.error
    assert set(stood_in(run).values()) == {"incident-generalist"}
    assert "Ransomware" in task(run, "investigate").output["result"]["report"]


@pytest.mark.parametrize(
    ("file", "broken", "given"),
    [
        ("magentic", ("investigation-manager", "indicator-extractor"), {"text": TEXT}),
        ("planner", ("threat-summariser",), {"goal": "summarise the text", "text": TEXT}),
        (
            "group_chat",
            ("campaign-compliance", "campaign-copywriter"),
            {"product": "Tea", "brief": "A tea that tastes of summer. More follows."},
        ),
    ],
)
def test_pattern_goes_on_with_its_stand_in(file: str, broken: tuple[str, ...], given: dict[str, Any]) -> None:
    breaks(*broken, error=hopeless)

    run = started(f"workflows/{file}", given)

    if file == "planner":  # the plan waits for people first
        assert "waiting" in statuses(run).values()
        return
    assert run.status == "succeeded", run.error
    assert stood_in(run)


@pytest.mark.parametrize(("error", "ends"), [(hopeless, "failed"), (busy, "running")])
def test_plain_template_under_a_failure_does_what_its_on_error_says(error: Callable[[], Exception], ends: str) -> None:
    breaks("sample-note", error=error)

    run = started("workflows/sequential", {"text": "a note"})

    assert run.status == ends
    assert statuses(run)["draft"] == ("failed" if ends == "failed" else "waiting")
    if ends == "running":
        assert task(run, "draft").wait_for == "gate"


@pytest.mark.parametrize("allowed", [True, False])
def test_enrichment_asks_its_tool_only_where_a_policy_lets_it(allowed: bool) -> None:
    recording.sync()
    if allowed:
        demo_content.seed_policy()
    view.forget()

    run = started("library/incident-response", Incidents().sample(0, date(2026, 1, 1)).input)

    found = task(run, "techniques").output
    assert (f"ATT&CK on {found['techniques'][0]['id']}: mitigations" in found["remark"]) is allowed
    assert not Event.objects.filter(kind="tool.refused").exists()
