"""Templates of patterns, published as they stand and run to their end by a real shift."""

from collections.abc import Callable
from typing import Any

import pytest

from agents.registry import autodiscover, sync
from approvals.models import Gate
from approvals.services import decide
from orchestrator import groups, services, signals
from orchestrator.engine import delivery
from orchestrator.invariants import violations
from orchestrator.models import Event, Run, Signal, StateEntry, Task, Workflow
from orchestrator.patterns import plain
from orchestrator.states import RunStatus
from tests import people
from tests.engine import eventually, finished, shift, statuses, task
from tests.hands import reviewer

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = (
    "Ransomware encrypted the stolen files. The weather was fine on that day and many people went out. "
    "The attackers exploited a breach in the mail gateway. Somebody ordered new chairs for the office."
)


def published(pattern: str, at: int = 0) -> str:
    """Publish one of a pattern's templates as it stands; the workflow's name."""
    found = next(entry for entry in plain.entries() if entry.name == pattern)
    autodiscover()
    sync()
    return services.publish(source=found.templates[at], file=f"{pattern}.yaml", by=None, make_queues=True).workflow.name


def run_template(
    pattern: str,
    answer: Callable[[Gate], dict[str, Any]] | None = None,
    *,
    at: int = 0,
    ends: RunStatus = RunStatus.SUCCEEDED,
    **given: Any,
) -> Run:
    """Publish a pattern's template as it stands and run it to its end; `answer` is what people say to a gate."""
    run = services.start_run(workflow=published(pattern, at), input=given, by=None, actor="feed")
    ana = reviewer()

    def ended() -> bool:
        for gate in Gate.objects.filter(run=run, status="open"):
            assert answer is not None, gate.title
            verdict = "approve" if gate.kind == "approval" else "complete"
            edited = None if verdict == "approve" else answer(gate)
            decide(gate_id=gate.pk, gate_version=gate.version, verdict=verdict, by=ana, edited=edited)
        return finished(run)

    with shift():
        eventually(ended)
    assert run.status == ends, run.error
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


def test_saga_without_trouble_books_everything_and_undoes_nothing():
    run = run_template("saga", city="Bern")

    assert set(statuses(run)) == {"flight", "hotel", "car"}
    assert output_of(run, "car")["booking"] == "car-bern"


def test_saga_that_fails_gives_back_in_reverse_order_what_each_step_put_out():
    told: list[str] = []

    def answer(gate: Gate) -> dict[str, Any]:
        told.append(gate.title)
        return {"resolution": "the customer knows"}

    run = run_template("saga", answer, ends=RunStatus.FAILED, city="Bern", refused="car")

    undone = list(Task.objects.of_run(run.pk).filter(key__startswith="undo_").order_by("ended_at"))
    assert [one.key for one in undone] == ["undo_hotel", "undo_flight"]
    assert [delivery.unpack(one.output) for one in undone] == [
        {"given_back": "hotel-bern", "city": "Bern"},
        {"given_back": "flight-bern", "city": "Bern"},
    ]
    assert run.error is not None
    assert (run.error["code"], run.error["step"]) == ("nothing_free", "car")
    assert len(told) == 1
    assert "There is no car in Bern." in told[0]


def test_saga_whose_first_step_fails_has_nothing_to_undo():
    run = run_template(
        "saga", lambda gate: {"resolution": "told"}, ends=RunStatus.FAILED, city="Bern", refused="flight"
    )

    assert statuses(run) == {
        "flight": "failed",
        "hotel": "cancelled",
        "car": "cancelled",
        "business_notice": "succeeded",
    }


def runs_of(name: str) -> list[Run]:
    return list(Run.objects.filter(workflow__name=name).order_by("pk"))


def test_choreography_reacts_in_two_groups_and_again_on_replay():
    stock, invoice = published("choreography"), published("choreography", 1)
    mia = people.person("mia", "Workflow Orchestration Manager")  # what nobody by name sent starts in her name
    for name in (stock, invoice):
        groups.create(name=f"{name}-group", workflow=Workflow.objects.get(name=name), signal="order.placed", by=mia)
    order = {"order": "A-1", "amount": 12.5}

    with shift():
        placed, _ = signals.publish(name="order.placed", key="A-1", data=order, by=None, actor="feed")
        eventually(lambda: len(runs_of(stock)) == 1 and len(runs_of(invoice)) == 1)
        goods, bill = runs_of(stock)[0], runs_of(invoice)[0]
        eventually(lambda: finished(bill))
        eventually(lambda: statuses(goods)["paid"] == "waiting")
        signals.publish(name="order.paid", key="another", data={}, by=None, actor="feed")
        signals.publish(name="order.paid", key="A-1", data={}, by=None, actor="feed")
        eventually(lambda: finished(goods))
        groups.replay(name=f"{invoice}-group", position=0, by=mia, reason="the printer was off")
        eventually(lambda: len(runs_of(invoice)) == 2 and finished(runs_of(invoice)[1]))

    assert {run.correlation_id for run in (goods, *runs_of(invoice))} == {f"signal-{placed.pk}"}
    assert (goods.input, bill.input) == (order, order)
    assert output_of(goods, "send")["says"] == "order A-1 is sent off"
    sent = Signal.objects.get(name="order.sent")
    assert (sent.key, sent.data, sent.depth) == ("A-1", {"order": "A-1", "says": "order A-1 is sent off"}, 1)
    assert [output_of(run, "invoice")["text"] for run in runs_of(invoice)] == ["Order A-1: 12.5 to pay."] * 2
    assert [run.status for run in (*runs_of(stock), *runs_of(invoice))] == ["succeeded"] * 3
    assert not list(violations())


def test_approvals_in_sequence_ask_the_second_desk_only_after_the_first():
    run = run_template("sequential", lambda gate: {}, at=1, text="a bold claim")

    opened = Event.objects.filter(run_id=run.pk, kind__in=["gate.opened", "gate.decided"]).order_by("id")
    assert [event.kind for event in opened] == ["gate.opened", "gate.decided"] * 2
    assert [Task.objects.get(pk=event.task_id).key for event in opened] == ["editors"] * 2 + ["oversight"] * 2


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({"amount": 5}, ""),
        ({"amount": 5000}, "desk"),
        ({"amount": 50000}, "oversight"),
        ({"amount": 5, "risky": True}, "oversight"),
    ],
)
def test_routed_approval_asks_the_desk_that_may_grant_it(given, asked):
    run = run_template("conditional", lambda gate: {}, at=1, **given)

    gates = Gate.objects.filter(run=run)
    assert [Task.objects.get(pk=gate.task_id).key for gate in gates] == ([asked] if asked else [])
    assert statuses(run)["grant"] == "succeeded"


def test_collected_file_says_what_is_missing():
    run = run_template("parallel", at=1, ends=RunStatus.PARTIAL, customer="Ruth", away="payments")

    assert output_of(run, "file")["text"] == (
        "orders: nothing unusual about Ruth\npayments: no answer\nletters: nothing unusual about Ruth"
    )
    assert run.outcome is not None
    assert "The file lists no payments." in str(run.outcome)
