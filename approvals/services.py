"""What people do with a gate. `decide()` is the one door: nothing else settles a gate for a person."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from agents.types import Json
from approvals import answers, deadlines, desk_db, duties, permissions, policy, runways, settling, snoozing, voting
from approvals.able import checks, disguise, measures, outcome
from approvals.answers import Answer
from approvals.errors import (
    EscalationRefused,
    GateAlreadySettled,
    GateChanged,
    GateClaimed,
    GateGoingOut,
    GateNotFound,
    NoteMissing,
    NoteTooLong,
    NotPermitted,
    SealBroken,
    SeparationOfDuties,
    TextMissing,
    VerdictNotAllowed,
)
from approvals.feedback import appraising
from approvals.feedback.appraising import Given
from approvals.models import Check, Comment, Decision, Draft, Gate, GateStatus, Presence, Runway, Snooze, Vote
from approvals.settling import lock_gate as lock_gate
from approvals.settling import name_of, record, release, settle
from orchestrator import services
from orchestrator.errors import IdempotencyConflict
from orchestrator.events import EventKind


def decide(  # noqa: PLR0913 - one door for browser, API and every later channel: each argument is a fact of the decision
    *,
    gate_id: int,
    by: User,
    verdict: str,
    gate_version: int,
    note: str = "",
    edited: dict[str, Json] | None = None,
    via: str = "browser",
    idempotency_key: str | None = None,
    checked: Sequence[str] = (),
    appraisal: Given | None = None,
) -> Decision | Vote | Runway | Check:
    """Record one person's verdict and let the task go on accordingly, all in one transaction.

    Where several people must agree it is a vote, and becomes a decision with the last one that is needed.

    1. Lock the run, then the gate: two reviewers, a deadline and a cancel are served one after the other.
    2. Refuse who may not decide, before anything else is told. Whoever had a hand in it never may; that is audited.
    3. The same idempotency key answers with the decision, or vote, it made; with another body it is refused.
    4. Refuse if the gate is settled (the first settlement stands) or if it is not what the person saw.
    5. Append the decision, settle the gate, append the event, and release the task: all of it or nothing.
       What can be taken back for a while is a Runway first (see `runways`), and a decision after that.

    When somebody else was first, what was typed is kept as the person's draft. A number that no gate has may be that
    of a check (docs/reviewers.md): its verdict is kept there, and nothing is released.
    """
    answer = Answer(
        verdict, gate_version, _text(note), answers.clean(edited), via, idempotency_key or None, tuple(checked),
        appraisal or Given(),
    )  # fmt: skip
    try:
        with transaction.atomic():
            return _decide(gate_id, by, answer)
    except GateNotFound:
        if (check := checks.verdict_of(gate_id, by, answer)) is None:
            raise
        outcome.noted(gate_id, by, answer.verdict)
        return check
    except (SeparationOfDuties, SealBroken) as refusal:
        _audit(gate_id, by, answer, refusal.code)
        raise
    except (GateAlreadySettled, GateChanged):
        _keep_draft(gate_id, by, answer.note, answer.edited)
        raise
    except IntegrityError as error:
        # Two gates, one key, the same moment: neither saw the other's row before it wrote its own.
        if "per_idempotency_key" in str(error):
            raise IdempotencyConflict(key=idempotency_key) from error
        raise


@transaction.atomic
def claim_gate(*, gate_id: int, by: User) -> Gate:
    """Take a gate for a few minutes, so that others see who is on it. It stays open to everybody's decision."""
    gate = _get_decidable(gate_id, by)
    if check := disguise.check_of(gate):
        checks.claim(check)
        return gate
    free = Q(claimed_by=None) | Q(claimed_until__lte=Now()) | Q(claimed_by=by)
    taken = Gate.objects.filter(free, pk=gate_id, status=GateStatus.OPEN).update(
        claimed_by=by, claimed_until=Now() + timedelta(minutes=policy.CLAIM_MINUTES)
    )
    gate.refresh_from_db()
    if not taken:
        _refuse_settled(gate)
        raise GateClaimed(gate_id=gate_id, by=name_of(gate.claimed_by), until=gate.claimed_until)
    record(EventKind.GATE_CLAIMED, gate, by)
    return gate


@transaction.atomic
def release_claim(*, gate_id: int, by: User) -> Gate:
    """Give a claim back; somebody else's claim is left alone."""
    gate = _get_visible(gate_id, by)
    if check := disguise.check_of(gate):
        checks.give_back(check)
        return gate
    if Gate.objects.filter(pk=gate_id, claimed_by=by).update(claimed_by=None, claimed_until=None):
        record(EventKind.GATE_RELEASED, gate, by)
    gate.refresh_from_db()
    return gate


@transaction.atomic
def escalate(*, gate_id: int, by: User, gate_version: int, why: str) -> Gate:
    """Pass a gate on to whoever is asked after its deadline, now; the reason stays with it as a comment.

    It is up for decision as before. EscalationRefused when nobody further is left to ask.
    """
    gate = lock_gate(gate_id)
    _refuse_person(gate, by)
    _refuse_settled(gate)
    settling.refuse_moved(gate, gate_version)
    why = _text(why)
    if not why:
        raise NoteMissing(verdict="escalate", risk=gate.risk)
    queue = deadlines.further(gate)
    if queue is None:
        raise EscalationRefused(gate_id=gate_id)
    Comment.objects.create(gate=gate, author=by, text=why)
    deadlines.pass_on(gate, queue, actor=services.actor_of(by), why=why[:1000])
    desk_db.forget_draft(gate.pk, by.pk)
    Snooze.objects.filter(gate=gate).delete()  # other people see it now, and it counts anew
    gate.refresh_from_db()
    return gate


@transaction.atomic
def comment(*, gate_id: int, by: User, text: str) -> Comment:
    """Add a remark that changes no state, on an open or a settled gate."""
    gate = _get_visible(gate_id, by)
    text = _text(text)
    if not text:
        raise TextMissing
    if check := disguise.check_of(gate):
        return Comment(pk=checks.remark(check, text), gate=gate, author=by, text=text)
    remark = Comment.objects.create(gate=gate, author=by, text=text)
    snoozing.news(gate_id)
    record(EventKind.GATE_COMMENTED, gate, by, comment=remark.pk)
    return remark


def save_draft(*, gate_id: int, by: User, text: str, answer: dict[str, Json] | None = None) -> Draft:
    """Keep what a person has typed so far, for them alone."""
    gate = _get_visible(gate_id, by)
    if check := disguise.check_of(gate):
        checks.keep_draft(check, _text(text), answers.clean(answer))
        return Draft(gate=gate, author=by, text=text)
    return _keep_draft(gate_id, by, _text(text), answers.clean(answer))


def touch_presence(*, gate_id: int, by: User, version: int = 0) -> None:
    """Note that a person has the gate's card open right now, and which version of it they see; 0 if that is unknown."""
    gate = _get_visible(gate_id, by)
    measures.seen(by)
    if disguise.check_of(gate):
        return
    seen = {"seen_at": Now(), **({"version": version} if version else {})}
    Presence.objects.update_or_create(gate_id=gate_id, user=by, defaults=seen)


def _decide(gate_id: int, by: User, answer: Answer) -> Decision | Vote | Runway:
    gate = lock_gate(gate_id)
    _refuse_person(gate, by)
    beside = desk_db.beside(gate_id, by.pk, answer.key)
    if "sent" in beside and (earlier := _earlier_with_same_key(gate, by, answer)) is not None:
        return earlier
    _refuse_settled(gate)
    settling.refuse_moved(gate, answer.gate_version)
    if answer.verdict == "choose":
        answer = replace(answer, edited=answers.choice(gate, _place(answer.edited)))
    _refuse_answer(gate, answer)
    outcome.noted(gate_id, by, answer.verdict, beside)
    if gate.approvals > 1:
        return _vote(gate, by, answer)
    return _conclude(gate, by, answer)


def _conclude(gate: Gate, by: User, answer: Answer) -> Decision | Runway:
    returns = policy.outcome(answer.verdict, answer.edited) == "returned"  # it comes before people again
    if not returns and (length := runways.seconds(gate, answer.verdict)):
        return runways.lay(gate, by, answer, length)
    decision = settle(gate, by, answer)
    release(gate, by, answer)
    return decision


def _vote(gate: Gate, by: User, answer: Answer) -> Decision | Vote | Runway:
    vote = Vote(
        gate=gate, voter=by, verdict=answer.verdict, note=answer.note, via=answer.via, gate_version=gate.version,
        edited=answer.edited, idempotency_key=answer.key, checked=list(answer.checked),
    )  # fmt: skip
    stand = voting.cast(gate, by, vote)
    snoozing.news(gate.pk)
    appraising.keep(answer.appraisal, gate, by, vote=vote)
    desk_db.forget_draft(gate.pk, by.pk)
    if answer.verdict == "edit" and "approve" in gate.allowed:
        voting.amend(gate, by, answer.edited or {})
        record(EventKind.GATE_AMENDED, gate, by, vote=vote.pk, version=gate.version, seal=gate.seal)
        return vote
    # What a blind gate's voters said stays out of the story until all of them have spoken.
    told: dict[str, Json] = {} if stand.terms.blind else {"verdict": answer.verdict}
    record(EventKind.GATE_VOTED, gate, by, vote=vote.pk, missing=stand.missing, via=answer.via, seal=gate.seal, **told)
    if stand.decides is None:
        return vote
    return _conclude(gate, by, _added_up(gate, stand.decides, answer))


def _added_up(gate: Gate, decides: Vote, answer: Answer) -> Answer:
    """The last vote as the decision that all of them make; of an output that one changed, an edit."""
    if decides.verdict == "approve" and "amended" in gate.subject:
        return replace(answer, verdict="edit", edited=gate.subject["proposal"])
    note = answer.note
    if decides.verdict != answer.verdict and not note:  # it was outvoted, and said no word itself
        said = Vote.objects.filter(gate=gate, seal=gate.seal, verdict=decides.verdict)
        note = said.values_list("note", flat=True).last() or ""
    return replace(answer, verdict=decides.verdict, edited=decides.edited, note=note)


def _get_visible(gate_id: int, by: User) -> Gate:
    gate = Gate.objects.select_related("run").filter(pk=gate_id).first() or checks.shown(gate_id, by)
    if gate is None or not permissions.can(by, "see_gate", gate):
        raise GateNotFound(gate_id=gate_id)
    return gate


def _get_decidable(gate_id: int, by: User) -> Gate:
    gate = Gate.objects.select_related("run").filter(pk=gate_id).first() or checks.shown(gate_id, by)
    if gate is None:
        raise GateNotFound(gate_id=gate_id)
    _refuse_person(gate, by)
    return gate


def _refuse_person(gate: Gate, by: User) -> None:
    if not by.is_active:
        raise NotPermitted(verb="decide")
    if permissions.is_own_request(by, gate):
        raise SeparationOfDuties(gate_id=gate.pk, why=duties.why_barred(by, gate))
    if permissions.can(by, "decide_gate", gate):
        return
    if not permissions.can(by, "see_gate", gate):
        raise GateNotFound(gate_id=gate.pk)
    raise NotPermitted(verb="decide")


def _earlier_with_same_key(gate: Gate, by: User, answer: Answer) -> Decision | Vote | Runway | None:
    if answer.key is None:
        return None
    vote = Vote.objects.filter(voter=by, idempotency_key=answer.key).first() if gate.approvals > 1 else None
    decision = Decision.objects.filter(decided_by=by, idempotency_key=answer.key).first()
    runway = None if decision else Runway.objects.filter(decided_by=by, idempotency_key=answer.key).first()
    earlier = vote or decision or runway  # a vote says what was sent; the decision, what all of them added up to
    if earlier is None:
        return None
    sent = (gate.pk, answer.verdict, answer.gate_version, answer.note)
    stored = (earlier.gate_id, earlier.verdict, earlier.gate_version, earlier.note)
    was = earlier.after if isinstance(earlier, Decision) else earlier.edited
    if answer.verdict == "choose" and was:  # stored with the alternative that it names
        was = {"alternative": was["alternative"]}
    if sent != stored or not policy.same(answer.edited, was):
        raise IdempotencyConflict(key=answer.key)
    return decision or runway or earlier


def _refuse_settled(gate: Gate) -> None:
    if gate.releases_at is not None and (going := runways.live(gate)) is not None:
        raise GateGoingOut(gate_id=gate.pk, by=name_of(going.decided_by), at=going.due_at, verdict=going.verdict)
    if gate.status == GateStatus.OPEN:
        return
    decision = gate.decisions.select_related("decided_by").last()
    raise GateAlreadySettled(
        gate_id=gate.pk,
        by=name_of(decision.decided_by) if decision and decision.decided_by else "the engine",
        at=gate.settled_at,
        verdict=decision.verdict if decision else gate.status,
    )


def _refuse_answer(gate: Gate, answer: Answer) -> None:
    offered = answer.verdict in gate.allowed or answer.verdict == "choose"  # which of them, `answers.choice` has said
    if not offered or answer.verdict not in policy.OUTCOME or answer.verdict == "expire":
        raise VerdictNotAllowed(gate_id=gate.pk, verdict=answer.verdict, allowed=", ".join(gate.allowed))
    if not answer.note and policy.needs_note(answer.verdict, gate.risk):
        raise NoteMissing(verdict=answer.verdict, risk=gate.risk)
    answers.check(gate, answer.verdict, answer.edited)
    answers.check_ticks(gate, answer.verdict, answer.checked)
    appraising.check(gate, answer.verdict, answer.appraisal)


def _text(text: str) -> str:
    text = policy.clean_text(text)
    if len(text) > policy.NOTE_LIMIT:
        raise NoteTooLong(length=len(text), limit=policy.NOTE_LIMIT)
    return text


def _keep_draft(gate_id: int, by: User, text: str, answer: dict[str, Json] | None) -> Draft:
    typed = {"text": text, "answer": answer, "saved_at": Now()}
    draft, _ = Draft.objects.update_or_create(gate_id=gate_id, author=by, defaults=typed)
    return draft


def _place(edited: dict[str, Json] | None) -> int:
    at = (edited or {}).get("alternative")
    return at if isinstance(at, int) and not isinstance(at, bool) else -1


def _audit(gate_id: int, by: User, answer: Answer, code: str) -> None:
    # After the refused transaction has rolled back: the attempt itself must stay on record.
    gate = Gate.objects.only("id", "run_id", "task_id").get(pk=gate_id)
    record(EventKind.GATE_REFUSED, gate, by, verdict=answer.verdict, via=answer.via, code=code)
