"""Templates of patterns, published as they stand and run to their end by a real shift."""

from collections.abc import Callable
from typing import Any

import pytest

from agents.registry import autodiscover, sync
from approvals.models import Gate
from approvals.services import decide
from orchestrator import services
from orchestrator.engine import delivery
from orchestrator.invariants import violations
from orchestrator.models import Event, Run, StateEntry
from orchestrator.patterns import plain
from orchestrator.states import RunStatus
from tests.engine import eventually, finished, shift, statuses, task
from tests.hands import reviewer

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = (
    "Ransomware encrypted the stolen files. The weather was fine on that day and many people went out. "
    "The attackers exploited a breach in the mail gateway. Somebody ordered new chairs for the office."
)


def run_template(pattern: str, answer: Callable[[Gate], dict[str, Any]] | None = None, **given: Any) -> Run:
    """Publish a pattern's template as it stands and run it to its end; `answer` is what people say to a gate."""
    found = next(entry for entry in plain.entries() if entry.name == pattern)
    autodiscover()
    sync()
    version = services.publish(source=found.help.template, file=f"{pattern}.yaml", by=None, make_queues=True)
    run = services.start_run(workflow=version.workflow.name, input=given, by=None, actor="feed")
    ana = reviewer()

    def ended() -> bool:
        for gate in Gate.objects.filter(run=run, status="open"):
            assert answer is not None, gate.title
            decide(gate_id=gate.pk, gate_version=gate.version, verdict="complete", by=ana, edited=answer(gate))
        return finished(run)

    with shift():
        eventually(ended)
    assert run.status == RunStatus.SUCCEEDED, run.error
    assert not list(violations())
    return run


def output_of(run: Run, key: str) -> dict[str, Any]:
    found = delivery.unpack(task(run, key).output)
    assert isinstance(found, dict)
    return found


def test_refinement_stops_the_harmless_paths_and_says_so_in_the_log():
    run = run_template("refinement", text=TEXT)

    output = output_of(run, "triage")
    assert [one["key"] for one in output["paths"]] == ["s1", "s3"]
    assert [(one["key"], one["stage"]) for one in output["stopped"]] == [("s2", "broad"), ("s4", "broad")]
    spawned = Event.objects.filter(run_id=run.pk, kind="task.spawned").order_by("id")
    assert [event.data.get("stopped") for event in spawned] == [None, ["s2", "s4"], []]


def test_supervised_planner_ends_by_its_condition_after_judging_each_turn():
    run = run_template("supervised_planner", goal="May we sell it?")

    output = output_of(run, "talk")
    assert (output["ended"], output["turns"]) == ("said", 5)
    assert [one["author"] for one in output["messages"]] == ["planner", "finance", "planner", "legal", "planner"]
    assert len(output["verdicts"]) == 5


@pytest.mark.parametrize(("rate", "state"), [(200, "kept"), (400, "extended"), (700, "refused"), (900, "refused")])
def test_loan_with_a_clear_burden_needs_nobody(rate, state):
    run = run_template("planner_state_machine", income=1000, rate=rate)

    assert output_of(run, "loan")["state"] == state


def test_ambiguous_loan_is_paused_and_goes_to_a_person():
    asked: list[Gate] = []

    def answer(gate: Gate) -> dict[str, Any]:
        asked.append(gate)
        stored = StateEntry.objects.filter(run_id=gate.run_id, key="loan.state").order_by("version").last()
        assert stored is not None
        assert stored.value == {"name": "talk", "status": "PAUSED_FOR_CONVERSATION"}
        return {"disposition": "extend", "say": "a good payer"}

    run = run_template("planner_state_machine", answer, income=1000, rate=500)

    assert len(asked) == 1
    assert "confidence 0.50" in asked[0].title
    output = output_of(run, "loan")
    assert output["state"] == "extended"
    assert output["log"][-1]["by"] == "person"


def test_swarm_shares_its_memory_and_stamps_it_with_the_databases_clock():
    run = run_template("swarm", goal="a quieter office")

    output = output_of(run, "search")
    assert (output["ended"], output["rounds"]) == ("done", 3)
    memory = StateEntry.objects.filter(run_id=run.pk, key="search.memory").order_by("version").last()
    assert memory is not None
    for entry in memory.value:
        assert run.started_at is not None
        assert entry["at"] >= run.started_at.timestamp() - 1
        assert entry["expires_at"] == entry["at"] + 43200
    assert any("builds on" in str(value) for value in output["memory"].values())


@pytest.mark.parametrize(
    ("pattern", "given", "skipped"),
    [
        ("sequential", {"text": "a note"}, set()),
        ("parallel", {"text": "a note"}, set()),
        ("conditional", {"amount": 5000}, {"pass"}),
        ("conditional", {"amount": 5}, {"review"}),
    ],
)
def test_plain_template_runs_as_it_stands(pattern, given, skipped):
    run = run_template(pattern, **given)

    assert {key for key, status in statuses(run).items() if status == "skipped"} == skipped
