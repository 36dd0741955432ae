"""The envelope of a message between agents, as it is sent, stored and published. No Django.

The first seven fields are the message proper (`AgentMessage`); the others say to whom it goes and how.
"""

import json
import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID, uuid4

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from agents.cleaning import Limits, clean
from agents.contracts import Contract, compile_contract
from agents.errors import ContractViolation, OutputRejected
from agents.messaging.errors import MessageRefused
from agents.types import Json

LIMITS: Final = Limits(depth=32, size=64 * 1024, nodes=20_000)  # of one payload
LARGEST: Final = 128 * 1024  # bytes of one message in any encoding
DAY: Final = 24 * 3600
TTL: Final = 7 * DAY
LONGEST_TTL: Final = 90 * DAY
MOST_HOPS: Final = 32  # a message that was caused by one that was caused by ... so many

type Priority = Literal["low", "normal", "high", "critical"]
RANKS: Final[dict[Priority, int]] = {"low": 0, "normal": 1, "high": 2, "critical": 3}

_PLAIN = r"^[^\x00-\x1f\x7f]*$"
_TOPIC = r"^[a-z0-9][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)*$"
TOPIC: Final = re.compile(_TOPIC, re.ASCII)
AgentName = Annotated[str, StringConstraints(max_length=100, pattern=r"^[a-z0-9][a-z0-9_-]*$")]
Address = Annotated[str, StringConstraints(max_length=200, pattern=r"^[\x21-\x7e]*$")]
Topic = Annotated[str, StringConstraints(max_length=200, pattern=_TOPIC)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_PLAIN)]


class MessageType(StrEnum):
    """What a message is."""

    TASK = "TASK"  # do this
    RESULT = "RESULT"  # this came of it
    ERROR = "ERROR"  # it could not be done
    STATUS = "STATUS"  # so far it goes


class AgentMessage(BaseModel):
    """What one agent tells others: exactly these seven fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agent_id: AgentName = Field(description="Who sends it: an agent's name.")
    task_id: Address = Field("", description="The sender's task; empty for a sender outside a run.")
    message_type: MessageType
    payload: dict[str, Any] = Field(default={}, description="What it says: at most 64 kB of JSON.")
    confidence: float | None = Field(None, ge=0, le=1, allow_inf_nan=False, description="How sure the sender is.")
    timestamp: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC), description="When it was made, in UTC.")
    parent_task_id: Address | None = Field(None, description="The task that asked for the sender's.")


class Envelope(AgentMessage):
    """A message with its way: to exactly one of an agent, a topic, a specialism or everybody."""

    id: UUID = Field(default_factory=uuid4, description="Sent again under this id it is not a new message.")
    to: AgentName | None = Field(None, description="One agent.")
    to_address: Address = Field("", description="Only the reader with this address at that agent.")
    topic: Topic | None = Field(None, description="Every agent that listens to it: words with dots between them.")
    specialism: Word | None = Field(None, description="Every agent with this domain tag or capability.")
    broadcast: bool = Field(default=False, description="Every agent that listens to broadcasts.")
    reply_to: Address = Field("", description="The address at the sender that an answer is meant for.")
    thread: Address = Field("", description="Messages of a thread are read in the order they were sent; empty: alone.")
    correlation_id: Address = Field("", description="Ties together everything that belongs to one piece of work.")
    causation_id: UUID | None = Field(None, description="The message that this one follows from.")
    priority: Priority = "normal"
    ttl_s: int = Field(TTL, ge=1, le=LONGEST_TTL, description="Seconds after which it is delivered no more.")
    hops: int = Field(0, ge=0, le=MOST_HOPS, description="How many messages led to it.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [self.to is not None, self.topic is not None, self.specialism is not None, self.broadcast]
        if sum(ways) != 1:
            raise ValueError("a message goes to exactly one of: to, topic, specialism, broadcast")
        if self.to_address and self.to is None:
            raise ValueError("to_address is an address at the agent that `to` names")
        return self

    @property
    def message(self) -> AgentMessage:
        """The message proper."""
        return AgentMessage(**{name: getattr(self, name) for name in AgentMessage.model_fields})


def schema() -> dict[str, Json]:
    """The published JSON Schema of an envelope as it is sent (static/schema/message-v1.json)."""
    made: dict[str, Any] = Envelope.model_json_schema(mode="validation")
    ways = [{"required": ["to"]}, {"required": ["topic"]}, {"required": ["specialism"]}, {"required": ["broadcast"]}]
    named: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://watchkeeper.invalid/schema/message-v1.json",
        **made,
        "anyOf": ways,
    }
    return json.loads(json.dumps(named))  # type: ignore[no-any-return]


_CONTRACT: list[Contract] = []


def contract() -> Contract:
    """The published schema, compiled once."""
    if not _CONTRACT:
        _CONTRACT.append(compile_contract(schema()))
    return _CONTRACT[0]


def read(value: object) -> Envelope:
    """A checked envelope from what somebody sent. Raises MessageRefused naming the field and what is wrong with it."""
    try:
        plain = clean(value, Limits(depth=LIMITS.depth + 2, size=LARGEST, nodes=LIMITS.nodes)).value
        contract().check(plain)
        assert isinstance(plain, dict)
        payload = clean(plain.get("payload", {}), LIMITS).value
        return Envelope.model_validate({**plain, "payload": payload})
    except ContractViolation as flaw:
        raise MessageRefused(field=flaw.path, problem=flaw.problem) from None
    except OutputRejected as flaw:
        raise MessageRefused(field=flaw.path, problem=flaw.problem) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the message"
        raise MessageRefused(field=field, problem=first["msg"]) from None
