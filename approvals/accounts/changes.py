"""Risky changes of access that wait for a second person. The acts that propose and confirm them are in `acts`."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from agents.types import Json
from approvals import duties, permissions
from approvals.errors import ChangeRefused, NotPermitted, UnknownName
from approvals.models import AccessChange
from orchestrator import events
from orchestrator.events import EventKind
from orchestrator.services import actor_of

LIVES: Final = timedelta(days=7)


def propose(
    *, act: str, answers: Mapping[str, Json], lines: Sequence[str], risk: str, reason: str, by: User
) -> AccessChange:
    """Keep what somebody asked for; nothing has changed yet."""
    same = waiting().filter(act=act, answers=dict(answers)).first()
    if same is not None:
        raise ChangeRefused(why=_("the same is waiting already for somebody to confirm it"))
    made = AccessChange.objects.create(
        act=act, answers=dict(answers), lines=list(lines), risk=risk, reason=reason, proposed_by=by,
        expires_at=Now() + LIVES,
    )  # fmt: skip
    _record(EventKind.ACCESS_PROPOSED, made, by, reason)
    return made


def waiting() -> QuerySet[AccessChange]:
    """What waits for a second person, the newest first; what nobody confirmed in a week waits no longer."""
    return AccessChange.objects.filter(outcome="", expires_at__gt=Now()).select_related("proposed_by")


def take(pk: int) -> AccessChange:
    """One that waits, locked. Raises UnknownName."""
    found = waiting().select_for_update(of=("self",)).filter(pk=pk).first()
    if found is None:
        raise UnknownName(what="change", name=pk, known="those that wait on the access page")
    return found


def is_own(change: AccessChange, user: User) -> bool:
    """Whether this person, in any account of theirs, asked for it."""
    return duties.person_of(user) == duties.person_of(change.proposed_by)


def settle(change: AccessChange, *, outcome: str, by: User, note: str) -> None:
    """End it: confirmed or refused by somebody else, or taken back by whoever asked for it."""
    if not permissions.can(by, "manage_access"):
        raise NotPermitted(verb="change access")
    if outcome == "confirmed" and is_own(change, by):
        raise NotPermitted(verb="confirm what you asked for yourself")
    change.outcome, change.settled_by, change.note, change.settled_at = outcome, by, note, Now()
    change.save(update_fields=["outcome", "settled_by", "note", "settled_at"])
    _record(EventKind.ACCESS_CONFIRMED if outcome == "confirmed" else EventKind.ACCESS_REFUSED, change, by, note)


def _record(kind: EventKind, change: AccessChange, by: User, reason: str) -> None:
    facts: dict[str, Json] = {
        "change": change.pk, "act": change.act, "answers": change.answers, "proposed_by": change.proposed_by.username,
        "reason": reason,
    }  # fmt: skip
    if change.outcome:
        facts["outcome"] = change.outcome
    events.append(kind, actor=actor_of(by), data=facts)
