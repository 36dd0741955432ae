"""What people do about being told: read, choose channels, set quiet hours. Each change of a channel is an event."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import time, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext

from agents.guardrails import keyring
from agents.types import Json
from approvals import db, permissions
from approvals.errors import BadHours, ChannelNotFound, ChannelRefused, NotPermitted, TooManyChannels
from approvals.models import Channel, Delivery, Notice, Queue
from approvals.notices import composing, delivering, places, push
from approvals.notices.models import ChannelKind, DeliveryStatus, Pace, QuietHours
from approvals.notices.ways import BROKEN_AFTER, RISKS
from orchestrator import events, services
from orchestrator.events import EventKind

MOST_CHANNELS: Final = 20
KEPT: Final = timedelta(days=90)
_BATCH: Final = 5_000


def mark_read(*, by: User, ids: Sequence[int] | None = None) -> int:
    """These of the person's own notices, or all of them, are read; return how many were not before."""
    unread = Notice.objects.filter(recipient=by, read_at=None)
    count = (unread if ids is None else unread.filter(pk__in=ids)).update(read_at=Now())
    if count:
        db.nudge_notices([by.pk])
    return count


def mark_gate_read(*, by: User, gate_id: int) -> int:
    """Whoever has a gate's card open has read what told them of it."""
    count = Notice.objects.filter(Q(gate_id=gate_id) | Q(path=f"/inbox/{gate_id}/"), recipient=by, read_at=None).update(
        read_at=Now()
    )
    if count:
        db.nudge_notices([by.pk])
    return count


@transaction.atomic
def add_channel(  # noqa: PLR0913 - each argument is a field of the form
    *,
    by: User,
    kind: str,
    address: str = "",
    queue: Queue | None = None,
    least_risk: str = "low",
    pace: str = Pace.AT_ONCE.value,
    says_titles: bool = True,
) -> Channel:
    """Open a way to a person, or to the people of a queue (which needs the right to edit queues).

    A person's mails go to the address of their account and nowhere else.
    Raises ChannelRefused, TooManyChannels, NotPermitted.
    """
    _authorise(by, queue)
    _check_choice(least_risk, pace)
    address = address.strip()
    name = _checked(by, kind, address, queue)
    mine = Channel.objects.filter(removed_at=None, **_whose(by, queue))
    if kind == ChannelKind.EMAIL and queue is None and mine.filter(kind=kind).exists():
        raise ChannelRefused(problem=gettext("your e-mail address is among your channels already"))
    if kind == ChannelKind.PUSH:  # the same browser again takes the place of what it was
        _remove(_of_browser(mine, push.read(address).endpoint))
    if mine.count() >= MOST_CHANNELS:
        raise TooManyChannels(limit=MOST_CHANNELS)
    channel = Channel.objects.create(
        kind=kind, name=name, sealed_address=_sealed(address), least_risk=least_risk, pace=pace,
        says_titles=says_titles, **_whose(by, queue),
    )  # fmt: skip
    _record(EventKind.NOTICE_CHANNEL_ADDED, channel, by)
    return channel


@transaction.atomic
def change_channel(*, by: User, channel_id: int, least_risk: str, pace: str, says_titles: bool) -> Channel:
    """Say when and how much a channel tells. Switches one on again that was off after failures."""
    channel = _mine(by, channel_id)
    _check_choice(least_risk, pace)
    channel.least_risk, channel.pace, channel.says_titles = least_risk, pace, says_titles
    channel.failures, channel.problem = 0, ""
    channel.save(update_fields=["least_risk", "pace", "says_titles", "failures", "problem"])
    _record(EventKind.NOTICE_CHANNEL_CHANGED, channel, by)
    return channel


@transaction.atomic
def remove_channel(*, by: User, channel_id: int) -> None:
    """Close a way; what was still to leave by it is withdrawn, and its secret is forgotten."""
    channel = _mine(by, channel_id)
    _remove([channel])
    _record(EventKind.NOTICE_CHANNEL_REMOVED, channel, by)


@transaction.atomic
def forget_browser(*, by: User, endpoint: str) -> int:
    """A browser is told nothing any more, by its own word; how many ways that were."""
    found = _of_browser(Channel.objects.filter(removed_at=None, owner=by), endpoint)
    _remove(found)
    for channel in found:
        _record(EventKind.NOTICE_CHANNEL_REMOVED, channel, by)
    return len(found)


def _of_browser(channels: QuerySet[Channel], endpoint: str) -> list[Channel]:
    browsers = channels.filter(kind=ChannelKind.PUSH).select_related("queue")
    return [channel for channel in browsers if push.read(address_of(channel)).endpoint == endpoint]


def _remove(channels: Sequence[Channel]) -> None:
    ids = [channel.pk for channel in channels]
    Channel.objects.filter(pk__in=ids).update(removed_at=Now(), sealed_address="")
    Delivery.objects.filter(channel__in=ids, status=DeliveryStatus.DUE).update(status=DeliveryStatus.WITHDRAWN)


def test_channel(*, by: User, channel_id: int) -> str:
    """Send a word through a channel now; return what was wrong, or nothing. Switches it on again if it arrived."""
    channel = _mine(by, channel_id, lock=False)
    where = composing.address(composing.SETTINGS)
    text = composing.Text(
        gettext("Watchkeeper reaches you here"),
        gettext("You asked for this trial message.\n\n%(where)s") % {"where": where},
    )
    try:
        delivering.send(channel, text, reference=f"trial-{secrets.token_hex(8)}")
    except push.SubscriptionGone as gone:
        _remove([channel])
        return str(gone)
    except places.SendFailed as failure:
        Channel.objects.filter(pk=channel.pk).update(problem=str(failure)[:300])
        return str(failure)
    Channel.objects.filter(pk=channel.pk).update(failures=0, problem="", last_sent_at=Now())
    return ""


def set_quiet_hours(*, by: User, chosen: Mapping[str, time | bool | None]) -> QuietHours:
    """Say when one's own channels keep still; `chosen` are fields of QuietHours, all of them. Raises BadHours."""
    if None in chosen.values():
        raise BadHours(problem=gettext("times in hours and minutes, like 22:00; nothing was changed"))
    if chosen["is_on"] and chosen["starts"] == chosen["ends"]:
        raise BadHours(problem=gettext("a beginning and an end that differ; nothing was changed"))
    return QuietHours.objects.update_or_create(user=by, defaults=dict(chosen))[0]


def address_of(channel: Channel) -> str:
    """Where a channel leads: a secret, for sending only."""
    if channel.kind == ChannelKind.EMAIL and channel.owner is not None:
        return channel.owner.email
    return keyring.decrypt(channel.sealed_address.encode()).decode() if channel.sealed_address else ""


def forget_old() -> int:
    """Delete notices that are older than they are kept; return how many. One batch: call again until it is 0."""
    old = Notice.objects.filter(created_at__lt=timezone.now() - KEPT).order_by("created_at")[:_BATCH]
    return Notice.objects.filter(pk__in=list(old.values_list("pk", flat=True))).delete()[1].get("approvals.Notice", 0)


def _checked(by: User, kind: str, address: str, queue: Queue | None) -> str:
    """What people see of the address, once it is one that we send to."""
    if kind == ChannelKind.SERVICE:
        return places.check_service(address)
    if kind == ChannelKind.PUSH:
        if queue is not None:
            raise ChannelRefused(problem="a browser belongs to a person, not to a queue")
        return push.read(address).label or gettext("A browser")
    if kind != ChannelKind.EMAIL:
        raise ChannelRefused(problem=gettext("it is neither e-mail nor a service nor a browser"))
    if queue is None:
        if not by.email:
            raise ChannelRefused(problem=gettext("your account has no e-mail address; an administrator can set it"))
        places.check_email(by.email)
        return by.email[:100]
    places.check_email(address)
    return address[:100]


def _authorise(by: User, queue: Queue | None) -> None:
    if queue is not None and not permissions.can(by, "edit_queues"):
        raise NotPermitted(verb="change what a queue's people are told")


def _mine(by: User, channel_id: int, *, lock: bool = True) -> Channel:
    found = Channel.objects.select_related("owner", "queue").filter(pk=channel_id, removed_at=None)
    channel = (found.select_for_update(of=("self",)) if lock else found).first()
    of_queue = channel is not None and channel.queue_id is not None and permissions.can(by, "edit_queues")
    if channel is None or not (channel.owner_id == by.pk or of_queue):
        raise ChannelNotFound
    return channel


def _check_choice(least_risk: str, pace: str) -> None:
    if least_risk not in RISKS:
        raise ChannelRefused(problem=gettext("the least risk is one of %(value)s") % {"value": ", ".join(RISKS)})
    if pace not in Pace.values:
        raise ChannelRefused(problem=gettext("the pace is one of %(value)s") % {"value": ", ".join(Pace.values)})


def _whose(by: User, queue: Queue | None) -> dict[str, User | Queue]:
    return {"queue": queue} if queue is not None else {"owner": by}


def _sealed(address: str) -> str:
    return keyring.current().encrypt(address.encode()).decode() if address else ""


def is_broken(channel: Channel) -> bool:
    """Whether nothing is sent there until somebody has looked at it."""
    return channel.failures >= BROKEN_AFTER


def _record(kind: EventKind, channel: Channel, by: User) -> None:
    facts: dict[str, Json] = {"channel": channel.pk, "name": channel.name, "kind": channel.kind}
    facts |= {"queue": channel.queue.name} if channel.queue else {}
    events.append(kind, actor=services.actor_of(by), data=facts)
