"""`ctx.messages`: how an agent sends, asks and receives. No Django.

Verbs of the port `agents.types.Memory`: `send {message, key}` -> id, `receive {serial, within, wanted}` -> message or
null. A later attempt of the same task repeats both without effect: the same message is sent once, and the nth receive
gives the message that it gave before.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, Literal

import orjson

from agents.messaging.envelope import Envelope, MessageType
from agents.messaging.errors import NoMessage
from agents.types import Json, Memory

PATIENCE: Final = 1.0  # seconds that a call waits for a message itself; then its task sleeps and holds nothing
LONGEST_PATIENCE: Final = 5.0
LONGEST_WAIT: Final = 90 * 24 * 3600.0
_PAUSES: Final = (0.02, 0.05, 0.1, 0.2)

type Kind = Literal["TASK", "RESULT", "ERROR", "STATUS"]


class Suspended(BaseException):
    """Ends a call whose message has not come: the engine calls the agent again when it has.

    No Exception, so that an agent's own `except Exception` does not take it for a failure.
    """

    def __init__(self, *, serial: int, within: float) -> None:
        self.serial = serial
        self.within = within
        super().__init__("The agent waits for a message.")


@dataclass(frozen=True, slots=True)
class Received:
    """A message in an agent's hands. It counts as read once the task has succeeded."""

    envelope: Envelope
    failures: int  # readers that failed on it before

    @property
    def payload(self) -> dict[str, Any]:
        """What it says."""
        return self.envelope.payload

    @property
    def sender(self) -> str:
        """The agent that sent it."""
        return self.envelope.agent_id


class Messages:
    """One call's mailbox. Without an engine behind it (a test, a shell) nothing is sent and nothing comes."""

    __slots__ = ("_key", "_memory", "_said", "_serial")

    def __init__(self, memory: Memory | None, key: str) -> None:
        self._memory = memory
        self._key = key
        self._serial = 0
        self._said: Counter[str] | None = None

    async def send(
        self,
        payload: dict[str, Json],
        *,
        to: str | None = None,
        topic: str | None = None,
        specialism: str | None = None,
        type: Kind = "TASK",  # noqa: A002 - the envelope's word
        **more: Any,
    ) -> str:
        """Send to one agent, to a topic, or to all who know a subject; return the message's id ("" without an engine).

        `more`: any other field of the envelope, such as priority, thread, ttl_s, confidence; and `key`, which makes two
        attempts' messages one although they say different things. Raises MessageRefused, RecipientUnknown, MessageLoop.
        """
        told = {"to": to, "topic": topic, "specialism": specialism}
        chosen = {name: value for name, value in told.items() if value is not None}
        return await self._send({"payload": payload, "message_type": MessageType(type).value, **chosen, **more})

    async def broadcast(self, payload: dict[str, Json], *, type: Kind = "STATUS", **more: Any) -> str:  # noqa: A002
        """Send to every agent that listens to broadcasts, once each."""
        return await self._send(
            {"payload": payload, "message_type": MessageType(type).value, "broadcast": True, **more}
        )

    async def reply(self, received: Received, payload: dict[str, Json], *, type: Kind = "RESULT", **more: Any) -> str:  # noqa: A002
        """Answer a message: to its sender, in its thread, for the very call that asked."""
        asked = received.envelope
        way = {"to": asked.agent_id, "to_address": asked.reply_to, "causation_id": str(asked.id)}
        known = {**way, "correlation_id": asked.correlation_id, "parent_task_id": asked.task_id or None}
        return await self._send({"payload": payload, "message_type": MessageType(type).value, **known, **more})

    async def receive(
        self,
        *,
        within: float,
        sender: str = "",
        thread: str = "",
        answers: str = "",
        patience: float = PATIENCE,
    ) -> Received:
        """The next message for this agent, or for this very call; `within` seconds, up to 90 days.

        The call itself waits `patience` seconds at most. Then the task sleeps without a worker, and the agent is called
        again from its beginning when the message is there. Raises NoMessage when the time is over, and WaitCycle when
        the one who is to answer waits for this agent.
        """
        wanted: dict[str, Json] = {"sender": sender, "thread": thread, "answers": answers}
        within = min(max(float(within), 0.0), LONGEST_WAIT)
        self._serial += 1
        given: dict[str, Json] = {"serial": self._serial, "within": within, "wanted": wanted}
        if self._memory is None:
            raise NoMessage(seconds=f"{within:g}")
        return await self._wait(self._memory, given, min(patience, LONGEST_PATIENCE, within))

    async def _wait(self, memory: Memory, given: dict[str, Any], patience: float) -> Received:
        until = monotonic() + patience
        pauses = iter(_PAUSES)
        pause = 0.0
        while True:
            found: Any = await memory.ask("receive", given)
            if found is not None:
                return Received(Envelope.model_validate(found["message"]), found["failures"])
            if monotonic() >= until:
                raise Suspended(serial=given["serial"], within=given["within"])
            pause = next(pauses, pause)
            await asyncio.sleep(pause)

    async def request(
        self, payload: dict[str, Json], *, to: str, within: float, patience: float = PATIENCE, **more: Any
    ) -> Received:
        """Ask one agent and wait for its answer, as `receive` does."""
        asked = await self.send(payload, to=to, reply_to=self._key, **more)
        return await self.receive(within=within, sender=to, answers=asked, patience=patience)

    async def _send(self, message: dict[str, Any]) -> str:
        key = str(message.pop("key", ""))
        if not key:
            key = orjson.dumps(message, option=orjson.OPT_SORT_KEYS, default=str).decode(errors="replace")
        said = self._said = self._said if self._said is not None else Counter()
        said[key] += 1
        given: dict[str, Json] = {"message": message, "key": f"{said[key]} {key}"}
        sent: Any = await self._memory.ask("send", given) if self._memory else ""
        return sent or ""
