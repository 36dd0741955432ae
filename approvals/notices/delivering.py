"""Takes due deliveries to their channels. Nothing is held while a network is waited for.

1. Take one channel's due deliveries: put off by a lease, so that a crash repeats them and a second process does not.
2. Send them as one message.
3. Note how it went. What did not arrive is tried again, later each time; a channel that takes nothing is switched off
   and its owner is told on the page.
"""

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from django.conf import settings
from django.db import connections, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone, translation
from django.utils.translation import gettext

from approvals import db, permissions
from approvals.models import Channel, Delivery, Notice
from approvals.notices import composing, places, push
from approvals.notices.models import ChannelKind, DeliveryStatus, NoticeKind
from approvals.notices.ways import BROKEN_AFTER, RISKS

LEASE: Final = timedelta(seconds=60)
SPACING: Final = timedelta(seconds=60)  # between two messages of one channel; what comes meanwhile goes together
IN_ONE: Final = 50
TRIES: Final = 6
FIRST_RETRY_S: Final = 30.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Parcel:
    """What one message carries."""

    channel: Channel
    deliveries: tuple[Delivery, ...]

    @property
    def notices(self) -> list[Notice]:
        """The gravest first."""
        return sorted((one.notice for one in self.deliveries), key=lambda told: (-RISKS.index(told.risk), told.pos))


def deliver(*, most: int = 1_000) -> int:
    """Send what is due; return how many messages left or were tried."""
    tried = 0
    while tried < most and (parcel := _take()) is not None:
        if parcel.deliveries:
            _note(parcel, _send(parcel))
            tried += 1
    return tried


def in_background() -> None:
    """Send what is due from a thread: a mail server that hangs must not hold up the upkeep of runs."""
    if any(thread.name == _THREAD for thread in threading.enumerate()):
        return
    threading.Thread(target=_deliver_and_close, name=_THREAD, daemon=True).start()


def is_due() -> bool:
    """Whether there is something to send."""
    return _due_channels().exists()


def why(channel: Channel) -> str:
    """Why this reaches them, for the foot of a message."""
    if channel.queue is not None:
        return gettext("This channel belongs to the queue %(title)s.") % {"title": channel.queue.title}
    return gettext("You are told because it is yours to decide or to know.")


_THREAD: Final = "notices"


def _deliver_and_close() -> None:
    try:
        deliver()
    except Exception:
        log.exception("notices.delivery_failed")
    finally:
        connections.close_all()


def _due_channels() -> QuerySet[Channel]:
    due = Delivery.objects.filter(channel=OuterRef("pk"), status=DeliveryStatus.DUE, due_at__lte=Now())
    working = Channel.objects.filter(removed_at=None, failures__lt=BROKEN_AFTER)
    return working.filter(
        Exists(due) & Q(next_at__lte=Now()) | Exists(due.filter(notice__risk="critical")),
        Q(owner=None) | Q(owner__is_active=True),
    )


@transaction.atomic
def _take() -> Parcel | None:
    free = _due_channels().select_for_update(skip_locked=True, of=("self",))
    channel = free.select_related("owner__profile", "queue").first()
    if channel is None:
        return None
    found = Delivery.objects.filter(channel=channel, status=DeliveryStatus.DUE, due_at__lte=Now())
    chosen = found.select_related("notice__gate__run", "notice__recipient").order_by("id")[:IN_ONE]
    taken = tuple(delivery for delivery in chosen if _still_theirs(delivery))
    lease = timezone.now() + LEASE
    for delivery in taken:
        delivery.attempts += 1
        delivery.due_at = lease
    Delivery.objects.bulk_update(taken, ["attempts", "due_at"])
    Channel.objects.filter(pk=channel.pk).update(next_at=Now() + SPACING)
    return Parcel(channel, taken)


def _still_theirs(delivery: Delivery) -> bool:
    """Whether its reader may still know of it: rights may have gone while a digest or a night was waited for."""
    gate, reader = delivery.notice.gate, delivery.notice.recipient
    if gate is None or reader is None or delivery.notice.kind == NoticeKind.DECIDED:
        return True
    if permissions.can(reader, "see_gate", gate):
        return True
    Delivery.objects.filter(pk=delivery.pk).update(status=DeliveryStatus.WITHDRAWN)
    return False


def _send(parcel: Parcel) -> str:
    """Send one message; return what was wrong, or nothing."""
    channel = parcel.channel
    zone = channel.owner.profile.time_zone if channel.owner and hasattr(channel.owner, "profile") else "UTC"
    with timezone.override(zone), translation.override(language_of(channel)):
        text = composing.message(parcel.notices, says_titles=channel.says_titles, why=why(channel))
    try:
        send(channel, text, reference=f"notice-{parcel.deliveries[0].pk}")
    except push.SubscriptionGone:
        _forget(channel)
        return ""
    except places.SendFailed as failure:
        return str(failure)
    except Exception:
        log.exception("notices.channel_failed", channel=channel.pk)
        return gettext("It could not be sent; the log of the server says why.")
    return ""


def language_of(channel: Channel) -> str:
    """What its reader chose last; a queue's own channels, and people who never chose, have the installation's."""
    profile = getattr(channel.owner, "profile", None)
    return (profile.language if profile else "") or settings.NOTICE_LANGUAGE


def _forget(channel: Channel) -> None:
    """A browser that has given its address up is no way any more; what waited for it is withdrawn."""
    Channel.objects.filter(pk=channel.pk).update(removed_at=Now(), sealed_address="")
    Delivery.objects.filter(channel=channel, status=DeliveryStatus.DUE).update(status=DeliveryStatus.WITHDRAWN)


def send(channel: Channel, text: composing.Text, *, reference: str) -> None:
    """Send one text through one channel. Raises SendFailed."""
    from approvals.notices.services import address_of  # noqa: PLC0415 - services sends test messages through this

    address = address_of(channel)
    if channel.kind == ChannelKind.EMAIL:
        if not address:
            raise places.SendFailed(gettext("The account has no e-mail address; an administrator can set it."))
        places.send_email(address, text, reference=reference)
    elif channel.kind == ChannelKind.PUSH:
        push.send(address, text)
    else:
        places.send_service(address, text)


@transaction.atomic
def _note(parcel: Parcel, problem: str) -> None:
    channel = Channel.objects.select_for_update().get(pk=parcel.channel.pk)
    if channel.removed_at is not None:  # meanwhile
        return
    if not problem:
        Delivery.objects.filter(pk__in=[one.pk for one in parcel.deliveries]).update(
            status=DeliveryStatus.SENT, sent_at=Now(), problem=""
        )
        Channel.objects.filter(pk=channel.pk).update(failures=0, problem="", last_sent_at=Now())
        return
    _put_off(parcel.deliveries, problem)
    failures = channel.failures + 1
    Channel.objects.filter(pk=channel.pk).update(failures=failures, problem=problem[:300])
    if failures == BROKEN_AFTER and channel.owner_id is not None:
        _tell_owner(channel, parcel.deliveries[0], problem)


def _put_off(deliveries: Sequence[Delivery], problem: str) -> None:
    for one in deliveries:
        wait = FIRST_RETRY_S * 2 ** (one.attempts - 1) * random.uniform(0.5, 1.0)
        over = one.attempts >= TRIES
        # Only what is still due: what was withdrawn while it was on its way stays withdrawn.
        Delivery.objects.filter(pk=one.pk, status=DeliveryStatus.DUE).update(
            status=DeliveryStatus.FAILED if over else DeliveryStatus.DUE,
            due_at=timezone.now() + timedelta(seconds=wait),
            problem=problem[:300],
        )


def _tell_owner(channel: Channel, last: Delivery, problem: str) -> None:
    assert channel.owner_id is not None
    Notice.objects.create(
        recipient_id=channel.owner_id, pos=-last.pk, kind=NoticeKind.CHANNEL_BROKEN, risk="medium", title="",
        facts={"name": channel.name, "problem": problem[:300]}, path=composing.SETTINGS,
    )  # fmt: skip
    db.nudge_notices([channel.owner_id])
