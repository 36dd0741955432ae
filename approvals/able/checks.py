"""Checks before their reviewer: finding them where gates are shown, and taking the verdict. They release nothing.

A check has the number that a gate could have, and no gate has it: whatever looks for a gate to settle finds none, and
only then this module is asked. Nothing here knows how to reach a run.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from agents.types import Json
from approvals import answers, db, permissions, policy
from approvals.able import disguise
from approvals.able.models import Truth
from approvals.errors import GateAlreadySettled, GateChanged, NoteMissing, VerdictNotAllowed
from approvals.models import Check, Gate, Handling, Notice
from orchestrator.errors import IdempotencyConflict

ACCEPTS: Final = frozenset({"approve"})  # as it stands; an edit says that something was wrong with it
_WORST: Final = max(policy.HARM.values())


def category(verdict: str) -> str:
    """What a verdict says of the work: accept, changes, refuse."""
    if verdict in ACCEPTS:
        return "accept"
    return "changes" if verdict in {"edit", "request_changes"} else "refuse"


def find(item: int, user: User | AnonymousUser) -> Check | None:
    """The check with this number, if it is before this very person; withdrawn ones are gone."""
    found = Check.objects.select_related(*disguise.WITH).filter(pk=item, reviewer_id=user.pk or 0).first()
    if found is None or (found.ended_at is not None and not found.verdict):
        return None
    return found


def shown(item: int, user: User | AnonymousUser) -> Gate | None:
    """What passes for the gate with this number before this person."""
    check = find(item, user)
    return disguise.disguised(check) if check else None


def open_before(user: User | AnonymousUser) -> list[Gate]:
    """Every check that waits for this person now."""
    if not isinstance(user, User):
        return []
    waiting = list(Check.objects.filter(reviewer=user, ended_at=None).order_by("pk").values_list("pk", flat=True))
    if not waiting:  # as on almost every page
        return []
    return [
        disguise.disguised(check)
        for check in Check.objects.select_related(*disguise.WITH).filter(pk__in=waiting).order_by("pk")
    ]


def titled(user: User, words: str, *, most: int) -> list[Gate]:
    """The newest checks of this person whose title holds the words; decided ones, too, as with gates."""
    mine = Check.objects.filter(reviewer=user, case__gate__title__icontains=words)
    seen = mine.filter(Q(ended_at=None) | ~Q(verdict=""))
    return [disguise.disguised(check) for check in seen.select_related(*disguise.WITH).order_by("-pk")[:most]]


def matching(gates: Sequence[Gate], *, queue: int | None, search: str) -> list[Gate]:
    """Those that a list narrowed like this would show: every word of the search begins a word of title or payload."""
    found = [gate for gate in gates if queue is None or gate.queue_id == queue]
    words = search.casefold().split()
    if not words:
        return found
    return [gate for gate in found if search.strip() == str(gate.pk) or _holds(gate, words)]


def urgency(risk: str, deadline_at: datetime, now: datetime) -> float:
    """The order of the inbox, as `queries` has the database work it out."""
    left = max((deadline_at - now).total_seconds(), 60.0)
    return float(policy.HARM.get(risk, _WORST)) / left


def verdict_of(item: int, by: User, given: answers.Answer) -> Check | None:
    """The verdict on what passes for a gate; None where this person has no such check. Reaches no run."""
    if not by.is_active or not permissions.can_somewhere(by, "decide_gate"):
        return None
    return answer(
        item=item, by=by, verdict=given.verdict, gate_version=given.gate_version, note=given.note, edited=given.edited,
        key=given.key, checked=given.checked,
    )  # fmt: skip


@transaction.atomic
def answer(  # noqa: PLR0913 - the facts of a verdict, as `services.decide` takes them
    *,
    item: int,
    by: User,
    verdict: str,
    gate_version: int,
    note: str,
    edited: dict[str, Json] | None,
    key: str | None,
    checked: tuple[str, ...],
) -> Check | None:
    """Take a verdict on a check and say whether it was right; None where this person has no such check.

    It is refused for whatever a gate's verdict is refused for.
    """
    check = Check.objects.select_for_update().filter(pk=item, reviewer=by).first()
    if check is None:
        return None
    gate = disguise.disguised(Check.objects.select_related(*disguise.WITH).get(pk=item))
    if check.ended_at is not None:
        return _earlier(check, gate, (verdict, note), edited, key)
    if gate_version != gate.version:
        raise GateChanged(gate_id=item, what=f"you saw version {gate_version}, now it is {gate.version}")
    if verdict not in gate.allowed or verdict not in policy.OUTCOME or verdict == "expire":
        raise VerdictNotAllowed(gate_id=item, verdict=verdict, allowed=", ".join(gate.allowed))
    if not note and policy.needs_note(verdict, gate.risk):
        raise NoteMissing(verdict=verdict, risk=gate.risk)
    answers.check(gate, verdict, edited)
    answers.check_ticks(gate, verdict, checked)
    says = category(verdict)
    check.verdict, check.note, check.edited, check.idempotency_key = verdict, note, edited, key
    check.is_right = (says == "accept") == (gate.__dict__["_check"].case.truth == Truth.ACCEPT)
    check.is_void = Handling.objects.filter(item=item, reviewer=by, saw_run=True).exists()
    check.ended_at = timezone.now()
    check.save()
    _take_back_notice(item)
    return find(item, by)


@transaction.atomic
def withdraw(item: int, by: User) -> bool:
    """End a check with which somebody does more than decide it, as if its run had gone on; whether there was one."""
    ended = Check.objects.filter(pk=item, reviewer=by, ended_at=None).update(ended_at=Now(), is_void=True)
    if ended:
        _take_back_notice(item)
    return bool(ended)


def claim(check: Check) -> None:
    """As a gate is taken for a few minutes."""
    check.claimed_until = timezone.now() + timedelta(minutes=policy.CLAIM_MINUTES)
    check.save(update_fields=["claimed_until"])


def give_back(check: Check) -> None:
    """As a claim is given back."""
    check.claimed_until = None
    check.save(update_fields=["claimed_until"])


def remark(check: Check, text: str) -> int:
    """Keep a comment with the check; its number is one that a comment could have."""
    pk = db.next_number("approvals_comment")
    check.remarks = [*check.remarks, {"id": pk, "text": text, "at": timezone.now().isoformat()}][-200:]
    check.save(update_fields=["remarks"])
    return pk


def keep_draft(check: Check, text: str, edited: dict[str, Json] | None) -> None:
    """As a draft is kept."""
    check.draft = {"text": text, "answer": edited}
    check.save(update_fields=["draft"])


def _earlier(
    check: Check, gate: Gate, sent: tuple[str, str], edited: dict[str, Json] | None, key: str | None
) -> Check | None:
    if key and key == check.idempotency_key:
        if sent != (check.verdict, check.note) or not policy.same(edited, check.edited):
            raise IdempotencyConflict(key=key)
        return find(check.pk, check.reviewer)
    by = check.reviewer.get_full_name() or check.reviewer.username
    raise GateAlreadySettled(
        gate_id=check.pk, by=by if check.verdict else "the engine", at=check.ended_at,
        verdict=check.verdict or "withdrawn",
    )  # fmt: skip


def _holds(gate: Gate, words: Sequence[str]) -> bool:
    text = policy.canonical(gate.subject).decode().casefold()
    return all(word in text for word in words)


def _take_back_notice(item: int) -> None:
    Notice.objects.filter(path=f"/inbox/{item}/", gate=None, withdrawn_at=None).update(withdrawn_at=Now())
