"""If nobody acts: chains with rounds, five ends, reminders, business hours; and the card foretells all of it."""

from datetime import datetime, timedelta

import pytest

from approvals import queries, services
from approvals.able import measures
from approvals.deadlines import stages
from approvals.errors import ChecklistIncomplete
from approvals.models import Decision, Gate, Queue
from orchestrator.models import Event, Run, Task, Timer
from orchestrator.ports import GateTerms, gatekeeper
from tests import people

pytestmark = pytest.mark.django_db

OFFICE = {"zone": "UTC", "days": [0, 1, 2, 3, 4], "from": "09:00", "to": "17:00", "holidays": []}


def walk(gate: Gate, steps: int) -> list[str]:
    visited = []
    for _ in range(steps):
        people.deadline(gate)
        gate.refresh_from_db()
        visited.append(gate.queue.name if gate.status == "open" else gate.status)
    return visited


def open_minutes(since: datetime, until: datetime) -> int:
    """Minutes in which the office above is open."""
    minutes = (since + timedelta(minutes=n) for n in range(round((until - since) / timedelta(minutes=1))))
    return sum(minute.weekday() < 5 and 9 <= minute.hour < 17 for minute in minutes)


def foretold(gate: Gate) -> list[str]:
    return [stage.queue.name if stage.queue else stage.outcome for stage in stages(gate, list(Queue.objects.all()))]


def test_chain_is_walked_level_by_level_and_round_by_round_as_foretold():
    for name in ("lead", "coordinator"):
        people.queue(name)
    gate = people.gate(terms=GateTerms(escalation=("lead", "coordinator"), rounds=2), on_timeout="reject")
    told = foretold(gate)

    visited = walk(gate, 6)

    assert visited == ["lead", "coordinator", "oncall", "lead", "coordinator", "expired"]
    assert told == [*visited[:5], "reject"]


def test_card_previews_when_each_level_is_asked():
    people.queue("lead")
    ana = people.person("ana", decides=people.queue())
    gate = people.gate(terms=GateTerms(escalation=("lead",)), deadline_s=1800.0)

    fate = queries.card(gate, ana).if_nobody_acts

    assert [(one.outcome, one.queue) for one in fate] == [("escalate", "Lead"), ("stays_open", "")]
    assert fate[1].at - fate[0].at == timedelta(minutes=30)


@pytest.mark.parametrize(
    ("on_timeout", "status", "task", "run"),
    [
        pytest.param("escalate", "open", "waiting", "running", id="escalate"),
        pytest.param("reject", "expired", "failed", "failed", id="reject"),
        pytest.param("remind", "open", "waiting", "running", id="remind"),
        pytest.param("hold", "open", "waiting", "paused", id="hold"),
        pytest.param("approve", "approved", "succeeded", "running", id="approve"),
    ],
)
def test_each_end(on_timeout, status, task, run):
    gate = people.gate(on_timeout=on_timeout, risk="low")
    measures.seen(people.person("ana", decides=gate.queue))

    walk(gate, 1)

    assert (gate.status, Task.objects.get(pk=gate.task_id).status) == (status, task)
    assert Run.objects.get(pk=gate.run_id).status == run


def test_reminding_never_leaves_the_queue():
    people.queue("first", escalates_to=people.queue("lead"))
    gate = people.gate(queue="first", on_timeout="remind")

    assert walk(gate, 2) == ["first", "first"]


@pytest.mark.parametrize(
    "facts",
    [
        {"risk": "high"}, {"risk": "critical"}, {"risk": "what?"}, {"terms": GateTerms(approvals=2)},
        {"terms": GateTerms(purpose="strategic")}, {"terms": GateTerms(checklist=("Read it",))}, {"kind": "exception"},
    ],
)  # fmt: skip
def test_what_matters_is_never_approved_by_time(facts):
    gate = people.gate(**{"on_timeout": "approve", "risk": "low", **facts})
    told = foretold(gate)

    walk(gate, 1)

    assert (gate.status, told) == ("open", ["stays_open"])
    assert not Decision.objects.exists()


def test_approval_by_time_says_so_and_is_nobodys_judgement():
    ana = people.person("ana", decides=people.queue())
    gate = people.gate(on_timeout="approve", risk="low")
    measures.seen(ana)

    assert queries.card(gate, ana).is_approved_by_time
    walk(gate, 1)

    decision = Decision.objects.get(gate=gate)
    assert (decision.verdict, decision.via, decision.decided_by) == ("approve", "deadline", None)
    assert Task.objects.get(pk=gate.task_id).output == people.PROPOSAL


def test_altered_subject_is_not_approved_by_time():
    gate = people.gate(on_timeout="approve", risk="low")
    measures.seen(people.person("ana", decides=gate.queue))
    Gate.objects.filter(pk=gate.pk).update(subject={**gate.subject, "proposal": {"summary": "pay me"}})

    walk(gate, 1)

    assert gate.status == "open"


def test_reminders_are_set_before_each_deadline_and_say_so_once_they_are_due():
    gate = people.gate(terms=GateTerms(remind_s=(3600.0, 60.0)), deadline_s=600.0)
    timer = Timer.objects.get(kind="gate_reminder", ref=gate.pk)

    gatekeeper().remind(gate.pk)
    early = Event.objects.filter(kind="gate.reminded").count()
    Gate.objects.filter(pk=gate.pk).update(deadline_at=gate.opened_at + timedelta(seconds=30))
    gate.refresh_from_db()

    assert abs(timer.due_at - gate.opened_at - timedelta(seconds=540)) < timedelta(seconds=5)
    assert early == 1  # an hour before is earlier than it opened; it is due within that hour


def test_settled_gate_is_reminded_of_no_more():
    ana = people.person("ana", decides=people.queue())
    gate = people.gate(terms=GateTerms(remind_s=(3600.0,)))
    services.decide(gate_id=gate.pk, by=ana, verdict="approve", gate_version=1)

    gatekeeper().remind(gate.pk)

    assert not Event.objects.filter(kind="gate.reminded").exists()


def test_deadline_counts_the_working_hours_of_the_queue():
    queue = people.queue()
    Queue.objects.filter(pk=queue.pk).update(calendar=OFFICE)

    gate = people.gate(terms=GateTerms(business_hours=True), deadline_s=8 * 3600.0)
    plain = people.gate(deadline_s=8 * 3600.0)

    assert open_minutes(gate.opened_at, gate.deadline_at) == pytest.approx(8 * 60, abs=1)
    assert (gate.deadline_at - timedelta(seconds=1)).weekday() < 5
    assert plain.deadline_at - plain.opened_at < timedelta(hours=8, seconds=5)
    assert isinstance(gate.deadline_at, datetime)


class TestChecklist:
    POINTS = ("I read the contract", "The customer agreed")

    def test_approval_needs_every_tick_and_keeps_them(self):
        ana = people.person("ana", decides=people.queue())
        gate = people.gate(terms=GateTerms(purpose="compliance", checklist=self.POINTS))

        for ticks in ((), self.POINTS[:1], (*self.POINTS, "And more")):
            with pytest.raises(ChecklistIncomplete):
                services.decide(gate_id=gate.pk, by=ana, verdict="approve", gate_version=1, checked=ticks)
        decision = services.decide(gate_id=gate.pk, by=ana, verdict="approve", gate_version=1, checked=self.POINTS)

        assert decision.checked == list(self.POINTS)

    def test_rejection_needs_none(self):
        ana = people.person("ana", decides=people.queue())
        gate = people.gate(terms=GateTerms(checklist=self.POINTS))

        assert services.decide(gate_id=gate.pk, by=ana, verdict="reject", gate_version=1, note="No.").pk

    def test_each_voter_ticks_for_themselves(self):
        ana, sam = (people.person(name, decides=people.queue()) for name in ("ana", "sam"))
        gate = people.gate(terms=GateTerms(approvals=2, checklist=self.POINTS))
        vote = services.decide(gate_id=gate.pk, by=ana, verdict="approve", gate_version=1, checked=self.POINTS)

        with pytest.raises(ChecklistIncomplete):
            services.decide(gate_id=gate.pk, by=sam, verdict="approve", gate_version=1)
        assert vote.checked == list(self.POINTS)
