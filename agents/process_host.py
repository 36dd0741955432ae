"""The child side of `agents.process`: `python -m agents.process_host FD PARENT` runs agents it is asked to run.

It reads requests from the inherited socket FD, one at a time, and ends when PARENT or the channel is gone.
"""

import asyncio
import ctypes
import importlib
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import django
from django.db import close_old_connections

from agents import cleaning, errors, wire
from agents.context import AgentContext
from agents.errors import (
    AgentsError,
    AttemptOver,
    Business,
    CheckpointRefused,
    MemoryRefused,
    MemoryUnavailable,
    OutputRejected,
    Permanent,
    StateRefused,
    StateStale,
    ToolArgumentsInvalid,
    Transient,
)
from agents.messaging import errors as messaging
from agents.messaging.mailbox import Suspended
from agents.types import AgentRequest, Approval, Json

PR_SET_PDEATHSIG = 1
GRACE_SECONDS = 0.3  # the parent kills first; this is for a parent whose loop is stuck


class RemoteEffects:
    """`ctx.once` in a child: the worker keeps the record, the call is made here."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    async def once(
        self, key: str, call: Callable[[], Awaitable[Json]], *, reconcile: Callable[[], Awaitable[Json]] | None = None
    ) -> Json:
        """Ask the worker; make the call only if it says so. `reconcile` is not carried over: a person is asked."""
        wire.send(self._channel, {"once": key})
        answer = self._answer()
        if "run" in answer:
            try:
                done = await call()
            except BaseException as error:
                wire.send(self._channel, {"failed": type(error).__name__})
                raise
            wire.send(self._channel, {"done": done})
            answer = self._answer()
        stored: Json = answer["stored"]
        return stored

    def _answer(self) -> dict[str, Any]:
        answer = wire.receive(self._channel)
        if answer is None or "refused" in answer:  # the worker ends the call itself and says why
            raise SystemExit(0)
        return answer


class RemoteMemory:
    """`ctx.state` and `ctx.checkpoint` in a child: the worker asks the engine."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    async def ask(self, verb: str, given: dict[str, Json]) -> Json:
        """Ask the worker; what the engine refused is raised here."""
        wire.send(self._channel, {"ask": verb, "given": given})
        frame = wire.receive(self._channel)
        if frame is None:
            raise SystemExit(0)
        if "refused" in frame:
            raise REFUSALS[frame["refused"]](**frame["facts"])
        answer: Json = frame["answer"]
        return answer


REFUSALS = {
    kind.__name__: kind
    for kind in (
        *(StateStale, StateRefused, CheckpointRefused, AttemptOver, MemoryRefused, MemoryUnavailable),
        *(messaging.MessageRefused, messaging.RecipientUnknown, messaging.MessageConflict, messaging.MessageLoop),
        *(messaging.TooManyHops, messaging.WaitCycle, messaging.NoMessage),
    )
}


class RemoteTools:
    """`ctx.tools` in a child: the worker judges and calls."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    async def call(
        self, name: str, arguments: Any = None, *, scopes: Sequence[str] | None = None, label: str = ""
    ) -> Json:
        """Ask the worker; what was refused or failed there is raised here."""
        try:
            given = arguments if isinstance(arguments, str | None) else cleaning.clean(arguments).value
        except OutputRejected as error:
            raise ToolArgumentsInvalid(tool=str(name), path=error.path, problem=error.problem) from error
        asked = {"tool": str(name), "arguments": given, "scopes": None if scopes is None else list(scopes)}
        return self._answer({**asked, "label": str(label)})

    @property
    def made(self) -> dict[str, int]:
        """The worker counts."""
        return {}

    def go_on_from(self, made: Mapping[str, int]) -> None:
        """The worker counts: only calls of models on its own loop go on from where they were."""

    async def available(self) -> list[dict[str, Json]]:
        """The tools that some entitlement of this agent is about."""
        found: Any = self._answer({"tool": None})
        return found  # type: ignore[no-any-return]

    def _answer(self, asked: dict[str, Any]) -> Json:
        wire.send(self._channel, asked)
        frame = wire.receive(self._channel)
        if frame is None:
            raise SystemExit(0)
        if "failed" in frame:
            kind = {"transient": Transient, "business": Business}.get(frame["failed"], Permanent)
            raise kind(frame["message"], code=frame["code"], retry_after=frame["retry_after"])
        if "refused" in frame:
            refusal: type[AgentsError] = getattr(errors, frame["refused"], errors.ToolRefused)
            raise refusal(**frame["facts"])
        answer: Json = frame["answer"]
        return answer


def main(fd: int, parent: int) -> None:
    """Serve until the worker is gone."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the worker's to handle
    if "DJANGO_SETTINGS_MODULE" in os.environ:
        django.setup()
    with socket.socket(fileno=fd) as channel:
        channel.set_inheritable(False)
        while (asked := wire.receive(channel)) is not None:
            close_old_connections()
            signal.setitimer(signal.ITIMER_REAL, asked["timeout"] + GRACE_SECONDS)  # SIGALRM ends the process
            outcome = _run(asked, channel)
            signal.setitimer(signal.ITIMER_REAL, 0)
            wire.send(channel, {"outcome": outcome})


def _run(asked: dict[str, Any], channel: socket.socket) -> dict[str, Any]:
    # Imported late: the registry needs the apps that django.setup() loads.
    from agents import registry  # noqa: PLC0415
    from agents.outcomes import ended_by, outcome_of, prepare_input  # noqa: PLC0415

    importlib.import_module(asked["entrypoint"].partition(":")[0])
    spec = registry.get(asked["agent"], asked["version"])
    effects = RemoteEffects(channel) if asked["effects"] else None
    facts = {name: asked[name] for name in ("agent", "version", "input", "key", "attempt", "timeout", "note")}
    memory = RemoteMemory(channel) if asked["memory"] else None
    approvals = tuple(Approval(**one) for one in asked["approvals"])
    request = AgentRequest(
        **facts, correlation_id=asked["correlation_id"], effects=effects, memory=memory, approvals=approvals
    )
    try:
        returned = spec.function(prepare_input(spec, request.input), AgentContext(request, None, RemoteTools(channel)))
        outcome = outcome_of(spec, asyncio.run(returned) if spec.is_async else returned)
    except SystemExit as error:  # end now, with the agent's own status, not after a slow farewell on a closed channel
        sys.stdout.flush()
        os._exit(error.code if isinstance(error.code, int) else 1)
    except (Exception, Suspended) as error:  # noqa: BLE001 - whatever an agent raises is an outcome
        outcome = ended_by(spec, error)
    return wire.pack_outcome(outcome)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
