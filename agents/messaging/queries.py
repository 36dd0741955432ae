"""What the page and the API read of messages: the list, a thread, dead letters, figures, subscriptions, bridges."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from django.db.models import Avg, Count, F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from agents.messaging.errors import MessageNotFound
from agents.models import BridgeHealth, Delivery, Message, Outbound, Subscription

PAGE: Final = 50
WINDOW: Final = timedelta(minutes=5)
SAMPLE: Final = 2000  # deliveries whose latency makes the 95th percentile
LARGE: Final = 48 * 1024  # bytes: messages that come near to the limit are listed
MOST_COUNTED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody looks for; empty means any."""

    correlation_id: str = ""
    agent: str = ""  # sender or reader
    topic: str = ""
    state: str = ""  # of one of its deliveries
    before: int = 0  # a message's number: the older ones


@dataclass(frozen=True, slots=True)
class Figures:
    """How the bus does: the last five minutes, and what stands now."""

    per_minute: float
    p95_s: float | None  # from sending to the end of reading
    queued: int
    dead: int
    expired: int
    outbound: int
    large: int


def found(search: Search, *, limit: int = PAGE) -> list[Message]:
    """The newest messages that fit, with how many deliveries of each are in which state."""
    rows = Message.objects.order_by("-pk")
    if search.before:
        rows = rows.filter(pk__lt=search.before)
    if search.correlation_id:
        rows = rows.filter(correlation_id=search.correlation_id)
    if search.topic:
        rows = rows.filter(topic=search.topic)
    if search.agent:
        read = Delivery.objects.filter(recipient=search.agent).values("message")
        rows = rows.filter(Q(agent_id=search.agent) | Q(pk__in=read))
    if search.state:
        rows = rows.filter(pk__in=Delivery.objects.filter(state=search.state).values("message"))
    return with_states(list(rows[:limit]))


def with_states(rows: list[Message]) -> list[Message]:
    """Give each message `states`: (state, count) of its deliveries."""
    counts: dict[int, list[tuple[str, int]]] = {}
    deliveries = Delivery.objects.filter(message__in=rows).order_by("state").values_list("message", "state")
    for pk, state, count in deliveries.annotate(count=Count("pk")):
        counts.setdefault(pk, []).append((state, count))
    for row in rows:
        row.states = counts.get(row.pk, [])  # type: ignore[attr-defined]
    return rows


def message_or_none(uid: UUID) -> Message | None:
    """One message."""
    return Message.objects.filter(uid=uid).first()


def get(uid: UUID) -> Message:
    """One message. Raises MessageNotFound."""
    row = message_or_none(uid)
    if row is None:
        raise MessageNotFound(id=uid)
    return row


def thread_of(message: Message, *, limit: int = 200) -> list[Message]:
    """The messages of its thread, in their order."""
    return with_states(list(Message.objects.filter(thread=message.thread).order_by("pk")[:limit]))


def deliveries_of(message: Message) -> QuerySet[Delivery]:
    """Who was to read it, and what became of that."""
    return message.deliveries.order_by("replay", "recipient")


def dead(*, before: int = 0, limit: int = PAGE) -> list[Delivery]:
    """Dead letters, the newest first."""
    rows = Delivery.objects.filter(state=Delivery.State.DEAD).select_related("message").order_by("-pk")
    return list((rows.filter(pk__lt=before) if before else rows)[:limit])


def figures() -> Figures:
    """The figures of the page's head."""
    since = timezone.now() - WINDOW
    sent = Message.objects.filter(sent_at__gte=since).count()
    done = Delivery.objects.filter(state=Delivery.State.DONE, ended_at__gte=since, replay=0).order_by("-ended_at")
    spans = done.annotate(span=F("ended_at") - F("message__sent_at")).values_list("span", flat=True)
    seconds = sorted(span.total_seconds() for span in spans[:SAMPLE])
    return Figures(
        per_minute=sent / (WINDOW.total_seconds() / 60),
        p95_s=seconds[int(len(seconds) * 0.95)] if seconds else None,
        queued=_up_to(Delivery.objects.filter(state=Delivery.State.QUEUED)),
        dead=_up_to(Delivery.objects.filter(state=Delivery.State.DEAD)),
        expired=_up_to(Delivery.objects.filter(state=Delivery.State.EXPIRED, ended_at__gte=since)),
        outbound=_up_to(Outbound.objects.filter(sent_at=None)),
        large=_up_to(Message.objects.filter(sent_at__gte=since, size__gte=LARGE)),
    )


def heavy_types(*, limit: int = 5) -> list[dict[str, Any]]:
    """Who sends the largest messages of the last day: what one would make smaller."""
    recent = Message.objects.filter(sent_at__gte=Now() - timedelta(days=1))
    by_type = recent.values("agent_id", "message_type").annotate(count=Count("pk"), mean=Avg("size"))
    return [dict(row) for row in by_type.filter(mean__gte=LARGE / 4).order_by("-mean")[:limit]]


def subscriptions() -> QuerySet[Subscription]:
    """Who listens to what."""
    return Subscription.objects.select_related("agent").order_by("topic", "agent__name")[:500]


def bridges() -> list[BridgeHealth]:
    """Each bridge as its process last saw it; one that has not been seen for half a minute counts as down."""
    rows = list(BridgeHealth.objects.order_by("rank", "name"))
    for row in rows:
        if row.up and row.seen_at < timezone.now() - timedelta(seconds=30):
            row.up, row.active, row.problem = False, False, "Its process has not been heard of for half a minute."
    return rows


def shown(row: Message) -> str:
    """A payload for people to read."""
    return orjson.dumps(orjson.loads(row.payload), option=orjson.OPT_INDENT_2).decode()


def moment(value: datetime | None) -> str | None:
    """As the API writes it."""
    return value.isoformat() if value else None


def _up_to(rows: QuerySet[Any]) -> int:
    return rows.order_by().values("pk")[:MOST_COUNTED].count()
