"""What an agent is told about its call, how it makes a side effect happen once, and what it keeps. No Django."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from agents import tracing
from agents.errors import ToolDenied
from agents.memory import AgentMemory, AgentState, checkpoint_given
from agents.messaging.mailbox import Messages
from agents.types import AgentRequest, Approval, Json, ModelDesk, Tools, Veil


class AgentContext:
    """Handed to every agent as its second argument. `key` is stable across attempts: send it with outside calls."""

    __slots__ = ("_loop", "_messages", "_request", "_tools", "started")

    def __init__(
        self, request: AgentRequest, loop: asyncio.AbstractEventLoop | None = None, tools: Tools | None = None
    ) -> None:
        self.started = False  # false while the call waits for a thread or process
        # Ten thousand waiting calls keep one of these each: what few of them use is made when it is used.
        self._request = request
        self._messages: Messages | None = None
        self._tools = tools
        self._loop = loop

    @property
    def attempt(self) -> int:
        """The how manyth attempt at the task this is, from 1."""
        return self._request.attempt

    @property
    def key(self) -> str:
        """The same for every attempt: the idempotency key of outside calls."""
        return self._request.key

    @property
    def note(self) -> str:
        """What a reviewer asked for when they sent the work back; empty otherwise."""
        return self._request.note

    @property
    def correlation_id(self) -> str:
        """What ties this run to others' records."""
        return self._request.correlation_id

    @property
    def traceparent(self) -> str:
        """W3C Trace Context: send it with outside calls, and their spans lie in the run's trace."""
        return tracing.of_call(self.correlation_id, self.key, self.attempt)

    @property
    def approvals(self) -> tuple[Approval, ...]:
        """What people said to this agent's own questions about this task."""
        return self._request.approvals

    @property
    def answer_to(self) -> Callable[[], str] | None:
        """Makes the signed address at which an answer may come later; None where none can."""
        return self._request.answer_to

    @property
    def timeout(self) -> float:
        """Seconds that the call may take."""
        return self._request.timeout

    @property
    def desk(self) -> ModelDesk | None:
        """What a call of a language model tells whoever made it."""
        return self._request.desk

    @property
    def veil(self) -> Veil | None:
        """What stands between a model elsewhere and people's data; None where nothing was replaced."""
        return self._request.veil

    @property
    def state(self) -> AgentState:
        """The run's state, as far as this agent may read and write it."""
        return AgentState(self._request.memory)

    @property
    def memory(self) -> AgentMemory:
        """What this agent remembers."""
        return AgentMemory(self._request.memory)

    @property
    def tools(self) -> "AgentTools":
        """The tools that it may call."""
        return AgentTools(self._tools, self)

    @property
    def messages(self) -> Messages:
        """Its mailbox: one for the whole call, because it counts what was sent."""
        if self._messages is None:
            self._messages = Messages(self._request.memory, self._request.key)
        return self._messages

    async def once(
        self, key: str, call: Callable[[], Awaitable[Json]], *, reconcile: Callable[[], Awaitable[Json]] | None = None
    ) -> Json:
        """Run `call` unless this task's effect `key` is already confirmed; return the stored result.

        If an earlier attempt died between sending and hearing back, `reconcile` asks the provider: the result, or None
        if nothing arrived. Without it (and always in an agent with a process of its own) a person is asked.
        Without an engine behind the call (a test, a shell) nothing is remembered and `call` just runs.
        """
        return await (self._request.effects.once(key, call, reconcile=reconcile) if self._request.effects else call())

    def once_sync(self, key: str, call: Callable[[], Json]) -> Json:
        """The same for agents that run in a thread or process. `call` may run in another thread."""
        if self._request.effects is None:
            return call()
        _refuse_on_loop()
        return self.wait_for(_resolved(self._request.effects.once(key, lambda: asyncio.to_thread(call))))

    async def checkpoint(
        self,
        name: str,
        *,
        decisions: Sequence[dict[str, Json]] = (),
        completion: dict[str, Json] | None = None,
        findings: Sequence[dict[str, Json]] = (),
        next_steps: Sequence[str] = (),
    ) -> int:
        """Make a save point: what was decided and why, how far the work is, what was found, what is next. Its number.

        `decisions` are {decision, reasoning}, `completion` {status, share}, `findings` {finding, confidence}. Raw data
        and answers of services are refused (CheckpointRefused): see agents.checkpoints.
        """
        given = checkpoint_given(name, decisions, completion, findings, next_steps)
        number: Any = await self._request.memory.ask("checkpoint", given) if self._request.memory else 0
        return number or 0

    async def discover(self, finding: str, *, confidence: float | None = None) -> int:
        """Tell what was found, up to 2,000 characters, and how sure that is (0-1); its number among this step's.

        An event says so, and `<step>.findings` of the run's state lists it. The same words again are no other finding.
        """
        number: Any = 0
        if self._request.memory:
            number = await self._request.memory.ask("discover", {"finding": finding, "confidence": confidence})
        return number or 0

    async def last_checkpoint(self) -> dict[str, Any] | None:
        """The newest checkpoint of this task, made by an earlier attempt perhaps: go on from there. None if none."""
        found = await self._request.memory.ask("last_checkpoint", {}) if self._request.memory else None
        return found if isinstance(found, dict) else None

    def approval(self, action: Mapping[str, Json]) -> dict[str, Json] | None:
        """What people answered when this task asked about exactly this action with `NeedsApproval(resume=True)`: its
        proposal as they left or edited it. None: nobody has agreed yet, so ask."""
        return next((found.answer for found in reversed(self.approvals) if found.action == action), None)

    def wait_for[T](self, work: Coroutine[Any, Any, T]) -> T:
        """The result of one of these calls for an agent that runs in a thread or process:
        `ctx.wait_for(ctx.state.get("draft"))`."""
        try:
            _refuse_on_loop()
        except RuntimeError:
            work.close()
            raise
        if self._loop is None:
            return asyncio.run(work)
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(self.timeout)


class AgentTools:
    """The tools of one call. Every call of a tool is judged by the policies in force; see docs/tools.md."""

    __slots__ = ("_context", "_tools")

    def __init__(self, tools: Tools | None, context: AgentContext) -> None:
        self._tools = tools
        self._context = context

    async def call(
        self, name: str, arguments: Any = None, *, scopes: Sequence[str] | None = None, label: str = ""
    ) -> Json:
        """Call a tool and return its result.

        `scopes` are the data scopes that the call touches, all of the tool's by default; `label` tells calls apart that
        are otherwise the same. Raises subclasses of agents.errors.ToolRefused, and what the tool says of its failure.
        """
        if self._tools is None:
            raise ToolDenied(
                agent="This agent", tool=name, why="nothing here runs tools", remedy="call it in a run, or in a test"
            )
        return await self._tools.call(name, arguments, scopes=scopes, label=label)

    def call_sync(
        self, name: str, arguments: Any = None, *, scopes: Sequence[str] | None = None, label: str = ""
    ) -> Json:
        """The same for agents that run in a thread or process."""
        return self._context.wait_for(self.call(name, arguments, scopes=scopes, label=label))

    @property
    def made(self) -> dict[str, int]:
        """How often each call was made in this attempt."""
        return self._tools.made if self._tools else {}

    def go_on_from(self, made: Mapping[str, int]) -> None:
        """This attempt goes on where an earlier one had made so many calls."""
        if self._tools:
            self._tools.go_on_from(made)

    async def available(self) -> list[dict[str, Json]]:
        """The tools that some entitlement of this agent is about: name, description, input (JSON Schema), risk."""
        return await self._tools.available() if self._tools else []


async def _resolved(work: Awaitable[Json]) -> Json:
    return await work


def _refuse_on_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("This would block the event loop; use 'await ctx.once(...)' or isolation='thread'.")
