"""The while between an approval or a rejection and its effect, in which it can be taken back: longer at more stake.

What is said of a gate with a runway is recorded at once and takes effect when the time is over: the gate stays open for
the engine, and belongs to nobody's list meanwhile. `Gate.releases_at` says so; the row in `Runway` holds what was said.

1. `lay` runs in the transaction of `decide()`, in place of the settlement, and sets a timer.
2. `reached` is that timer's. It locks run and gate as `decide()` does, so that it and `take_back` are served one after
   the other, looks at the seal and at its approver's rights anew, and settles: decision, event and release together.
3. While the run is paused or a stop covers it nothing goes out: the timer is set again until that is over.
4. Whatever ends the wait (`withdraw_gates`, a cancelled run) ends the runway with it.
"""

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from agents.types import Json
from approvals import deadlines, desk_db, drift, permissions, policy, settling, snoozing, voting
from approvals.answers import Answer
from approvals.errors import GateChanged, GateNotFound, NotPermitted, RunwayOver, SealBroken
from approvals.feedback import appraising
from approvals.models import Decision, Draft, Gate, GateKind, GateStatus, Runway
from orchestrator import holds
from orchestrator.events import EventKind
from orchestrator.models import Timer

TIMER: Final = "gate_release"
LONGEST: Final = 3600.0
HELD_PAUSE: Final = timedelta(seconds=5)
_TAKEN_BACK: Final = frozenset({"approve", "edit", "choose", "reject"})
_KINDS: Final = frozenset({GateKind.APPROVAL, GateKind.TOOL})


def seconds(gate: Gate, verdict: str) -> float:
    """How long this verdict can be taken back: what its definition says, else what its risk does; 0: not at all."""
    if verdict not in _TAKEN_BACK or gate.kind not in _KINDS:
        return 0.0
    terms = voting.terms_of(gate)
    if terms.two_keys:  # two people at one moment are the moment
        return 0.0
    own = terms.runway_s
    usual: float = settings.UNDO_RUNWAY.get(gate.risk, 0.0)
    return min(LONGEST, usual if own is None else own)


def lay(gate: Gate, by: User, answer: Answer, length: float) -> Runway:
    """Record what takes effect later. Run and gate are locked, and everything about it was checked."""
    made = Runway.objects.create(
        gate=gate, verdict=answer.verdict, decided_by=by, via=answer.via, note=answer.note, gate_version=gate.version,
        seal=gate.seal, edited=answer.edited, checked=list(answer.checked), idempotency_key=answer.key,
        due_at=Now() + timedelta(seconds=length), appraisal=appraising.to_json(answer.appraisal),
    )  # fmt: skip
    made.refresh_from_db(fields=["due_at", "decided_at"])
    gate.releases_at = made.due_at
    gate.save(update_fields=["releases_at"])
    Timer.objects.create(kind=TIMER, ref=gate.pk, due_at=made.due_at)
    desk_db.forget_draft(gate.pk, by.pk)
    facts: dict[str, Json] = {"verdict": answer.verdict, "via": answer.via, "version": gate.version, "seal": gate.seal}
    kind = EventKind.GATE_TURNED_DOWN if answer.verdict == "reject" else EventKind.GATE_APPROVED
    settling.record(kind, gate, by, runway=made.pk, due=made.due_at.isoformat(), **facts)
    return made


def live(gate: Gate) -> Runway | None:
    """The approval of this gate that has not gone out."""
    if gate.releases_at is None:
        return None
    return Runway.objects.filter(gate=gate, ended_at=None).select_related("decided_by").first()


def of(user: User) -> list[Runway]:
    """This person's approvals that have not gone out, the newest first."""
    mine = Runway.objects.filter(decided_by=user, ended_at=None)
    ids = list(mine.order_by("-id").values_list("pk", flat=True)[:20])
    if not ids:  # as on most pages, and asking for all of it costs them more than its answer
        return []
    rows = Runway.objects.filter(pk__in=ids).select_related("gate__run").defer("gate__subject", "edited")
    return list(rows.order_by("-id"))


@transaction.atomic
def take_back(*, gate_id: int, by: User, why: str = "") -> Gate:
    """Take an approval back before it goes out: the gate is up for decision again. RunwayOver when it has gone out.

    Whoever may decide the gate may: stopping is the safe direction.
    """
    gate = settling.lock_gate(gate_id)
    runway = live(gate)
    _refuse_person(gate, by, runway)
    if runway is None:
        raise RunwayOver(gate_id=gate_id)
    _end(runway, Runway.Outcome.TAKEN_BACK, by=by, why=why)
    _reopen(gate, runway, by=by, why=why)
    return gate


@transaction.atomic
def let_go(*, gate_id: int, by: User) -> Decision:
    """Release an approval now, before its time: only who gave it. RunwayOver when it has gone out, or was taken back.

    SealBroken when what would go out is not what was approved.
    """
    gate = settling.lock_gate(gate_id)
    runway = live(gate)
    _refuse_person(gate, by, runway)
    if runway is None:
        raise RunwayOver(gate_id=gate_id)
    if runway.decided_by_id != by.pk:
        raise NotPermitted(verb="let somebody else's approval go out early")
    if problem := _problem(gate, runway):
        raise SealBroken(gate_id=gate_id, what=problem)
    return _release(gate, runway)


@transaction.atomic
def reached(gate_id: int) -> None:
    """The time to take it back is over: release it, if it is still what was approved. Safe to call twice."""
    gate = settling.lock_gate(gate_id)
    due = Runway.objects.filter(gate=gate, ended_at=None, due_at__lte=Now()).select_related("decided_by").first()
    if due is None or gate.status != GateStatus.OPEN:
        return
    if held := holds.held_by(gate.run_id, gate.task_id):
        _hold(gate, due, held)
    elif problem := _problem(gate, due):
        _end(due, Runway.Outcome.MOVED, by=None, why=problem)
        _reopen(gate, due, by=None, why=problem)
    else:
        _release(gate, due)


def withdrawn(which: Q) -> None:
    """The gates' runs go on without them, or not at all: nothing goes out any more. In the withdrawal's transaction."""
    Runway.objects.filter(which, ended_at=None).update(outcome=Runway.Outcome.WITHDRAWN, ended_at=Now())


def _release(gate: Gate, runway: Runway) -> Decision:
    by = runway.decided_by
    answer = Answer(
        runway.verdict, runway.gate_version, runway.note, runway.edited, runway.via, runway.idempotency_key,
        tuple(runway.checked), appraising.from_json(runway.appraisal),
    )  # fmt: skip
    _end(runway, Runway.Outcome.RELEASED, by=None)
    decision = settling.settle(gate, by, answer, decided_at=runway.decided_at)
    settling.release(gate, by, answer)
    return decision


def _problem(gate: Gate, runway: Runway) -> str:
    """Why this approval must not go out any more; empty if it may."""
    try:
        settling.refuse_moved(gate, runway.gate_version)
    except GateChanged as moved:
        return str(moved.facts.get("what", moved))
    by = User.objects.get(pk=runway.decided_by_id)
    if runway.seal != gate.seal:
        return "its seal is not the one that was approved"
    if not by.is_active or not permissions.can(by, "decide_gate", gate):
        return f"{settling.name_of(by)} may not decide it any more"
    return ""


def _hold(gate: Gate, runway: Runway, held: str) -> None:
    if runway.held != held:
        settling.record(EventKind.GATE_HELD, gate, None, runway=runway.pk, reason=held)
        runway.held = held
    runway.due_at = Now() + HELD_PAUSE
    runway.save(update_fields=["held", "due_at"])
    runway.refresh_from_db(fields=["due_at"])
    Timer.objects.create(kind=TIMER, ref=gate.pk, due_at=runway.due_at)


def _end(runway: Runway, outcome: Runway.Outcome, *, by: User | None, why: str = "") -> None:
    runway.outcome, runway.ended_by, runway.ended_at, runway.why = outcome, by, Now(), why[:1000]
    runway.save(update_fields=["outcome", "ended_by", "ended_at", "why"])
    Gate.objects.filter(pk=runway.gate_id).update(releases_at=None)
    runway.gate.releases_at = None


def _reopen(gate: Gate, runway: Runway, *, by: User | None, why: str) -> None:
    """Up for decision again, as something new: earlier votes and cards that are open do not count for it."""
    drift.remember(gate)
    gate.subject = {**gate.subject, "taken_back": int(gate.subject.get("taken_back", 0)) + 1}
    gate.seal, gate.version, gate.releases_at = policy.seal(gate.subject), gate.version + 1, None
    gate.save(update_fields=["subject", "seal", "version", "releases_at"])
    deadlines.prolong(gate)
    snoozing.news(gate.pk)
    said = {"text": runway.note, "answer": runway.edited, "saved_at": Now()}
    Draft.objects.update_or_create(gate=gate, author=runway.decided_by, defaults=said)
    settling.record(EventKind.GATE_TAKEN_BACK, gate, by, runway=runway.pk, reason=why, version=gate.version)


def _refuse_person(gate: Gate, by: User, runway: Runway | None) -> None:
    if not permissions.can(by, "see_gate", gate):
        raise GateNotFound(gate_id=gate.pk)
    own = runway is not None and runway.decided_by_id == by.pk
    if not by.is_active or not (own or permissions.can(by, "decide_gate", gate)):
        raise NotPermitted(verb="take this back")
