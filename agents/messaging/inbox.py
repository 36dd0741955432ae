"""What readers do: take the next message, say what became of it. Each function is one small transaction, or part of the
caller's.

A reader is named by a key that stays the same across its attempts. A message is *held* under a lease until its reader
is done, gives it back, or is lost; then another reader has it. The order: higher priority first, then older; within a
thread always the order in which it was sent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from agents.messaging import circles, db
from agents.messaging.envelope import Envelope
from agents.messaging.errors import DeliveryNotHeld, NoMessage
from agents.messaging.ports import engine
from agents.messaging.storing import envelope_of
from agents.models import Delivery, Expectation
from agents.types import Json

log = structlog.get_logger(__name__)
LEASE: Final = timedelta(minutes=5)
LONGEST_LEASE: Final = timedelta(hours=1)
MOST_FAILURES: Final = 5  # readers that may fail on one message
LONGEST_BACKOFF: Final = 60  # seconds until a message that failed is handed out again
HELD, QUEUED, DONE, DEAD = Delivery.State.HELD, Delivery.State.QUEUED, Delivery.State.DONE, Delivery.State.DEAD


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: an agent, the address at it, and the key under which it holds messages (often the same)."""

    agent: str
    key: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages a reader takes; empty means any."""

    thread: str = ""
    correlation_id: str = ""
    sender: str = ""
    answers: str = ""  # the id of the message that it must follow from


ANY: Final = Wanted()


@dataclass(frozen=True, slots=True)
class Taken:
    """A message in a reader's hands."""

    delivery: int
    envelope: Envelope
    failures: int = 0


def waiting_for(reader: Reader, wanted: Wanted = ANY) -> QuerySet[Delivery]:
    """What this reader would be given next, in order."""
    open_states = Q(state=QUEUED, expires_at__gt=Now()) | Q(state=HELD)
    earlier = Delivery.objects.filter(
        open_states, recipient=OuterRef("recipient"), thread=OuterRef("thread"), address=OuterRef("address")
    ).filter(pk__lt=OuterRef("pk"))
    mine = Delivery.objects.filter(
        state=QUEUED, recipient=reader.agent, address__in={"", reader.address}, due_at__lte=Now(), expires_at__gt=Now()
    )
    filters = {
        "thread": wanted.thread,
        "message__correlation_id": wanted.correlation_id,
        "message__agent_id": wanted.sender,
        "message__causation_id": wanted.answers,
    }
    chosen = mine.filter(**{name: value for name, value in filters.items() if value})
    return chosen.filter(~Exists(earlier)).order_by("-priority", "pk")


@transaction.atomic
def take(
    reader: Reader, *, wanted: Wanted = ANY, lease: timedelta = LEASE, limit: int = 1, turn: int | None = None
) -> list[Taken]:
    """Take the next messages under a lease. `turn` numbers this reader's messages (by default they are counted)."""
    rows = list(
        waiting_for(reader, wanted).select_for_update(skip_locked=True, of=("self",)).select_related("message")[:limit]
    )
    if not rows:
        return []
    if turn is None:
        turn = 1 + (Delivery.objects.filter(held_by=reader.key).aggregate(last=Max("turn"))["last"] or 0)
    until = db.clock() + min(lease, LONGEST_LEASE)
    for place, row in enumerate(rows):
        row.state, row.held_by, row.held_until, row.turn = HELD, reader.key, until, turn + place
    Delivery.objects.bulk_update(rows, ["state", "held_by", "held_until", "turn"])
    return [_taken(row) for row in rows]


@transaction.atomic
def settle(reader: Reader, delivery: int) -> None:
    """The reader is done with a message. Part of the caller's transaction: what it made of it commits with this.

    Raises DeliveryNotHeld when its lease was over and the message is another's.
    """
    held = Delivery.objects.filter(pk=delivery, held_by=reader.key, state=HELD)
    if not held.update(state=DONE, ended_at=Now(), held_until=None):
        raise DeliveryNotHeld


@transaction.atomic
def give_back(reader: Reader, delivery: int, *, problem: str) -> str:
    """The reader could do nothing with a message: it is handed out again later, or is dead. The state it has now.

    Raises DeliveryNotHeld.
    """
    row = Delivery.objects.select_for_update().filter(pk=delivery, held_by=reader.key, state=HELD).first()
    if row is None:
        raise DeliveryNotHeld
    fail(row, problem)
    return str(row.state)


def fail(row: Delivery, problem: str) -> None:
    """A locked delivery came to nothing once more."""
    row.failures, row.problem = row.failures + 1, problem[:500]
    row.held_by, row.held_until, row.turn = "", None, 0
    if row.failures >= MOST_FAILURES:
        row.state, row.ended_at = DEAD, db.clock()
        facts: dict[str, Json] = {
            "delivery": row.pk,
            "agent": row.recipient,
            "failures": row.failures,
            "problem": row.problem,
        }
        engine().tell("message.dead_lettered", actor=f"agent:{row.recipient}", data=facts)
    else:
        row.state = QUEUED
        row.due_at = db.clock() + timedelta(seconds=min(2 ** (row.failures - 1), LONGEST_BACKOFF))
    row.save(update_fields=["failures", "problem", "held_by", "held_until", "turn", "state", "due_at", "ended_at"])


@transaction.atomic
def consume(reader: Reader, handle: Callable[[Envelope], object], *, wanted: Wanted = ANY) -> bool:
    """Hand the next message to `handle`; False when there is none.

    What `handle` writes to this database commits together with the receipt, or not at all: a process that dies in
    between has neither, and the message comes again. What it raises counts as a failure of this message.
    """
    row = (
        waiting_for(reader, wanted).select_for_update(skip_locked=True, of=("self",)).select_related("message").first()
    )
    if row is None:
        return False
    try:
        with transaction.atomic():
            handle(envelope_of(row.message))
    except Exception as problem:  # noqa: BLE001 - whatever a reader raises is this message's failure
        log.warning("message_failed", delivery=row.pk, agent=row.recipient, problem=type(problem).__name__)
        fail(row, f"Its reader raised {type(problem).__name__}.")
    else:
        Delivery.objects.filter(pk=row.pk).update(state=DONE, ended_at=Now(), held_by=reader.key)
    return True


# Readers that are tasks: each of their waits has a number, and what came of it is the same in every attempt.


def receive(
    reader: Reader, *, serial: int, wanted: Wanted, within: float, correlation_id: str, lease: timedelta = LEASE
) -> Taken | None:
    """The message of a reader's `serial`th wait: the one it had in an earlier attempt, or the next one; None if there
    is none yet, and then the wait stands until its time (`within` seconds) is over.

    `lease`: how long the reader's call may last. Raises NoMessage once the wait's time is over, in every later attempt
    too, and WaitCycle for a wait that nobody would end.
    """
    found = _receive(reader, serial, wanted, within, correlation_id)
    if isinstance(found, NoMessage):  # raised here: what it stands for has to be committed first
        raise found
    if found is not None:  # and whatever else this reader holds: it lives
        Delivery.objects.filter(held_by=reader.key, state=HELD).update(held_until=Now() + lease)
    return found


@transaction.atomic
def _receive(
    reader: Reader, serial: int, wanted: Wanted, within: float, correlation_id: str
) -> Taken | NoMessage | None:
    mine = Delivery.objects.filter(held_by=reader.key, turn=serial, state__in=(HELD, DONE))
    if (before := mine.select_related("message").first()) is not None:
        return _taken(before)
    wait = Expectation.objects.filter(reader=reader.key, serial=serial).first()
    if wait is not None and wait.ended_at is not None:
        return NoMessage(seconds=f"{(wait.deadline_at - wait.opened_at).total_seconds():g}")
    taken = take(reader, wanted=wanted, turn=serial)
    if taken:
        Expectation.objects.filter(reader=reader.key, serial=serial).delete()
        return taken[0]
    if wait is None:
        _expect(reader, serial, wanted, within, correlation_id)
    elif wait.deadline_at <= db.clock():
        Expectation.objects.filter(pk=wait.pk).update(ended_at=Now())
        return NoMessage(seconds=f"{(wait.deadline_at - wait.opened_at).total_seconds():g}")
    return None


def _expect(reader: Reader, serial: int, wanted: Wanted, within: float, correlation_id: str) -> None:
    if wanted.sender:
        circles.refuse_waiting(reader.agent, wanted.sender, correlation_id)
    Expectation.objects.create(
        reader=reader.key,
        serial=serial,
        agent=reader.agent,
        awaited=wanted.sender,
        thread=wanted.thread,
        answers=wanted.answers or None,
        correlation_id=correlation_id,
        deadline_at=db.clock() + timedelta(seconds=within),
    )


def finish(key: str) -> None:
    """A reader has ended well: what it holds is done. In the transaction that ends it."""
    Delivery.objects.filter(held_by=key, state=HELD).update(state=DONE, ended_at=Now(), held_until=None)
    stop_expecting(key)


def abandon(key: str, *, problem: str) -> None:
    """A reader has failed: what it holds is handed out again, or is dead."""
    for row in Delivery.objects.select_for_update().filter(held_by=key, state=HELD).order_by("pk"):
        fail(row, problem)
    stop_expecting(key)


def stop_expecting(key: str) -> None:
    """A reader waits for nothing any more."""
    Expectation.objects.filter(reader=key, ended_at=None).delete()


def keep(key: str, *, until: timedelta) -> None:
    """A reader will be away for a while, and keeps what it holds."""
    Delivery.objects.filter(held_by=key, state=HELD).update(held_until=Now() + until + LEASE)


def arrived(reader: Reader) -> bool:
    """Whether the wait that a reader stands in could end: a message is there, or its time is over."""
    wait = Expectation.objects.filter(reader=reader.key, ended_at=None).order_by("-serial").first()
    if wait is None or wait.deadline_at <= db.clock():
        return True
    wanted = Wanted(thread=wait.thread, sender=wait.awaited, answers=str(wait.answers or ""))
    return waiting_for(reader, wanted).exists()


def _taken(row: Delivery) -> Taken:
    return Taken(row.pk, envelope_of(row.message), row.failures)
