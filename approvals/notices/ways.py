"""The ways by which notices leave: each on the channels that its readers have chosen, when their hours allow."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User
from django.db.models import F
from django.utils import timezone

from approvals.models import Channel, Delivery, Notice
from approvals.notices import quiet
from approvals.notices.models import QuietHours

BROKEN_AFTER: Final = 5  # messages in a row that did not arrive
RISKS: Final = ("low", "medium", "high", "critical")


def deliveries(told: Sequence[Notice]) -> list[Delivery]:
    """These notices on the ways that their readers have chosen; unsaved."""
    people = {notice.recipient_id for notice in told if notice.recipient_id}
    queues = {notice.queue_id for notice in told if notice.queue_id}
    working = Channel.objects.filter(removed_at=None, failures__lt=BROKEN_AFTER).select_related("owner__profile")
    by_owner: dict[int | None, list[Channel]] = defaultdict(list)
    for channel in working.filter(owner__in=people, owner__is_active=True):
        by_owner[channel.owner_id].append(channel)
    by_queue: dict[int | None, list[Channel]] = defaultdict(list)
    for channel in working.filter(queue__in=queues):
        by_queue[channel.queue_id].append(channel)
    hours = hours_of(people)
    now = timezone.now()
    return [
        Delivery(notice=notice, channel=channel, due_at=_due(now, notice, channel, hours))
        for notice in told
        for channel in (by_owner[notice.recipient_id] if notice.recipient_id else by_queue[notice.queue_id])
        if RISKS.index(notice.risk) >= RISKS.index(channel.least_risk)
    ]


def hours_of(people: Iterable[int | None]) -> dict[int | None, quiet.Hours]:
    """The quiet hours of these people, by their own clocks; who has set none is always awake."""
    ids = [pk for pk in people if pk]
    zones = dict(User.objects.filter(pk__in=ids).values_list("pk", F("profile__time_zone")))
    found: dict[int | None, quiet.Hours] = {pk: quiet.Hours(zone or "UTC") for pk, zone in zones.items()}
    for row in QuietHours.objects.filter(user__in=ids):
        found[row.user_id] = quiet.Hours(
            found[row.user_id].zone, row.starts, row.ends, row.weekends, row.critical_passes, row.is_on, row.digest_at
        )
    return found


def _due(now: datetime, notice: Notice, channel: Channel, hours: dict[int | None, quiet.Hours]) -> datetime:
    mine = hours.get(notice.recipient_id) or quiet.Hours("UTC")
    return quiet.due_at(now, pace=channel.pace, risk=notice.risk, hours=mine)
