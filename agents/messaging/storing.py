"""Between envelopes and rows: canonical text, digests, and an envelope as it was sent."""

import hashlib
from datetime import datetime
from typing import Any, Final

import orjson

from agents.messaging.envelope import RANKS, Envelope, MessageType, Priority
from agents.models import Message

_WORDS: Final[dict[int, Priority]] = {rank: word for word, rank in RANKS.items()}
_SAME: Final = (
    *("agent_id", "task_id", "confidence", "parent_task_id", "to", "to_address", "topic", "specialism"),
    *("broadcast", "reply_to", "correlation_id", "causation_id", "ttl_s", "hops"),
)


def canonical(payload: dict[str, Any]) -> str:
    """A payload as its row holds it: JSON with sorted names. Numbers come back as they were."""
    return orjson.dumps(payload, option=orjson.OPT_SORT_KEYS).decode()


def digest(envelope: Envelope, body: str) -> str:
    """Identifies who says what to whom: the same again further down a chain is a circle."""
    way = [envelope.to, envelope.topic, envelope.specialism, envelope.broadcast]
    told = orjson.dumps([envelope.agent_id, envelope.message_type, way])
    return hashlib.sha256(told + b"\0" + body.encode()).hexdigest()


def row_of(envelope: Envelope, *, thread: str, sent_by: str, via: str, expires_at: datetime) -> Message:
    """The unsaved row of an envelope whose way has been worked out."""
    body = canonical(envelope.payload)
    return Message(
        uid=envelope.id,
        message_type=envelope.message_type.value,
        payload=body,
        timestamp=envelope.timestamp,
        thread=thread,
        priority=RANKS[envelope.priority],
        digest=digest(envelope, body),
        size=len(body.encode()),
        via=via,
        sent_by=sent_by,
        expires_at=expires_at,
        **{name: getattr(envelope, name) for name in _SAME},
    )


def envelope_of(row: Message) -> Envelope:
    """The envelope that a row holds."""
    return Envelope(
        id=row.uid,
        message_type=MessageType(row.message_type),
        payload=orjson.loads(row.payload),
        timestamp=row.timestamp,
        thread="" if row.thread == str(row.uid) else row.thread,
        priority=_WORDS[row.priority],
        **{name: getattr(row, name) for name in _SAME},
    )
