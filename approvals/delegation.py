"""Out of office: for some days somebody else stands in. It moves work, never rights: who stands in must hold them.

What waits for a person by name goes to whoever stands in, through several people if those are away too, never in a
circle. Each delegation is an event when it is made and when it is ended before its time.
"""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext

from agents.types import Json
from approvals import db, permissions
from approvals.errors import DelegationRefused, NotPermitted, UnknownName
from approvals.models import Delegation, Profile
from orchestrator import events, services
from orchestrator.events import EventKind

LONGEST: Final = timedelta(days=366)


@transaction.atomic
def make(
    *, delegator: User, delegate: User, starts: datetime, ends: datetime, by: User, reason: str = ""
) -> Delegation:
    """Let somebody stand in for a time; DelegationRefused says what is in the way. `by` is oneself or a coordinator."""
    _authorise(delegator, by)
    db.lock_delegations()
    _check_times(starts, ends)
    _check_people(delegator, delegate)
    overlapping = Delegation.objects.filter(_live(), starts_at__lt=ends, ends_at__gt=starts)
    if overlapping.filter(delegator=delegator).exists():
        raise DelegationRefused(why=gettext("somebody else stands in for part of that time already; end that first"))
    if _closes_circle(overlapping, delegator.pk, delegate.pk):
        raise DelegationRefused(
            why=gettext("%(name)s is away then too, and it would come back to %(absent)s")
            % {"name": _name(delegate), "absent": _name(delegator)}
        )
    made = Delegation.objects.create(
        delegator=delegator, delegate=delegate, starts_at=starts, ends_at=ends, made_by=by, reason=reason[:500]
    )
    _record(EventKind.DELEGATION_MADE, made, by)
    return made


@transaction.atomic
def end(*, delegation_id: int, by: User) -> Delegation:
    """End one before its time; one that has ended stays as it is."""
    found = Delegation.objects.select_for_update().filter(pk=delegation_id).first()
    if found is None or (found.delegator_id != by.pk and not permissions.can(by, "edit_queues")):
        raise UnknownName(what="delegation", name=delegation_id, known="those on your page")
    if found.ended_at is None:
        found.ended_at = Now()
        found.save(update_fields=["ended_at"])
        _record(EventKind.DELEGATION_ENDED, found, by)
    return found


def days(first: date, last: date, user: User) -> tuple[datetime, datetime]:
    """From the beginning of one day to the end of another, in the person's own time zone."""
    name = Profile.objects.filter(user=user).values_list("time_zone", flat=True).first() or "UTC"
    zone = ZoneInfo(name)
    return datetime.combine(first, time(), zone), datetime.combine(last + timedelta(days=1), time(), zone)


def away_now() -> dict[int, int]:
    """Who is away at this moment, and who stands in for them: user ids."""
    now = Delegation.objects.filter(_live(), starts_at__lte=Now(), ends_at__gt=Now())
    return dict(now.values_list("delegator_id", "delegate_id"))


def stands_in(user: int, away: Mapping[int, int]) -> int | None:
    """Who is there in the end for this person: they themselves, or who stands in; None if nobody is."""
    been = {user}
    while user in away:
        user = away[user]
        if user in been:
            return None
        been.add(user)
    return user


def of(user: User) -> QuerySet[Delegation]:
    """What this person has handed to others, or was handed, and what is still to come."""
    mine = Delegation.objects.filter(Q(delegator=user) | Q(delegate=user), ends_at__gt=Now() - timedelta(days=30))
    return mine.select_related("delegator", "delegate", "made_by").order_by("-starts_at")


def _live() -> Q:
    return Q(ended_at=None)


def _authorise(delegator: User, by: User) -> None:
    if by.pk != delegator.pk and not permissions.can(by, "edit_queues"):
        raise NotPermitted(verb="let others stand in for somebody else")
    if permissions.token_of(by) is not None and not permissions.can_somewhere(by, "decide_gate"):
        raise NotPermitted(verb="hand work on with this token")


def _check_times(starts: datetime, ends: datetime) -> None:
    if ends <= starts or ends <= timezone.now():
        raise DelegationRefused(why=gettext("it must end after it starts, and not before now"))
    if ends - starts > LONGEST:
        raise DelegationRefused(why=gettext("it may last a year at most"))


def _check_people(delegator: User, delegate: User) -> None:
    if delegate.pk == delegator.pk:
        raise DelegationRefused(why=gettext("nobody stands in for themselves"))
    if not delegate.is_active:
        raise DelegationRefused(why=gettext("%(value)s cannot sign in") % {"value": _name(delegate)})
    held = set(permissions.decidable_queues(delegate).values_list("pk", flat=True))
    missing = [queue.title for queue in permissions.decidable_queues(delegator) if queue.pk not in held]
    if missing:
        queues = ", ".join(missing[:5])
        raise DelegationRefused(
            why=gettext("%(value)s may not decide in %(queues)s; choose somebody who may")
            % {"value": _name(delegate), "queues": queues}
        )


def _closes_circle(others: QuerySet[Delegation], start: int, towards: int) -> bool:
    steps: dict[int, set[int]] = {}
    for delegator, delegate in others.values_list("delegator_id", "delegate_id"):
        steps.setdefault(delegator, set()).add(delegate)
    ahead, been = [towards], set[int]()
    while ahead:
        at = ahead.pop()
        if at == start:
            return True
        if at not in been:
            been.add(at)
            ahead += steps.get(at, ())
    return False


def _record(kind: EventKind, made: Delegation, by: User) -> None:
    facts: dict[str, Json] = {
        "delegation": made.pk, "delegator": made.delegator.username, "delegate": made.delegate.username,
        "starts": made.starts_at.isoformat(), "ends": made.ends_at.isoformat(), "reason": made.reason,
    }  # fmt: skip
    events.append(kind, actor=services.actor_of(by), data=facts)


def _name(user: User) -> str:
    return user.get_full_name() or user.username
