"""Messages in a line, for tests."""

from typing import Any
from uuid import uuid4

from agents.messaging import sending
from agents.messaging.envelope import Envelope, read
from agents.messaging.inbox import Reader
from agents.models import Message
from tests import factories


def agents(*names: str, tags: tuple[str, ...] = ()) -> None:
    """Registered agents of these names."""
    for name in names:
        found = factories.agent(name)
        found.domain_tags = list(tags)
        found.save(update_fields=["domain_tags"])


def envelope(payload: dict[str, Any] | None = None, **fields: Any) -> Envelope:
    """An envelope from `planner`, read as one that came from outside."""
    whole = {"id": str(uuid4()), "agent_id": "planner", "message_type": "TASK", "payload": payload or {}, **fields}
    return read(whole)


def send(payload: dict[str, Any] | None = None, **fields: Any) -> Message:
    """Send one."""
    made = envelope(payload, **fields)
    return sending.send(made, sender=f"agent:{made.agent_id}").message


def reader(agent: str, key: str = "") -> Reader:
    """A reader at an agent, whose address is its key."""
    return Reader(agent, key or f"{agent}-reader", address=key)
