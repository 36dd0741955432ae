"""What an agent is told about its call, and how it makes a side effect happen once. No Django."""

import asyncio
from collections.abc import Awaitable, Callable

from agents.types import AgentRequest, Effects, Json


class AgentContext:
    """Handed to every agent as its second argument. `key` is stable across attempts: send it with outside calls."""

    __slots__ = ("_effects", "_loop", "attempt", "correlation_id", "key", "note", "started", "timeout")

    def __init__(self, request: AgentRequest, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.attempt = request.attempt
        self.key = request.key
        self.note = request.note
        self.correlation_id = request.correlation_id
        self.timeout = request.timeout
        self.started = False  # false while the call waits for a thread or process
        self._effects: Effects | None = request.effects
        self._loop = loop

    async def once(
        self, key: str, call: Callable[[], Awaitable[Json]], *, reconcile: Callable[[], Awaitable[Json]] | None = None
    ) -> Json:
        """Run `call` unless this task's effect `key` is already confirmed; return the stored result.

        If an earlier attempt died between sending and hearing back, `reconcile` asks the provider: the result, or None
        if nothing arrived. Without it (and always in an agent with a process of its own) a person is asked.
        Without an engine behind the call (a test, a shell) nothing is remembered and `call` just runs.
        """
        return await (self._effects.once(key, call, reconcile=reconcile) if self._effects else call())

    def once_sync(self, key: str, call: Callable[[], Json]) -> Json:
        """The same for agents that run in a thread or process. `call` may run in another thread."""
        if self._effects is None:
            return call()
        if _on_loop():
            raise RuntimeError("once_sync would block the event loop; use 'await ctx.once(...)' or isolation='thread'.")
        work = self._effects.once(key, lambda: asyncio.to_thread(call))
        if self._loop is None:
            return asyncio.run(_resolved(work))
        return asyncio.run_coroutine_threadsafe(_resolved(work), self._loop).result(self.timeout)


async def _resolved(work: Awaitable[Json]) -> Json:
    return await work


def _on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
