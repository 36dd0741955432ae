"""The database's side of bridges: what has still to go out, what came in, how each bridge is. All synchronous."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from agents.cleaning import Limits, clean_text
from agents.errors import OutputRejected
from agents.messaging import cloud, codecs, db
from agents.messaging.bridges.base import Parcel, Place
from agents.messaging.envelope import LARGEST, Envelope, read
from agents.messaging.errors import MessageRefused, MessagingError
from agents.messaging.ports import engine
from agents.messaging.routing import BROADCAST
from agents.messaging.sending import send
from agents.messaging.storing import envelope_of
from agents.models import BridgeHealth, Message, Outbound

log = structlog.get_logger(__name__)
BATCH: Final = 50
HELD: Final = timedelta(seconds=10)  # so long a relay that is lost keeps others from its bridge
NEW: Final = "It has not been connected yet."
CLAIMED: Final = timedelta(seconds=30)  # until another relay tries what this one has begun to publish
_WAYS: Final = ("to", "topic", "specialism", "broadcast")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message on its way out: a parcel for each of its channels."""

    row: int
    parcels: tuple[Parcel, ...]


@transaction.atomic
def due() -> list[Outgoing]:
    """What is to go out now, the oldest first; other relays leave it alone for half a minute."""
    rows = list(
        Outbound.objects.filter(sent_at=None, due_at__lte=Now())
        .select_for_update(skip_locked=True, of=("self",))
        .select_related("message")
        .order_by("pk")[:BATCH]
    )
    Outbound.objects.filter(pk__in=[row.pk for row in rows]).update(due_at=Now() + CLAIMED, tries=F("tries") + 1)
    return [Outgoing(row.pk, tuple(_parcel(row.message, channel) for channel in row.channels)) for row in rows]


def _parcel(message: Message, channel: str) -> Parcel:
    headers, body = cloud.structured(envelope_of(message))
    return Parcel(channel, body, {**headers, "ce-id": str(message.uid)}, key=message.thread)


@transaction.atomic
def gone(row: int, place: Place) -> None:
    """A broker has it."""
    Outbound.objects.filter(pk=row).update(sent_at=Now(), bridge=place.name, problem="")
    BridgeHealth.objects.filter(name=place.name).update(sent=F("sent") + 1)


def put_off(rows: list[int], problem: str, *, seconds: float) -> None:
    """No bridge takes them now: they are tried again."""
    Outbound.objects.filter(pk__in=rows, sent_at=None).update(
        due_at=Now() + timedelta(seconds=seconds), problem=problem[:500]
    )


def take_in(parcel: Parcel, place: Place) -> str:
    """Accept what came by a bridge: "received", "repeated" (known by its id) or "refused" (told in the log, and
    counted). Raises only what the database raises: then the broker must keep the parcel.
    """
    try:
        envelope = _envelope(parcel)
        if Message.objects.filter(uid=envelope.id).exists():
            told = "repeated"
        else:
            _refuse_stranger(envelope)
            sent = send(envelope, sender=f"bridge:{place.kind}", via=place.name)
            told = "received" if sent.is_new else "repeated"
    except MessagingError as refusal:
        log.warning("bridge_message_refused", bridge=place.name, channel=parcel.channel[:250], problem=str(refusal))
        told = "refused"
    BridgeHealth.objects.filter(name=place.name).update(**{told: F(told) + 1})
    return told


def _envelope(parcel: Parcel) -> Envelope:
    """What a parcel holds; a message without a way goes where its channel says, any other way must be the same."""
    way = _way(parcel.channel)
    kind = parcel.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in {"", codecs.JSON} and "ce-id" not in parcel.headers:
        kind, value = _plain(parcel.body)
        if kind != cloud.STRUCTURED:
            return _checked(read(value if any(name in value for name in _WAYS) else {**value, **way}), way)
    return _checked(cloud.parse({**parcel.headers, "content-type": kind or codecs.JSON}, parcel.body), way)


def _plain(body: bytes) -> tuple[str, dict[str, Any]]:
    try:
        value = clean_text(body, Limits(depth=36, size=LARGEST)).value
    except OutputRejected as flaw:
        raise MessageRefused(field=flaw.path, problem=flaw.problem) from None
    if not isinstance(value, dict):
        raise MessageRefused(field="the message", problem="it is no JSON object")
    return (cloud.STRUCTURED if "specversion" in value else codecs.JSON), value


def _way(channel: str) -> dict[str, Any]:
    match channel.split("/"):
        case ["agents", name, "in"]:
            return {"to": name}
        case ["topics", "broadcast"]:
            return {"broadcast": True}
        case ["topics", *words] if words:
            return {"topic": ".".join(words)}
    raise MessageRefused(field="the channel", problem=f"{channel[:100]!r} is not agents/<name>/in or topics/<words>")


def _checked(envelope: Envelope, way: dict[str, Any]) -> Envelope:
    its = {"broadcast": True} if envelope.topic == BROADCAST else {name: getattr(envelope, name) for name in way}
    if its != way:
        raise MessageRefused(field="the channel", problem="the message says that it goes elsewhere")
    return envelope


def _refuse_stranger(envelope: Envelope) -> None:
    """Whoever may write to a bus could speak in anybody's name: only agents that are known to live there are heard."""
    if envelope.agent_id not in settings.MESSAGE_REMOTE_AGENTS:
        problem = f"{envelope.agent_id} is not among MESSAGE_REMOTE_AGENTS, so no bus may speak in its name"
        raise MessageRefused(field="agent_id", problem=problem)


@transaction.atomic
def note_health(place: Place, *, rank: int, problem: str | None) -> None:
    """Write down how a bridge is (None: it works); a change is an event."""
    db.lock(db.BRIDGE, place.name)
    row, made = BridgeHealth.objects.get_or_create(
        name=place.name, defaults={"kind": place.kind, "rank": rank, "up": problem is None, "problem": problem or ""}
    )
    is_up = problem is None
    changed = made or row.problem == NEW or row.up != is_up
    columns: dict[str, Any] = {"rank": rank, "up": is_up, "problem": (problem or "")[:500], "seen_at": Now()}
    if changed:
        columns["changed_at"] = Now()
        facts = {"bridge": place.name} | ({"problem": problem[:500]} if problem else {})
        engine().tell("bridge.up" if is_up else "bridge.down", actor=f"bridge:{place.kind}", data=facts)
    BridgeHealth.objects.filter(pk=row.pk).update(**columns)


@transaction.atomic
def hold(place: Place, *, rank: int, relay: str) -> bool:
    """Keep a bridge that one relay at a time may keep, or keep it on; False while another one has it."""
    db.lock(db.BRIDGE, place.name)
    new: dict[str, Any] = {"kind": place.kind, "rank": rank, "problem": NEW}
    BridgeHealth.objects.get_or_create(name=place.name, defaults=new)
    free = Q(holder__in=("", relay)) | Q(held_until=None) | Q(held_until__lte=Now())
    kept = BridgeHealth.objects.filter(free, name=place.name).update(holder=relay, held_until=Now() + HELD)
    return kept == 1


def let_go(relay: str) -> None:
    """A relay ends: what it kept is another's at once."""
    BridgeHealth.objects.filter(holder=relay).update(holder="", held_until=None)


@transaction.atomic
def note_active(place: Place | None) -> None:
    """Messages go out by this bridge now; another one than before is a failover, and told."""
    db.lock(db.BRIDGE, "active")
    before = BridgeHealth.objects.filter(active=True).values_list("name", flat=True).first()
    if before == (place.name if place else None):
        return
    BridgeHealth.objects.update(active=False)
    if place is None:
        return
    BridgeHealth.objects.filter(name=place.name).update(active=True)
    last = Outbound.objects.exclude(sent_at=None).order_by("-sent_at").values_list("bridge", flat=True).first()
    earlier = before or last
    if earlier and earlier != place.name:
        facts = {"bridge": place.name, "instead_of": earlier}
        engine().tell("bridge.failed_over", actor=f"bridge:{place.kind}", data=facts)


def forget_others(names: list[str]) -> None:
    """Bridges that are configured no more are not shown any more."""
    BridgeHealth.objects.exclude(name__in=names).delete()
