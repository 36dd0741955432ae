"""Opening, withdrawing and the passing of deadlines."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from approvals import policy, services
from approvals.deadlines import stages
from approvals.gatekeeper import FALLBACK_QUEUE
from approvals.models import Decision, Gate, Queue
from orchestrator import services as engine
from orchestrator.models import Event, Run, Task, Timer
from orchestrator.ports import gatekeeper
from tests import people

pytestmark = pytest.mark.django_db


def events_of(gate: Gate, kind: str) -> list[Event]:
    return list(Event.objects.filter(kind=kind, task_id=gate.task_id).order_by("id"))


def test_open_gate_seals_what_people_see_and_survives_storage():
    gate = people.gate(confidence=0.5, input={"n": 1e23, "zero": -0.0, "text": "ünï 🌍"})

    assert gate.subject["action"] == {"isolate": "fin-db-02"}
    assert policy.seal(gate.subject) == gate.seal
    assert events_of(gate, "gate.opened")[0].data["seal"] == gate.seal


def test_open_gate_starts_its_deadline_by_the_databases_clock():
    gate = people.gate(deadline_s=600.0)

    timer = Timer.objects.get(kind="gate_deadline", ref=gate.pk)
    assert timer.due_at == gate.deadline_at
    assert abs(gate.deadline_at - gate.opened_at - timedelta(seconds=600)) < timedelta(seconds=5)


def test_open_gate_for_a_queue_that_nobody_made_goes_to_operations_and_says_so():
    gate = people.gate(queue="typo")

    assert gate.queue.name == FALLBACK_QUEUE
    assert events_of(gate, "gate.opened")[0].data["asked_for"] == "typo"


def test_open_gate_of_unknown_risk_is_critical():
    gate = people.gate(risk="none at all")

    assert (gate.risk, gate.subject["risk"]) == ("critical", "critical")


def test_second_open_gate_on_one_task_is_refused_by_the_database():
    gate = people.gate()

    with pytest.raises(IntegrityError, match="one_open_gate_per_task"), transaction.atomic():
        gatekeeper().open_gate(people.request(gate.run, gate.task_id))


def test_settled_gate_without_a_time_is_refused_by_the_database():
    gate = people.gate()

    with pytest.raises(IntegrityError, match="gate_settled_at_iff_settled"), transaction.atomic():
        Gate.objects.filter(pk=gate.pk).update(status="approved")


def test_cancelled_run_withdraws_its_gates_once():
    gate = people.gate()

    engine.cancel_run(run_id=gate.run_id, by=None, reason="not needed")

    gate.refresh_from_db()
    assert (gate.status, gate.version) == ("withdrawn", 2)
    assert gate.settled_at is not None
    assert gatekeeper().withdraw_gates([gate.task_id], reason="again") == 0
    assert len(events_of(gate, "gate.withdrawn")) == 1


def test_deadline_walks_the_whole_chain_and_then_stays_open():
    top = people.queue("top")
    lead = people.queue("lead", escalates_to=top)
    gate = people.gate(queue=people.queue("first", escalates_to=lead).name)

    visited = []
    for _ in range(5):
        people.deadline(gate)
        gate.refresh_from_db()
        visited.append(gate.queue.name)

    assert visited == ["lead", "top", "top", "top", "top"]
    assert (gate.status, gate.escalations, gate.version) == ("open", 2, 3)
    assert [bool(event.data.get("end_of_chain")) for event in events_of(gate, "gate.escalated")] == [
        False,
        False,
        True,
        True,
        True,
    ]
    assert Task.objects.get(pk=gate.task_id).status == "waiting"


def test_deadline_gives_the_next_queue_as_long_and_arms_a_timer():
    gate = people.gate(queue=people.queue("first", escalates_to=people.queue("lead")).name, deadline_s=300.0)

    people.deadline(gate)

    gate.refresh_from_db()
    assert timedelta(seconds=290) < gate.deadline_at - gate.opened_at < timedelta(seconds=310)
    assert Timer.objects.filter(kind="gate_deadline", ref=gate.pk, due_at=gate.deadline_at).count() == 1


def test_deadline_goes_to_the_steps_own_choice_first():
    people.queue("board")
    gate = people.gate(queue=people.queue("first", escalates_to=people.queue("lead")).name, escalate_to="board")

    people.deadline(gate)

    gate.refresh_from_db()
    assert gate.queue.name == "board"


def test_deadline_of_a_circle_of_queues_comes_to_rest():
    first = people.queue("first")
    second = people.queue("second", escalates_to=first)
    Queue.objects.filter(pk=first.pk).update(escalates_to=second)
    gate = people.gate(queue="first")

    for _ in range(4):
        people.deadline(gate)

    gate.refresh_from_db()
    assert (gate.queue.name, gate.escalations) == ("second", 1)


def test_deadline_that_rejects_fails_the_task_and_is_nobodys_vote():
    gate = people.gate(queue=people.queue("first", escalates_to=people.queue("lead")).name, on_timeout="reject")

    people.deadline(gate)

    gate.refresh_from_db()
    decision = Decision.objects.get(gate=gate)
    assert (gate.status, decision.verdict, decision.decided_by, decision.via) == ("expired", "expire", None, "deadline")
    assert Task.objects.get(pk=gate.task_id).error["code"] == "gate_expired"
    assert Run.objects.get(pk=gate.run_id).status == "failed"


def test_deadline_that_rejects_asks_the_steps_own_choice_first():
    people.queue("board")
    gate = people.gate(on_timeout="reject", escalate_to="board")

    people.deadline(gate)
    gate.refresh_from_db()
    assert (gate.status, gate.queue.name) == ("open", "board")

    people.deadline(gate)
    gate.refresh_from_db()
    assert gate.status == "expired"


def test_deadline_that_has_not_come_changes_nothing():
    gate = people.gate(queue=people.queue("first", escalates_to=people.queue("lead")).name)

    gatekeeper().deadline_reached(gate.pk)

    gate.refresh_from_db()
    assert (gate.queue.name, gate.version) == ("first", 1)


def test_deadline_of_a_settled_or_unknown_gate_changes_nothing():
    gate = people.gate(on_timeout="reject")
    ana = people.person("ana", decides=gate.queue)
    services.decide(gate_id=gate.pk, by=ana, verdict="approve", gate_version=1)

    people.deadline(gate)
    gatekeeper().deadline_reached(10**9)

    gate.refresh_from_db()
    assert gate.status == "approved"
    assert gate.decisions.count() == 1


def test_deadline_gives_back_the_claim_of_who_may_not_see_the_next_queue():
    gate = people.gate(queue=people.queue("first", escalates_to=people.queue("lead")).name)
    services.claim_gate(gate_id=gate.pk, by=people.person("ana", decides=gate.queue))

    people.deadline(gate)

    gate.refresh_from_db()
    assert (gate.claimed_by, gate.claimed_until) == (None, None)


@pytest.mark.parametrize("on_timeout", ["escalate", "reject"])
@pytest.mark.parametrize("own_choice", ["", "board"])
def test_stages_foretell_what_the_deadlines_do(on_timeout, own_choice):
    people.queue("board")
    lead = people.queue("lead", escalates_to=people.queue("top"))
    gate = people.gate(
        queue=people.queue("first", escalates_to=lead).name, on_timeout=on_timeout, escalate_to=own_choice
    )
    foretold = [stage.queue.name if stage.queue else stage.outcome for stage in stages(gate, list(Queue.objects.all()))]

    lived = []
    for _ in foretold:
        before = gate.queue.name
        people.deadline(gate)
        gate.refresh_from_db()
        ended = "reject" if gate.status == "expired" else "stays_open"
        lived.append(gate.queue.name if gate.queue.name != before else ended)

    assert lived == foretold
