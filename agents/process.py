"""Reusable child processes for agents that need to be killable, one call at a time each. Used by `agents.calling`.

A child is a fresh interpreter (`agents.process_host`) in its own session, reached over a socket pair. It is started
when first needed, kept for the next call, killed when its call is cancelled, and dies with the worker. The pool
outlives event loops, so that shifts share warm children; use it from one running loop at a time.
"""

import asyncio
import contextlib
import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import orjson

from agents.context import AgentContext
from agents.errors import AgentFailure, AgentsError, ProcessDied
from agents.specs import AgentSpec
from agents.types import AgentRequest, Effects, Json, Memory, Outcome
from agents.wire import FRAME_LIMIT, LENGTH, pack, unpack_outcome

REAP_SECONDS = 0.2


class ProcessPool:
    """At most `size` children. `close()` kills them; so does the end of this process."""

    def __init__(self, size: int | None = None) -> None:
        self.size = size or max(2, os.cpu_count() or 2)
        self._idle: list[_Child] = []
        self._dying: list[_Child] = []
        self._slots: tuple[asyncio.AbstractEventLoop, asyncio.Semaphore] | None = None

    async def run(self, spec: AgentSpec, request: AgentRequest, context: AgentContext) -> Outcome:
        """Run one call in a child. Cancelling kills the child, its death raises ProcessDied; the pool heals."""
        async with self._slot():
            child = self._take()
            context.started = True
            try:
                outcome = await child.run(spec, request, context)
            except BaseException:
                self._kill(child)
                raise
            self._idle.append(child)
            return outcome

    def close(self) -> None:
        """Kill every idle child. Calls still running kill theirs when they are cancelled."""
        while self._idle:
            self._kill(self._idle.pop())

    def pids(self) -> list[int]:
        """Process ids of idle children, for health pages and tests."""
        return [child.pid for child in self._idle]

    def _slot(self) -> asyncio.Semaphore:
        # A semaphore belongs to the loop it was first used on, and each shift brings its own.
        loop = asyncio.get_running_loop()
        if self._slots is None or self._slots[0] is not loop:
            self._slots = (loop, asyncio.Semaphore(self.size))
        return self._slots[1]

    def _take(self) -> "_Child":
        self._dying = [child for child in self._dying if not child.reap(0)]  # killed earlier, not yet collected
        while self._idle:
            child = self._idle.pop()
            if child.is_alive():
                return child
            self._kill(child)
        return _Child()

    def _kill(self, child: "_Child") -> None:
        child.kill()
        if not child.reap(REAP_SECONDS):
            self._dying.append(child)


class _Child:
    """One child process and our end of its channel."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            # The child binds itself to its parent's life (PR_SET_PDEATHSIG); the kernel ties that to the thread that
            # started it, so children are started by the thread that runs the loop.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "agents.process_host", str(theirs.fileno()), str(os.getpid())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},  # noqa: PTH109
            )
        ours.setblocking(False)
        self._channel = ours
        self.pid = self._process.pid

    def is_alive(self) -> bool:
        # Looks without reaping: until it is reaped no other process can get its id, so killing is safe.
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    async def run(self, spec: AgentSpec, request: AgentRequest, context: AgentContext) -> Outcome:
        await self._send(
            {
                "entrypoint": spec.entrypoint,
                "agent": spec.name,
                "version": spec.version,
                "input": orjson.Fragment(orjson.dumps(request.input)),
                "key": request.key,
                "attempt": request.attempt,
                "timeout": request.timeout,
                "note": request.note,
                "correlation_id": request.correlation_id,
                "effects": request.effects is not None,
                "memory": request.memory is not None,
                "approvals": [dataclasses.asdict(one) for one in request.approvals],
            }
        )
        while True:
            frame = await self._receive()
            if "outcome" in frame:
                return unpack_outcome(frame["outcome"])
            if "tool" in frame:
                await self._tool(frame, context)
            elif "ask" in frame:
                await self._ask(frame, request.memory)
            else:
                await self._once(frame["once"], request.effects)

    async def _tool(self, frame: dict[str, Any], context: AgentContext) -> None:
        """Serve the child's `ctx.tools`: policies, secrets and tools are the worker's; the child gets the result."""
        try:
            if frame["tool"] is None:
                answer: Json = list[Json](await context.tools.available())
            else:
                given = {name: frame[name] for name in ("scopes", "label")}
                answer = await context.tools.call(frame["tool"], frame["arguments"], **given)
        except AgentFailure as failed:
            about = {"message": failed.message, "code": failed.code, "retry_after": failed.retry_after}
            await self._send({"failed": failed.kind, **about})
        except AgentsError as refused:
            facts = {name: fact if isinstance(fact, int | float) else str(fact) for name, fact in refused.facts.items()}
            await self._send({"refused": type(refused).__name__, "facts": facts})
        else:
            await self._send({"answer": answer})

    async def _ask(self, frame: dict[str, Any], memory: Memory | None) -> None:
        """Serve the child's `ctx.state` and `ctx.checkpoint`; what the engine refuses is raised in the child."""
        if memory is None:
            raise ProcessDied(status="an unexpected request")
        try:
            answer = await memory.ask(frame["ask"], frame["given"])
        except AgentsError as refused:
            await self._send({"refused": type(refused).__name__, "facts": refused.facts})
        else:
            await self._send({"answer": answer})

    async def _once(self, key: str, effects: Effects | None) -> None:
        """Serve the child's `ctx.once`: the engine keeps the record, the child makes the call."""
        if effects is None:
            raise ProcessDied(status="an unexpected request")
        try:
            stored = await effects.once(key, self._made_by_child)
        except _CallFailed:
            return  # the child raised, and goes on with its own exception
        except Exception as error:
            await self._send({"refused": getattr(error, "code", ""), "message": str(error)})
            raise
        await self._send({"stored": stored})

    async def _made_by_child(self) -> Json:
        await self._send({"run": True})
        frame = await self._receive()
        if "done" not in frame:
            raise _CallFailed(frame.get("failed", ""))
        done: Json = frame["done"]
        return done

    async def _send(self, frame: dict[str, Any]) -> None:
        try:
            await asyncio.get_running_loop().sock_sendall(self._channel, pack(frame))
        except OSError as error:
            raise await self._death() from error

    async def _receive(self) -> dict[str, Any]:
        size = LENGTH.unpack(await self._exactly(LENGTH.size))[0]
        if size > FRAME_LIMIT:
            raise ProcessDied(status=f"an answer of {size:,} bytes")
        frame: dict[str, Any] = orjson.loads(await self._exactly(size))
        return frame

    async def _exactly(self, size: int) -> bytes:
        loop = asyncio.get_running_loop()
        parts = bytearray()
        while len(parts) < size:
            try:
                part = await loop.sock_recv(self._channel, min(size - len(parts), 1 << 20))
            except OSError as error:
                raise await self._death() from error
            if not part:
                raise await self._death()
            parts += part
        return bytes(parts)

    async def _death(self) -> ProcessDied:
        """How the process ended, in words. A closed channel comes a moment before the end it announces."""
        deadline = time.monotonic() + REAP_SECONDS
        while self.is_alive() and time.monotonic() < deadline:
            await asyncio.sleep(0.002)
        self.kill()
        self.reap(REAP_SECONDS)
        code = self._process.returncode
        if code is None:
            return ProcessDied(status="a closed channel")
        return ProcessDied(status=signal.Signals(-code).name if code < 0 else f"exit code {code}")

    def kill(self) -> None:
        """SIGKILL to the whole group: what the agent started goes with it."""
        self._channel.close()
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def reap(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True


class _CallFailed(Exception):
    """The call that an effect stands for raised in the child."""
