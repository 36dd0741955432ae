"""Putting a card aside for a while: for one person, who sees it again by itself, in time before its deadline."""

from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from approvals import permissions, voting
from approvals.errors import GateAlreadySettled, GateNotFound, NotPermitted, SnoozeRefused
from approvals.models import Gate, GateStatus, Snooze

LONGEST: Final = timedelta(days=7)
_MARGIN_S: Final = 900.0  # left before the deadline at least, or a tenth of it if that is less


@transaction.atomic
def snooze(*, gate_id: int, by: User, until: datetime, on_news: bool = False) -> Snooze:
    """Put a gate aside until then, or until something happens to it; never so long that its deadline could be missed.

    Nobody else's list changes, and nothing about the gate does. SnoozeRefused when its deadline is too near.
    """
    gate = Gate.objects.select_related("run").filter(pk=gate_id).first()
    if gate is None or not permissions.can(by, "see_gate", gate):
        raise GateNotFound(gate_id=gate_id)
    if not permissions.can(by, "decide_gate", gate):
        raise NotPermitted(verb="put cards aside")
    if gate.status != GateStatus.OPEN:
        raise GateAlreadySettled(gate_id=gate_id, by="somebody", at=gate.settled_at, verdict=gate.status)
    now, last = timezone.now(), latest(gate)
    if last <= now:
        raise SnoozeRefused(deadline=gate.deadline_at)
    row, _made = Snooze.objects.update_or_create(
        gate=gate, user=by, defaults={"until": min(until, last, now + LONGEST), "on_news": on_news, "made_at": Now()}
    )
    return row


def wake(*, gate_id: int, by: User) -> None:
    """Take a card up again that one has put aside."""
    Snooze.objects.filter(gate_id=gate_id, user=by).delete()


def news(gate_id: int) -> None:
    """Something happened to a gate: who wanted to know sees it again."""
    Snooze.objects.filter(gate_id=gate_id, on_news=True).delete()


def latest(gate: Gate) -> datetime:
    """Until when it may be put aside: its first reminder, and some time before its deadline at least."""
    margin = max((min(_MARGIN_S, gate.deadline_s / 10), *voting.terms_of(gate).remind_s))
    return gate.deadline_at - timedelta(seconds=margin)


def asleep(user: User) -> dict[int, datetime]:
    """The open gates that this person has put aside, and when each comes back."""
    waiting = Snooze.objects.filter(user=user, until__gt=Now(), gate__status=GateStatus.OPEN)
    return dict(waiting.values_list("gate_id", "until"))
