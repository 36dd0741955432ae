"""What people do with a gate. `decide()` is the one door: nothing else settles a gate for a person."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from agents.types import Json
from approvals import answers, duties, permissions, policy, voting
from approvals.able import checks, disguise, measures, outcome
from approvals.answers import Answer as _Answer
from approvals.errors import (
    GateAlreadySettled,
    GateChanged,
    GateClaimed,
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
from approvals.models import Check, Comment, Decision, Draft, Gate, GateKind, GateStatus, Presence, Vote
from orchestrator import events, services
from orchestrator.errors import IdempotencyConflict
from orchestrator.events import EventKind
from orchestrator.models import TASK_BITS, Task, WorkflowVersion, task_id


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
) -> Decision | Vote | Check:
    """Record one person's verdict and let the task go on accordingly, all in one transaction.

    Where several people must agree it is a vote, and becomes a decision with the last one that is needed.

    1. Lock the run, then the gate: two reviewers, a deadline and a cancel are served one after the other.
    2. Refuse who may not decide, before anything else is told. Whoever had a hand in it never may; that is audited.
    3. The same idempotency key answers with the decision, or vote, it made; with another body it is refused.
    4. Refuse if the gate is settled (the first settlement stands) or if it is not what the person saw.
    5. Append the decision, settle the gate, append the event, and release the task: all of it or nothing.

    When somebody else was first, what was typed is kept as the person's draft. A number that no gate has may be that
    of a check (docs/reviewers.md): its verdict is kept there, and nothing is released.
    """
    answer = _Answer(
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
        raise GateClaimed(gate_id=gate_id, by=_name(gate.claimed_by), until=gate.claimed_until)
    _record(EventKind.GATE_CLAIMED, gate, by)
    return gate


@transaction.atomic
def release_claim(*, gate_id: int, by: User) -> Gate:
    """Give a claim back; somebody else's claim is left alone."""
    gate = _get_visible(gate_id, by)
    if check := disguise.check_of(gate):
        checks.give_back(check)
        return gate
    if Gate.objects.filter(pk=gate_id, claimed_by=by).update(claimed_by=None, claimed_until=None):
        _record(EventKind.GATE_RELEASED, gate, by)
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
    _record(EventKind.GATE_COMMENTED, gate, by, comment=remark.pk)
    return remark


def save_draft(*, gate_id: int, by: User, text: str, answer: dict[str, Json] | None = None) -> Draft:
    """Keep what a person has typed so far, for them alone."""
    gate = _get_visible(gate_id, by)
    if check := disguise.check_of(gate):
        checks.keep_draft(check, _text(text), answers.clean(answer))
        return Draft(gate=gate, author=by, text=text)
    return _keep_draft(gate_id, by, _text(text), answers.clean(answer))


def touch_presence(*, gate_id: int, by: User) -> None:
    """Note that a person has the gate's card open right now."""
    gate = _get_visible(gate_id, by)
    measures.seen(by)
    if disguise.check_of(gate):
        return
    Presence.objects.update_or_create(gate_id=gate_id, user=by, defaults={"seen_at": Now()})


def _decide(gate_id: int, by: User, answer: _Answer) -> Decision | Vote:
    gate = lock_gate(gate_id)
    _refuse_person(gate, by)
    earlier = _earlier_with_same_key(gate, by, answer)
    if earlier is not None:
        return earlier
    _refuse_settled(gate)
    _refuse_moved(gate, answer)
    _refuse_answer(gate, answer)
    outcome.noted(gate_id, by, answer.verdict)
    if gate.approvals > 1:
        return _vote(gate, by, answer)
    decision = _conclude(gate, by, answer)
    appraising.keep(answer.appraisal, gate, by, decision=decision)
    return decision


def _conclude(gate: Gate, by: User, answer: _Answer) -> Decision:
    decision = _settle(gate, by, answer)
    _release(gate, by, answer)
    return decision


def _vote(gate: Gate, by: User, answer: _Answer) -> Decision | Vote:
    vote = Vote(
        gate=gate, voter=by, verdict=answer.verdict, note=answer.note, via=answer.via, gate_version=gate.version,
        edited=answer.edited, idempotency_key=answer.key, checked=list(answer.checked),
    )  # fmt: skip
    stand = voting.cast(gate, by, vote)
    appraising.keep(answer.appraisal, gate, by, vote=vote)
    Draft.objects.filter(gate=gate, author=by).delete()
    if answer.edited is not None:
        voting.amend(gate, by, answer.edited)
        _record(EventKind.GATE_AMENDED, gate, by, vote=vote.pk, version=gate.version, seal=gate.seal)
        return vote
    # What a blind gate's voters said stays out of the story until all of them have spoken.
    told: dict[str, Json] = {} if stand.terms.blind else {"verdict": answer.verdict}
    _record(EventKind.GATE_VOTED, gate, by, vote=vote.pk, missing=stand.missing, via=answer.via, seal=gate.seal, **told)
    if not stand.outcome:
        return vote
    return _conclude(gate, by, _added_up(gate, stand.outcome, answer))


def _added_up(gate: Gate, verdict: str, answer: _Answer) -> _Answer:
    """The last vote as the decision that all of them make; of an output that one changed, an edit."""
    if verdict == "approve" and "amended" in gate.subject:
        return replace(answer, verdict="edit", edited=gate.subject["proposal"])
    if verdict != answer.verdict and not answer.note:  # it was outvoted, and said no word itself
        said = Vote.objects.filter(gate=gate, seal=gate.seal, verdict=verdict).values_list("note", flat=True)
        return replace(answer, verdict=verdict, note=said.last() or "")
    return replace(answer, verdict=verdict)


def lock_gate(gate_id: int) -> Gate:
    """Lock the run, then the gate; GateNotFound."""
    run_id = Gate.objects.filter(pk=gate_id).values_list("run_id", flat=True).first()
    if run_id is None:
        raise GateNotFound(gate_id=gate_id)
    services.lock_run(run_id)
    return Gate.objects.select_for_update(of=("self",)).select_related("run", "task").get(pk=gate_id)


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


def _earlier_with_same_key(gate: Gate, by: User, answer: _Answer) -> Decision | Vote | None:
    if answer.key is None:
        return None
    vote = Vote.objects.filter(voter=by, idempotency_key=answer.key).first() if gate.approvals > 1 else None
    decision = Decision.objects.filter(decided_by=by, idempotency_key=answer.key).first()
    earlier = vote or decision  # a vote says what was sent; the decision, what all of them added up to
    if earlier is None:
        return None
    sent = (gate.pk, answer.verdict, answer.gate_version, answer.note)
    stored = (earlier.gate_id, earlier.verdict, earlier.gate_version, earlier.note)
    was = earlier.edited if isinstance(earlier, Vote) else earlier.after
    if sent != stored or not policy.same(answer.edited, was):
        raise IdempotencyConflict(key=answer.key)
    return decision or earlier


def _refuse_settled(gate: Gate) -> None:
    if gate.status == GateStatus.OPEN:
        return
    decision = gate.decisions.select_related("decided_by").last()
    raise GateAlreadySettled(
        gate_id=gate.pk,
        by=_name(decision.decided_by) if decision and decision.decided_by else "the engine",
        at=gate.settled_at,
        verdict=decision.verdict if decision else gate.status,
    )


def _refuse_moved(gate: Gate, answer: _Answer) -> None:
    if answer.gate_version != gate.version:
        raise GateChanged(gate_id=gate.pk, what=f"you saw version {answer.gate_version}, now it is {gate.version}")
    if policy.seal(gate.subject) != gate.seal:
        raise SealBroken(gate_id=gate.pk, what="its stored subject was altered")
    if gate.task is None:  # about a whole run: its facts are the gate's alone
        return
    if not policy.same(gate.task.input, gate.subject["input"]):
        raise SealBroken(gate_id=gate.pk, what="the task's stored input was altered")
    reviewed = _reviewed_output(gate)
    asked = gate.subject.get("amended", {}).get("from", gate.subject["proposal"])
    if reviewed is not None and not policy.same(reviewed, asked):
        raise SealBroken(gate_id=gate.pk, what="the output under review was altered")


def _reviewed_output(gate: Gate) -> dict[str, Json] | None:
    """What an approval step reviews, as its own step stored it; None where the proposal lives in the gate alone."""
    if gate.kind != GateKind.APPROVAL or gate.task is None or gate.task.kind != "approval":
        return None
    index = gate.task.pk & (2**TASK_BITS - 1)
    version = WorkflowVersion.objects.filter(pk=gate.task.version_id)
    subject = version.values_list(f"plan__steps__{index}__subject", flat=True).first()
    if subject is None:
        return None
    return Task.objects.filter(pk=task_id(gate.run_id, subject)).values_list("output", flat=True).first()


def _refuse_answer(gate: Gate, answer: _Answer) -> None:
    if answer.verdict not in gate.allowed or answer.verdict not in policy.OUTCOME or answer.verdict == "expire":
        raise VerdictNotAllowed(gate_id=gate.pk, verdict=answer.verdict, allowed=", ".join(gate.allowed))
    if not answer.note and policy.needs_note(answer.verdict, gate.risk):
        raise NoteMissing(verdict=answer.verdict, risk=gate.risk)
    answers.check(gate, answer.verdict, answer.edited)
    answers.check_ticks(gate, answer.verdict, answer.checked)
    appraising.check(gate, answer.verdict, answer.appraisal)


def _settle(gate: Gate, by: User, answer: _Answer) -> Decision:
    decision = Decision.objects.create(
        gate=gate,
        verdict=answer.verdict,
        decided_by=by,
        via=answer.via,
        note=answer.note,
        gate_version=gate.version,
        seal=gate.seal,
        before=gate.subject.get("amended", {}).get("from", gate.subject["proposal"]),
        after=answer.edited,
        idempotency_key=answer.key,
        checked=list(answer.checked),
    )
    gate.status, gate.settled_at = policy.OUTCOME[answer.verdict], Now()
    gate.save(update_fields=["status", "settled_at"])
    Draft.objects.filter(gate=gate, author=by).delete()
    facts: dict[str, Json] = {"verdict": answer.verdict, "via": answer.via, "version": gate.version, "seal": gate.seal}
    _record(EventKind.GATE_DECIDED, gate, by, decision=decision.pk, edited=answer.edited is not None, **facts)
    return decision


def _release(gate: Gate, by: User, answer: _Answer) -> None:
    if answer.verdict == "terminate":
        services.cancel_run(run_id=gate.run_id, by=by, reason=answer.note)
    elif gate.task_id is None:
        _release_run(gate, by, answer)
    else:
        _release_task(gate.task_id, gate, by, answer)


def _release_run(gate: Gate, by: User, answer: _Answer) -> None:
    if answer.verdict == "extend":  # letting it go on changes nothing: it has never stopped
        length, said = str((answer.edited or {})["by"]), answer.note or f"decided at gate {gate.pk}"
        services.extend_run(run_id=gate.run_id, by=length, actor=services.actor_of(by), reason=said)


def _release_task(waiting: int, gate: Gate, by: User, answer: _Answer) -> None:
    actor = services.actor_of(by)
    match answer.verdict:
        case "approve" | "edit" if gate.kind == GateKind.TOOL:
            services.approve_call(task_id=waiting, actor=actor)
        case "approve":
            services.complete_task(task_id=waiting, output=gate.subject["proposal"], actor=actor)
        case "edit" | "complete":
            services.complete_task(task_id=waiting, output=answer.edited or {}, actor=actor)
        case "request_changes":
            services.revise_task(task_id=waiting, note=answer.note, actor=actor)
        case "retry":
            services.retry_task(task_id=waiting, actor=actor)
        case "skip":
            services.skip_task(task_id=waiting, actor=actor)
        case "reject":
            message = f"Rejected by {_name(by)}."
            services.fail_task(task_id=waiting, code="rejected", message=message, actor=actor, note=answer.note)


def _text(text: str) -> str:
    text = policy.clean_text(text)
    if len(text) > policy.NOTE_LIMIT:
        raise NoteTooLong(length=len(text), limit=policy.NOTE_LIMIT)
    return text


def _keep_draft(gate_id: int, by: User, text: str, answer: dict[str, Json] | None) -> Draft:
    typed = {"text": text, "answer": answer, "saved_at": Now()}
    draft, _ = Draft.objects.update_or_create(gate_id=gate_id, author=by, defaults=typed)
    return draft


def _audit(gate_id: int, by: User, answer: _Answer, code: str) -> None:
    # After the refused transaction has rolled back: the attempt itself must stay on record.
    gate = Gate.objects.only("id", "run_id", "task_id").get(pk=gate_id)
    _record(EventKind.GATE_REFUSED, gate, by, verdict=answer.verdict, via=answer.via, code=code)


def _record(kind: EventKind, gate: Gate, by: User, **facts: Json) -> None:
    events.append(
        kind, actor=services.actor_of(by), run_id=gate.run_id, task_id=gate.task_id, data={"gate": gate.pk, **facts}
    )


def _name(user: User | None) -> str:
    return (user.get_full_name() or user.username) if user else "somebody"
