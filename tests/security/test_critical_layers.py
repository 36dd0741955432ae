"""A111: each layer between an agent and the world is switched off in turn, and a critical output still goes nowhere.

What holds it then leaves an event. The layers: the agent's contract, the checks of quality, the rule that asks people,
the look at the door where outputs go out, the gatekeeper, the gate's decision, its seal, separation of duties, time.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction

from agents.budgets import AMPLE
from agents.contracts import Contract
from agents.quality.types import Report
from agents.registry import agent
from agents.types import Json
from approvals.errors import SealBroken, SeparationOfDuties
from approvals.gatekeeper import Gatekeeper
from approvals.models import Gate
from approvals.services import decide
from orchestrator import services
from orchestrator.engine import assuring, oversight, sampling, sweep
from orchestrator.models import Artifact, Event, Run, Signal, Task
from orchestrator.ports import gatekeeper
from tests import people
from tests.engine import OPEN, eventually, finished, publish, shift
from tests.hands import reviewer, violations

pytestmark = pytest.mark.django_db(transaction=True)

ORDER = {
    "type": "object",
    "required": ["amount"],
    "properties": {"amount": {"type": "number", "maximum": 1000}, "reason": {"type": "string"}},
}
sent: list[Any] = []
STEPS = """
  - key: order
    type: automated
    agent: layers-writer
    inputs: {amount: "${input.amount}", reason: "${input.reason}"}
    on_error: fail
    quality: {required: [reason], minimum: 90}
    gate: {when: "output.amount > 100.0", risk: critical, queue: board, title: "Order ${output.amount}?"}
    deliver: {name: order.txt, content: "${output.reason}"}
    publishes: {signal: order.given, data: {amount: "${output.amount}"}}
  - {key: send, type: automated, agent: layers-sender, inputs: {amount: "${steps.order.amount}"}}
"""


@agent(name="layers-writer", version=1, title="Writer", input=OPEN, output=ORDER, capabilities=[], budget=AMPLE)
async def writer(input: dict[str, Json], ctx: Any) -> dict[str, Json]:
    """Put out what it was given."""
    return dict(input)


@agent(name="layers-sender", version=1, title="Sender", input=OPEN, output=OPEN, capabilities=[], budget=AMPLE)
async def sender(input: dict[str, Json], ctx: Any) -> dict[str, Json]:
    """The world."""
    sent.append(input)
    return input


@pytest.fixture(autouse=True)
def _ready() -> Iterator[None]:
    sent.clear()
    people.queue("board")
    reviewer("rita")  # whoever else may decide
    publish(STEPS, name="order", rest="dependencies: {send: [order]}")
    yield
    assert violations() == []


def begin(amount: float = 500.0, reason: str = "stock is low", by: Any = None) -> Run:
    given = {"amount": amount, "reason": reason}
    return services.start_run(workflow="order", input=given, by=by, actor="" if by else "feed")


def is_held(run: Run) -> bool:
    return Gate.objects.filter(run=run, status="open").exists() or finished(run)


def nothing_went_out(run: Run) -> bool:
    task = Task.objects.of_run(run.pk).get(key="order")
    return (
        task.status != "succeeded"
        and not sent
        and not Artifact.objects.filter(run=run).exists()
        and not Signal.objects.filter(name="order.given").exists()
    )


def kinds(run: Run) -> set[str]:
    return set(Event.objects.filter(run_id=run.pk).values_list("kind", flat=True))


def off(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, instead: Callable[..., Any]) -> None:
    """Switch a layer off: it lets everything pass."""
    monkeypatch.setattr(owner, name, instead)


# Each layer with an output that it alone would stop, or that all stop, and the event that says it was held.
LAYERS: dict[str, tuple[tuple[float, str], Callable[[pytest.MonkeyPatch], None], str]] = {
    "contract": ((99_999.0, "r"), lambda patch: off(patch, Contract, "check", lambda *_: None), "task.waiting"),
    "quality": (
        (500.0, ""),
        lambda patch: off(patch, assuring, "assess", lambda *_, **__: Report(score=100.0, components=())),
        "task.waiting",
    ),
    "rule": ((500.0, "r"), lambda patch: off(patch, sampling, "rule_asks", lambda *_: False), "task.withheld"),
    "door": ((500.0, "r"), lambda patch: off(patch, oversight, "must_ask", lambda *_: False), "task.waiting"),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_critical_output_waits_for_people_with_one_layer_switched_off(layer: str, monkeypatch: Any) -> None:
    (amount, reason), switch_off, told = LAYERS[layer]
    switch_off(monkeypatch)
    run = begin(amount, reason)

    with shift():
        eventually(lambda: is_held(run))

    assert nothing_went_out(run)
    assert told in kinds(run)
    gate = Gate.objects.get(run=run, status="open")
    assert (gate.risk, gate.queue.name) == ("critical", "board")


def test_what_no_layer_stops_goes_out_with_the_decision_of_the_right_person_alone() -> None:
    run = begin()
    with shift():
        eventually(lambda: is_held(run))
        gate = Gate.objects.get(run=run, status="open")
        assert nothing_went_out(run)
        decide(gate_id=gate.pk, gate_version=gate.version, verdict="approve", by=reviewer(), note="agreed")
        eventually(lambda: finished(run))

    assert [one["amount"] for one in sent] == [500.0]
    assert Artifact.objects.filter(run=run).count() == 1
    assert "task.withheld" not in kinds(run)


def test_broken_gatekeeper_lets_nothing_out(monkeypatch: Any) -> None:
    def broken(*_: Any) -> int:
        raise RuntimeError("the gatekeeper is broken")

    off(monkeypatch, Gatekeeper, "open_gate", broken)
    run = begin()
    with shift():
        eventually(lambda: Task.objects.of_run(run.pk).get(key="order").attempt > 0)
        eventually(lambda: "task.started" in kinds(run))
    sweep.sweep()

    assert nothing_went_out(run)
    assert kinds(run) & {"task.lost", "task.released", "task.returned"}


def test_verdict_that_nobody_has_given_completes_nothing_and_is_on_record() -> None:
    """Code that calls what a decision calls, without a decision."""
    run = begin()
    with shift():
        eventually(lambda: is_held(run))
    task = Task.objects.of_run(run.pk).get(key="order")

    with transaction.atomic():
        services.lock_run(run.pk)
        services.complete_task(task_id=task.pk, output={"amount": 500.0, "reason": "r"}, actor="user:mallory")

    assert nothing_went_out(run)
    task.refresh_from_db()
    assert (task.status, task.wait_for) == ("waiting", "gate")
    event = Event.objects.get(run_id=run.pk, kind="task.withheld")
    assert (event.actor, event.data["why"]) == ("user:mallory", "nobody has approved it at its gate")


@pytest.mark.parametrize(("what", "refusal"), [("seal", SealBroken), ("own request", SeparationOfDuties)])
def test_decision_past_seal_or_separation_is_refused_and_on_record(what: str, refusal: type[Exception]) -> None:
    by = reviewer()
    run = begin(by=by if what == "own request" else None)
    with shift():
        eventually(lambda: is_held(run))
    gate = Gate.objects.get(run=run, status="open")
    if what == "seal":
        Gate.objects.filter(pk=gate.pk).update(subject={**gate.subject, "proposal": {"amount": 900.0, "reason": "r"}})

    with pytest.raises(refusal):
        decide(gate_id=gate.pk, gate_version=gate.version, verdict="approve", by=by, note="agreed")

    assert nothing_went_out(run)
    refused = Event.objects.get(run_id=run.pk, kind="gate.refused")
    assert refused.actor == f"user:{by.username}"
    if what == "seal":  # put back, so that the invariants are those of an untouched gate
        Gate.objects.filter(pk=gate.pk).update(subject=gate.subject)


def test_deadline_that_passes_lets_nothing_out_and_asks_on() -> None:
    run = begin()
    with shift():
        eventually(lambda: is_held(run))
    gate = Gate.objects.get(run=run, status="open")
    Gate.objects.filter(pk=gate.pk).update(deadline_at=gate.opened_at)

    gatekeeper().deadline_reached(gate.pk)

    assert nothing_went_out(run)
    assert Gate.objects.get(pk=gate.pk).status == "open"
    assert kinds(run) & {"gate.escalated", "gate.held"}
