"""Accept a message: check it, find its readers, store it with one delivery for each, and wake who waits. One
transaction: a message that was accepted is durable, and one that was refused has left nothing behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q

from agents.messaging import circles, db, routing, storing
from agents.messaging.envelope import Envelope
from agents.messaging.errors import MessageConflict, MessageLoop, TooManyHops
from agents.messaging.ports import engine
from agents.messaging.routing import Reader
from agents.models import Delivery, Expectation, Message, Outbound


@dataclass(frozen=True, slots=True)
class Sent:
    """An accepted message; `is_new` is false when it had been accepted before under the same id."""

    message: Message
    is_new: bool


def send(envelope: Envelope, *, sender: str, via: str = "") -> Sent:
    """Accept one message; the same id again returns the first.

    `sender` is who sends it as events name actors, `via` the bridge it came in by. Raises RecipientUnknown,
    MessageConflict (another message under this id), MessageLoop and TooManyHops; the last two are told as events.
    """
    try:
        return _send_once(envelope, sender=sender, via=via)
    except IntegrityError:  # sent twice at once: the other one is there now
        return _send_once(envelope, sender=sender, via=via)
    except (MessageLoop, TooManyHops) as refusal:
        with transaction.atomic():
            facts = {"agent": envelope.agent_id, "code": refusal.code, "problem": str(refusal)[:500]}
            engine().tell("message.refused", actor=sender, data={**facts, "correlation_id": envelope.correlation_id})
        raise


@transaction.atomic
def _send_once(envelope: Envelope, *, sender: str, via: str) -> Sent:
    before = Message.objects.filter(uid=envelope.id).first()
    if before is not None:
        return Sent(_same(before, envelope), is_new=False)
    cause = circles.cause_of(envelope)
    hops = circles.refuse_circle(envelope, cause)
    whole = envelope.model_copy(update={"hops": hops, "correlation_id": _correlation(envelope, cause)})
    readers = routing.readers_of(whole)
    message = _store(whole, readers, thread=_thread(whole, cause), sender=sender, via=via)
    _send_out(whole, message, via)
    _wake(whole, readers)
    if whole.topic is not None:
        engine().announce(whole, sender=sender)
    return Sent(message, is_new=True)


def _same(before: Message, envelope: Envelope) -> Message:
    if before.digest != storing.digest(envelope, storing.canonical(envelope.payload)):
        raise MessageConflict(id=envelope.id)
    return before


def _correlation(envelope: Envelope, cause: Message | None) -> str:
    """What it belongs to: what it says, or what its cause belongs to; a message out of the blue begins something."""
    return envelope.correlation_id or (cause.correlation_id if cause else "") or f"message-{envelope.id}"


def _thread(envelope: Envelope, cause: Message | None) -> str:
    """The thread it is read in. An answer to its cause's sender stays in that one's."""
    if envelope.thread:
        return envelope.thread
    is_answer = cause is not None and envelope.to == cause.agent_id
    return cause.thread if cause is not None and is_answer else str(envelope.id)


def _store(envelope: Envelope, readers: Sequence[Reader], *, thread: str, sender: str, via: str) -> Message:
    if thread != str(envelope.id):
        db.lock(db.THREAD, thread)  # ids of one thread then commit in their order
    now = db.clock()
    expires_at = now + timedelta(seconds=envelope.ttl_s)
    row = storing.row_of(envelope, thread=thread, sent_by=sender, via=via, expires_at=expires_at)
    row.sent_at, row.readers = now, len(readers)
    row.save(force_insert=True)
    Delivery.objects.bulk_create([_delivery(row, reader) for reader in readers])
    return row


def _delivery(message: Message, reader: Reader) -> Delivery:
    made = Delivery(
        message=message,
        recipient=reader.name,
        address=message.to_address,
        thread=message.thread,
        priority=message.priority,
        due_at=message.sent_at,
        expires_at=message.expires_at,
    )
    if reader.doubt:
        made.state, made.problem, made.ended_at = Delivery.State.DEAD, reader.doubt, message.sent_at
    return made


def _send_out(envelope: Envelope, message: Message, via: str) -> None:
    """What came in by a bridge does not go out again: its bus has it."""
    channels = [] if via else routing.channels_of(envelope)
    if channels:
        Outbound.objects.create(message=message, channels=channels)
        db.ring()


def _wake(envelope: Envelope, readers: Sequence[Reader]) -> None:
    waiting = Expectation.objects.filter(agent__in=[reader.name for reader in readers], ended_at=None)
    if envelope.to_address:
        waiting = waiting.filter(reader=envelope.to_address)
    if envelope.thread:
        waiting = waiting.filter(Q(thread="") | Q(thread=envelope.thread))
    keys = list(waiting.filter(Q(awaited="") | Q(awaited=envelope.agent_id)).values_list("reader", flat=True)[:1000])
    if keys:
        engine().wake(keys)
