"""What somebody was told, and by which ways. A person sees their own, and a queue's if they may edit queues."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from approvals.models import Channel, Delivery, Notice, Queue
from approvals.notices import composing, services
from approvals.notices.models import DeliveryStatus, QuietHours

PAGE: Final = 50
MOST_COUNTED: Final = 99
RECENT: Final = 5


@dataclass(frozen=True, slots=True)
class Told:
    """One notice as a line: what it is about, what happened, and what the link leads to do."""

    notice: Notice
    title: str
    sentence: str
    action: str

    @property
    def is_open(self) -> bool:
        """Whether there is still something to do or to read."""
        return self.notice.read_at is None and self.notice.withdrawn_at is None


@dataclass(frozen=True, slots=True)
class Way:
    """One channel with how its last messages fared."""

    channel: Channel
    is_broken: bool
    waiting: int
    next_due_at: datetime | None
    recent: tuple[Delivery, ...]


def unread(user: User) -> int:
    """How many notices wait to be read, counted to 99."""
    return _open(user)[: MOST_COUNTED + 1].count()


def newest(user: User, *, limit: int) -> list[Told]:
    """The newest that wait to be read."""
    return [_told(notice) for notice in _open(user).order_by("-id")[:limit]]


def page(user: User, *, everything: bool, before: int = 0) -> tuple[list[Told], int]:
    """A page of notices, the newest first, and the id to go on before (0: there is no more)."""
    found = Notice.objects.filter(recipient=user) if everything else _open(user)
    found = found.filter(pk__lt=before) if before else found
    rows = list(found.order_by("-id")[: PAGE + 1])
    return [_told(notice) for notice in rows[:PAGE]], rows[PAGE - 1].pk if len(rows) > PAGE else 0


def ways(*, owner: User | None = None, queue: Queue | None = None) -> list[Way]:
    """The channels of a person, or of a queue."""
    whose = Q(queue=queue) if queue else Q(owner=owner, queue=None)
    channels = Channel.objects.filter(whose, removed_at=None).select_related("owner", "queue")
    return [_way(channel) for channel in channels]


def hours_of(user: User) -> QuietHours:
    """A person's quiet hours; the usual ones, switched off, for who has set none."""
    return QuietHours.objects.filter(user=user).first() or QuietHours(user=user)


def _open(user: User) -> QuerySet[Notice]:
    return Notice.objects.filter(recipient=user, read_at=None, withdrawn_at=None)


def _told(notice: Notice) -> Told:
    said = composing.sentence(notice)
    title = composing.title(notice)
    return Told(notice, title, "" if said == title else said, composing.next_action(notice))


def _way(channel: Channel) -> Way:
    due = Delivery.objects.filter(channel=channel, status=DeliveryStatus.DUE).order_by("due_at")
    first = due.values_list("due_at", flat=True).first()
    recent = Delivery.objects.filter(channel=channel).exclude(status=DeliveryStatus.DUE).select_related("notice")
    return Way(channel, services.is_broken(channel), due.count(), first, tuple(recent.order_by("-id")[:RECENT]))
