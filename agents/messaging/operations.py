"""What people do about messages: send one, put dead letters back, replay a piece of work, say who listens to what.

Rights are the caller's to check. Each is one transaction with its event.
"""

import re
from collections.abc import Sequence
from typing import Final

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.db.models.functions import Now

from agents.messaging import db
from agents.messaging.errors import (
    MessageNotFound,
    NotDead,
    NotGivenUp,
    RecipientUnknown,
    SubscriptionExists,
    SubscriptionRefused,
    WhyMissing,
)
from agents.messaging.ports import engine
from agents.models import Agent, Delivery, Message, Subscription
from agents.types import Json

MOST_REPLAYED: Final = 1000
_PATTERN: Final = re.compile(r"(?:[a-z0-9][a-z0-9_-]*|\*)(?:\.(?:[a-z0-9][a-z0-9_-]*|\*))*(?:\.#)?|#", re.ASCII)


@transaction.atomic
def requeue(ids: Sequence[int], *, by: User, reason: str) -> list[int]:
    """Put dead letters back into their readers' queues, with their failures forgotten; return their ids.

    All or none: raises NotDead for what is no dead letter (any more), WhyMissing, MessageNotFound. What has expired
    meanwhile gets its whole time again, or it would be dead at once.
    """
    why = _reason(reason, "put a dead letter back")
    rows = list(Delivery.objects.select_for_update(of=("self",)).filter(pk__in=ids).select_related("message"))
    if missing := set(ids) - {row.pk for row in rows}:
        raise MessageNotFound(id=min(missing))
    now = db.clock()
    for row in rows:
        if row.state != Delivery.State.DEAD:
            raise NotDead(id=row.pk, state=row.state)
        row.state, row.failures, row.due_at, row.ended_at = Delivery.State.QUEUED, 0, now, None
        row.expires_at = max(row.expires_at, now + (row.message.expires_at - row.message.sent_at))
    Delivery.objects.bulk_update(rows, ["state", "failures", "due_at", "ended_at", "expires_at"])
    done = sorted(row.pk for row in rows)
    facts: dict[str, Json] = {"deliveries": list[Json](done[:100]), "count": len(done), "reason": why}
    engine().tell("message.requeued", actor=_actor(by), data=facts)
    return done


@transaction.atomic
def replay(correlation_id: str, *, by: User, reason: str, to: str = "") -> int:
    """Deliver again, in their order, the messages of a piece of work: to those who had them, or to one agent only.

    Returns how many deliveries. Raises MessageNotFound, WhyMissing, and RecipientUnknown for an agent that is not
    there. At most 1,000 messages, the oldest first.
    """
    why = _reason(reason, "replay messages")
    if to and not Agent.objects.filter(name=to).exists():
        raise RecipientUnknown(name=to)
    found = list(Message.objects.filter(correlation_id=correlation_id).order_by("pk")[:MOST_REPLAYED])
    if not found or not correlation_id:
        raise MessageNotFound(id=f"with the correlation id {correlation_id!r}")
    db.lock(db.THREAD, f"replay {correlation_id}")
    again = _again(found, to)
    Delivery.objects.bulk_create(again)
    facts: dict[str, Json] = {
        "correlation_id": correlation_id,
        "messages": len(found),
        "deliveries": len(again),
        "reason": why,
    }
    engine().tell("message.replayed", actor=_actor(by), data={**facts, **({"agent": to} if to else {})})
    return len(again)


def _again(messages: Sequence[Message], to: str) -> list[Delivery]:
    ids = [message.pk for message in messages]
    number = 1 + (Delivery.objects.filter(message__in=ids).aggregate(last=Max("replay"))["last"] or 0)
    first = Delivery.objects.filter(message__in=ids, replay=0).values_list("message_id", "recipient")
    readers: dict[int, list[str]] = {}
    for pk, name in first:
        readers.setdefault(pk, []).append(name)
    now = db.clock()
    return [
        Delivery(
            message=message,
            recipient=name,
            # Not its address: the task that it was for has ended; whoever reads for the agent now may have it.
            thread=f"{message.thread} replay {number}"[:200],
            priority=message.priority,
            replay=number,
            due_at=now,
            expires_at=now + (message.expires_at - message.sent_at),
        )
        for message in messages
        for name in ([to] if to else sorted(readers.get(message.pk, [])))
    ]


def check_rule(agent: str, topic: str, match: str) -> Agent:
    """The agent that would listen. Raises RecipientUnknown, SubscriptionRefused, SubscriptionExists."""
    row = Agent.objects.filter(name=agent).first()
    if row is None:
        raise RecipientUnknown(name=agent)
    if len(topic) > 200 or not _PATTERN.fullmatch(topic):
        problem = "must be lower-case words with dots between them; * stands for one word, # at the end for any rest"
        raise SubscriptionRefused(field="topic", problem=problem)
    if match and (flaw := engine().flaw(match)):
        raise SubscriptionRefused(field="condition", problem=flaw)
    if Subscription.objects.filter(agent=row, topic=topic, match=match).exists():
        raise SubscriptionExists(agent=agent, topic=topic)
    return row


@transaction.atomic
def subscribe(agent: str, topic: str, *, match: str = "", by: User | None, reason: str = "") -> Subscription:
    """Have an agent listen to a topic from now on. Raises RecipientUnknown, SubscriptionRefused, SubscriptionExists."""
    row = check_rule(agent, topic, match)
    try:
        with transaction.atomic():
            made = Subscription.objects.create(agent=row, topic=topic, match=match, created_by=_actor(by))
    except IntegrityError as problem:
        raise SubscriptionExists(agent=agent, topic=topic) from problem
    _tell("subscription.added", made, by, reason=reason)
    return made


@transaction.atomic
def unsubscribe(pk: int, *, by: User, reason: str) -> None:
    """End a subscription; what it has queued is still delivered. Raises MessageNotFound, WhyMissing."""
    why = _reason(reason, "end a subscription")
    row = Subscription.objects.select_for_update(of=("self",)).select_related("agent").filter(pk=pk).first()
    if row is None:
        raise MessageNotFound(id=f"subscription {pk}")
    _tell("subscription.removed", row, by, reason=why)
    row.delete()


@transaction.atomic
def set_enabled(pk: int, *, enabled: bool, by: User, reason: str = "") -> Subscription:
    """Stop a subscription for a while, or let it go on. Raises MessageNotFound."""
    row = Subscription.objects.select_for_update(of=("self",)).select_related("agent").filter(pk=pk).first()
    if row is None:
        raise MessageNotFound(id=f"subscription {pk}")
    row.enabled = enabled
    row.save(update_fields=["enabled"])
    _tell("subscription.enabled" if enabled else "subscription.disabled", row, by, reason=reason)
    return row


@transaction.atomic
def drop(pk: int, *, by: User, reason: str) -> None:
    """Give a dead letter up: it counts as expired. Raises NotDead, MessageNotFound, WhyMissing."""
    why = _reason(reason, "give a dead letter up")
    row = Delivery.objects.select_for_update().filter(pk=pk).first()
    if row is None:
        raise MessageNotFound(id=pk)
    if row.state != Delivery.State.DEAD:
        raise NotDead(id=pk, state=row.state)
    Delivery.objects.filter(pk=pk).update(state=Delivery.State.EXPIRED, ended_at=Now())
    engine().tell("message.dropped", actor=_actor(by), data={"delivery": pk, "agent": row.recipient, "reason": why})


def was_dead(row: Delivery) -> bool:
    """Whether its reader failed on it, or its condition: what merely expired was never a dead letter."""
    return row.failures > 0 or bool(row.problem)


@transaction.atomic
def restore(ids: Sequence[int], *, by: User, reason: str) -> list[int]:
    """Make dead letters again of what was given up; return their ids.

    All or none: raises NotGivenUp for what nobody gave up, WhyMissing, MessageNotFound.
    """
    why = _reason(reason, "make a dead letter again")
    rows = list(Delivery.objects.select_for_update().filter(pk__in=ids).order_by("pk"))
    if missing := set(ids) - {row.pk for row in rows}:
        raise MessageNotFound(id=min(missing))
    if other := next((row for row in rows if not was_dead(row) or row.state != Delivery.State.EXPIRED), None):
        raise NotGivenUp(id=other.pk, state=other.state)
    done = [row.pk for row in rows]
    Delivery.objects.filter(pk__in=done).update(state=Delivery.State.DEAD, ended_at=Now())
    facts: dict[str, Json] = {"deliveries": list[Json](done[:100]), "count": len(done), "reason": why}
    engine().tell("message.restored", actor=_actor(by), data=facts)
    return done


def _tell(kind: str, row: Subscription, by: User | None, *, reason: str = "") -> None:
    facts: dict[str, Json] = {
        "subscription": row.pk,
        "agent": row.agent.name,
        "topic": row.topic,
        "match": row.match[:300],
    }
    engine().tell(kind, actor=_actor(by), data={**facts, **({"reason": reason} if reason else {})})


def _actor(user: User | None) -> str:
    return f"user:{user.get_username()}" if user is not None else "engine"


def _reason(given: str, verb: str) -> str:
    if not given.strip():
        raise WhyMissing(verb=verb)
    return given.strip()[:2000]
