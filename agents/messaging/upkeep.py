"""What the control worker does about messages every second: expire, take back from lost readers, wake, forget."""

from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q
from django.db.models.functions import Now

from agents.messaging import inbox
from agents.messaging.ports import engine
from agents.models import Delivery, Expectation, Message

BATCH: Final = 1000
KEPT: Final = timedelta(days=30)  # after its time is over a message stays so long, to be read and replayed
LOST: Final = "Its reader was lost, or did not say in time what became of it."

_seen: dict[str, int] = {}  # the last message that this process has told of


def tend() -> None:
    """One look. Safe to do twice at once."""
    expire()
    take_back()
    wake()
    tell()


@transaction.atomic
def expire() -> int:
    """Deliver no more what nobody read in time; return how many deliveries, which one event counts."""
    over = Delivery.objects.filter(state=Delivery.State.QUEUED, expires_at__lte=Now())
    rows = list(over.select_for_update(skip_locked=True).order_by("expires_at").values_list("pk", "recipient")[:BATCH])
    if rows:
        ids = [pk for pk, _ in rows]
        Delivery.objects.filter(pk__in=ids).update(state=Delivery.State.EXPIRED, ended_at=Now())
        readers = sorted({name for _, name in rows})[:20]
        engine().tell("message.expired", actor="engine", data={"count": len(rows), "agents": list(readers)})
    return len(rows)


@transaction.atomic
def take_back() -> int:
    """Hand out again what lost readers held; return how many deliveries."""
    lost = Delivery.objects.filter(state=Delivery.State.HELD, held_until__lte=Now())
    rows = list(lost.select_for_update(skip_locked=True).order_by("held_until")[:BATCH])
    for row in rows:
        inbox.fail(row, LOST)
    return len(rows)


@transaction.atomic
def wake() -> int:
    """Wake readers whose message came while they were falling asleep, when neither of the two saw the other."""
    queued = Delivery.objects.filter(
        Q(address="") | Q(address=OuterRef("reader")), state=Delivery.State.QUEUED, recipient=OuterRef("agent")
    )
    from_awaited = Exists(queued.filter(message__agent_id=OuterRef("awaited")))
    fitting = Q(from_awaited) | (Q(awaited="") & Exists(queued))
    sleepers = Expectation.objects.filter(fitting, ended_at=None).values_list("reader", flat=True)[:BATCH]
    keys = sorted(set(sleepers))
    if keys:
        engine().wake(keys)
    return len(keys)


@transaction.atomic
def tell() -> None:
    """One event for all messages since the last look: pages follow the log, and a line for each would be a flood."""
    last = Message.objects.aggregate(last=Max("pk"))["last"] or 0
    before = _seen.setdefault("message", last)
    _seen["message"] = last
    if last > before:
        count = Message.objects.filter(pk__gt=before, pk__lte=last).count()
        engine().tell("message.sent", actor="engine", data={"count": count, "last": last})


def forget_old() -> None:
    """Remove messages whose time has been over for a month, and waits that ended a day ago."""
    while _forget_messages() == BATCH:
        continue
    Expectation.objects.filter(deadline_at__lte=Now() - timedelta(days=1)).delete()


@transaction.atomic
def _forget_messages() -> int:
    dead = Delivery.objects.filter(message=OuterRef("pk"), state__in=(Delivery.State.DEAD, Delivery.State.HELD))
    old = Message.objects.filter(~Exists(dead), expires_at__lte=Now() - KEPT).order_by("expires_at")
    ids = list(old.values_list("pk", flat=True)[:BATCH])
    Message.objects.filter(pk__in=ids).delete()
    return len(ids)
