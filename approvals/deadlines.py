"""What happens to a gate that nobody answers: reminders, escalation level by level and round by round, and the end.

`stages` foretells what `reached` does; both ask `_further` and `_end`, so that they cannot disagree.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import F
from django.db.models.functions import Now

from agents.types import Json
from approvals import calendars, policy, quorums, voting
from approvals.able import minutes
from approvals.models import Decision, Gate, GateKind, GateStatus, Queue, Verdict
from orchestrator import events, services
from orchestrator.events import EventKind
from orchestrator.models import Run, Timer
from orchestrator.ports import GateTerms
from orchestrator.states import RunStatus

TIMER: Final = "gate_deadline"
REMINDER: Final = "gate_reminder"
ENGINE: Final = "engine"
MOST_STAGES: Final = 50
_NEVER_BY_TIME: Final = ("high", "critical")


@dataclass(frozen=True, slots=True)
class Stage:
    """One thing that happens if nobody acts, at a moment: the gate goes to `queue`, or `outcome` ends it."""

    at: datetime
    queue: Queue | None
    outcome: str  # escalate | reject | approve | hold | stays_open


def stages(gate: Gate, queues: Sequence[Queue]) -> tuple[Stage, ...]:
    """The whole chain that `reached` would walk if nobody acted, from the gate's next deadline on."""
    terms = voting.terms_of(gate)
    trail, current, at, found = list(gate.trail), gate.queue_id, gate.deadline_at, list[Stage]()
    while (further := _further(gate, terms, queues, trail, current)) is not None and len(found) < MOST_STAGES:
        found.append(Stage(at, further, "escalate"))
        terms = _raised(gate, terms, further)
        trail, current = [*trail, current], further.pk
        at = _after(terms, further, at, gate.deadline_s)
    return (*found, Stage(at, None, _end(gate, terms)))


def first(terms: GateTerms, queue: Queue, seconds: float) -> datetime | None:
    """The deadline of a gate that opens now in business hours; None where all time counts."""
    return _after(terms, queue, _now(), seconds) if terms.business_hours and queue.calendar else None


def reached(gate_id: int) -> None:
    """Pass a due gate on, end it, or leave it open with a new deadline. Owns nothing: call it in a transaction.

    1. Lock the run, then the gate: a decision that is being made right now wins or loses as a whole.
    2. Do nothing if the gate is settled, or if its deadline has moved since this timer was set.
    3. Go to the next queue that is to be asked; without one, do what the gate's terms say.
    4. Where they say nothing final it stays open and is asked about again: silence is not consent. Where nobody who
       could have decided was present, there was not even a silence: then nothing is approved by time.
    """
    gate = _lock_open_gate(gate_id, due=True)
    if gate is None:
        return
    terms = voting.terms_of(gate)
    further = _further(gate, terms, list(Queue.objects.all()), gate.trail, gate.queue_id)
    if further is not None:
        _escalate(gate, terms, further)
        return
    match _end(gate, terms):
        case "reject":
            _expire(gate)
        case "approve" if minutes.is_attended(gate.queue):
            _approve(gate)
        case "hold":
            _hold(gate)
            _keep_open(gate, terms)
        case _:
            _keep_open(gate, terms)


def remind(gate_id: int) -> None:
    """Say that a gate is due soon, if it still is."""
    gate = _lock_open_gate(gate_id, due=False)
    if gate is None:
        return
    longest = max(voting.terms_of(gate).remind_s, default=0.0)
    soon = Gate.objects.filter(
        pk=gate.pk, deadline_at__gt=Now(), deadline_at__lte=Now() + timedelta(seconds=longest + 1)
    )
    if soon.exists():
        _record(EventKind.GATE_REMINDED, gate, {"queue": gate.queue.name, "due": gate.deadline_at.isoformat()})


def arm(gate: Gate) -> None:
    """Set the timers of a gate's deadline and of the reminders before it."""
    due = {0.0: TIMER, **{before: REMINDER for before in voting.terms_of(gate).remind_s if before < gate.deadline_s}}
    Timer.objects.bulk_create(
        Timer(kind=kind, ref=gate.pk, due_at=gate.deadline_at - timedelta(seconds=before))
        for before, kind in due.items()
    )


def further(gate: Gate) -> Queue | None:
    """Who would be asked next."""
    return _further(gate, voting.terms_of(gate), list(Queue.objects.all()), gate.trail, gate.queue_id)


def pass_on(gate: Gate, queue: Queue, *, actor: str, why: str) -> None:
    """A person passes a locked gate on before its deadline does."""
    _escalate(gate, voting.terms_of(gate), queue, actor=actor, why=why)


def prolong(gate: Gate) -> None:
    """Give a gate whose deadline passed while it was as good as decided another one."""
    if Gate.objects.filter(pk=gate.pk, deadline_at__lte=Now()).exists():
        gate.deadline_at = _next_deadline(gate, voting.terms_of(gate))
        gate.save(update_fields=["deadline_at"])
        arm(gate)


def _further(gate: Gate, terms: GateTerms, queues: Sequence[Queue], trail: Sequence[int], current: int) -> Queue | None:
    if terms.escalation:
        by_name = {queue.name: queue for queue in queues}
        home = trail[0] if trail else current
        levels = [queue for queue in queues if queue.pk == home]
        levels += [by_name[name] for name in terms.escalation if name in by_name]
        step = len(trail) + 1
        return levels[step % len(levels)] if step < len(levels) * terms.rounds else None
    if gate.on_timeout in {"remind", "hold", "approve"}:
        chain: dict[int, int | None] = {}
    else:
        chain = _chain(gate, queues)
    found = policy.next_queue(explicit=gate.escalate_to_id, chain=chain, trail=trail, queue=current)
    return next((queue for queue in queues if queue.pk == found), None)


def _chain(gate: Gate, queues: Sequence[Queue]) -> dict[int, int | None]:
    # A step that says "reject" means at its own deadline: only the queue it names itself may still be asked.
    return {} if gate.on_timeout == "reject" else {queue.pk: queue.escalates_to_id for queue in queues}


def _end(gate: Gate, terms: GateTerms) -> str:
    """What ends it. Approval by time is refused here once more: what is at stake may be worked out at run time only."""
    if gate.on_timeout in {"reject", "hold"}:
        return gate.on_timeout
    plain = gate.kind == GateKind.APPROVAL and terms.approvals == 1 and not terms.checklist and not terms.purpose
    if gate.on_timeout == "approve" and plain and gate.risk not in _NEVER_BY_TIME:
        return "approve"
    return "stays_open"


def _lock_open_gate(gate_id: int, *, due: bool) -> Gate | None:
    run_id = Gate.objects.filter(pk=gate_id).values_list("run_id", flat=True).first()
    if run_id is None:
        return None
    services.lock_run(run_id)
    gates = Gate.objects.select_for_update(of=("self",)).select_related("queue", "run", "task")
    found = gates.filter(pk=gate_id, status=GateStatus.OPEN, releases_at=None)  # what goes out is decided
    return (found.filter(deadline_at__lte=Now()) if due else found).first()


def _escalate(gate: Gate, terms: GateTerms, queue: Queue, *, actor: str = ENGINE, why: str = "") -> None:
    before = gate.queue
    gate.trail = [*gate.trail, before.pk]
    gate.queue = queue
    raised = _raised(gate, terms, queue)
    gate.approvals = raised.approvals  # votes that were given stay: they were for the same thing
    gate.claimed_by, gate.claimed_until = None, None  # whoever took it may not even see the new queue
    gate.escalations = F("escalations") + 1
    gate.version = F("version") + 1
    gate.deadline_at = _next_deadline(gate, terms)
    moved = ("trail", "queue", "claimed_by", "claimed_until", "escalations", "version", "deadline_at", "approvals")
    gate.save(update_fields=moved)
    arm(gate)
    facts: dict[str, Json] = {"from": before.name, "queue": queue.name, "escalations": gate.escalations}
    if raised != terms:
        facts["approvals"] = raised.approvals
    _record(EventKind.GATE_ESCALATED, gate, {**facts, **({"reason": why} if why else {})}, actor=actor)


def _raised(gate: Gate, terms: GateTerms, queue: Queue) -> GateTerms:
    """What holds in the queue that it comes to: as many people as that one asks for, if those are more."""
    return quorums.raised(terms, queue, kind=gate.kind, risk=gate.risk)


def _keep_open(gate: Gate, terms: GateTerms) -> None:
    gate.deadline_at = _next_deadline(gate, terms)
    gate.save(update_fields=["deadline_at"])
    arm(gate)
    _record(EventKind.GATE_ESCALATED, gate, {"queue": gate.queue.name, "end_of_chain": True})


def _hold(gate: Gate) -> None:
    if gate.run.status == RunStatus.RUNNING:
        services.pause_run(run_id=gate.run_id, by=None, reason=f"nobody decided gate {gate.pk} before its deadline")


def _expire(gate: Gate) -> None:
    _decide(gate, Verdict.EXPIRE, GateStatus.EXPIRED)
    assert gate.task_id is not None  # gates about runs are never rejected by time
    if gate.kind == GateKind.MANUAL:  # work that nobody did: the step's own word on errors holds
        days = gate.deadline_s / 86400
        message = f"Manual task timeout: nobody did it within {days:g} days."
        services.time_out_task(task_id=gate.task_id, message=message, actor=ENGINE)
        return
    services.fail_task(
        task_id=gate.task_id, code="gate_expired", message="Nobody decided before the deadline.", actor=ENGINE
    )


def _approve(gate: Gate) -> None:
    if policy.seal(gate.subject) != gate.seal:  # what moved is for people
        _keep_open(gate, voting.terms_of(gate))
        return
    assert gate.task_id is not None
    _decide(gate, Verdict.APPROVE, GateStatus.APPROVED)
    services.complete_task(task_id=gate.task_id, output=gate.subject["proposal"], actor=ENGINE)


def _decide(gate: Gate, verdict: Verdict, status: GateStatus) -> None:
    Decision.objects.create(
        gate=gate,
        verdict=verdict,
        via="deadline",
        gate_version=gate.version,
        seal=gate.seal,
        before=gate.subject["proposal"],
    )
    gate.status, gate.settled_at = status, Now()
    gate.save(update_fields=["status", "settled_at"])
    _record(EventKind.GATE_DECIDED, gate, {"verdict": verdict.value, "via": "deadline", "queue": gate.queue.name})


def _next_deadline(gate: Gate, terms: GateTerms) -> datetime:
    return _after(terms, gate.queue, _now(), gate.deadline_s)


def _after(terms: GateTerms, queue: Queue, start: datetime, seconds: float) -> datetime:
    return calendars.after(queue.calendar if terms.business_hours else {}, start, seconds)


def _now() -> datetime:
    """By the database's clock; a queue always exists where a gate does."""
    found: datetime = Run.objects.order_by().annotate(now=Now()).values_list("now", flat=True)[:1].get()
    return found


def _record(kind: EventKind, gate: Gate, facts: dict[str, Json], *, actor: str = ENGINE) -> None:
    events.append(kind, actor=actor, run_id=gate.run_id, task_id=gate.task_id, data={"gate": gate.pk, **facts})
