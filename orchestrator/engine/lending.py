"""What one attempt lends to its agent's call: effects, memory, tools and a desk, each made when it is first used.

Ten thousand waiting calls hold one `Loan` each where they held five objects, and nearly none of them uses anything.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from agents.types import CallApproval, Json, Usage
from orchestrator import answer_tokens
from orchestrator.engine.assignment import Assignment
from orchestrator.engine.effects import InThread, TaskEffects
from orchestrator.engine.memory import TaskMemory
from orchestrator.engine.model_desk import TaskDesk
from orchestrator.engine.tooling import TaskTools, facts_of


class Loan:
    """`agents.types.Effects`, `Memory`, `ToolHost` and `ModelDesk` for one attempt."""

    __slots__ = ("_effects", "_in_thread", "_job", "_memory", "_tools")

    def __init__(self, job: Assignment, *, in_thread: InThread) -> None:
        self._job = job
        self._in_thread = in_thread
        self._effects: TaskEffects | None = None
        self._memory: TaskMemory | None = None
        self._tools: TaskTools | None = None

    @property
    def was_used(self) -> bool:
        """Whether the call made a side effect, or knows what only its run knows: what it says is not for other runs."""
        known = self._memory is not None and self._memory.was_used
        return known or (self._effects is not None and self._effects.was_used)

    def answer_to(self) -> str:
        """The signed address at which an answer may come later."""
        return answer_tokens.address(self._job.claimed.id, self._job.claimed.attempt)

    # Effects

    async def once(
        self, key: str, call: Callable[[], Awaitable[Json]], *, reconcile: Callable[[], Awaitable[Json]] | None = None
    ) -> Json:
        """See `TaskEffects`."""
        return await self._its_effects().once(key, call, reconcile=reconcile)

    def _its_effects(self) -> TaskEffects:
        if self._effects is None:
            claimed = self._job.claimed
            self._effects = TaskEffects(task_id=claimed.id, attempt=claimed.attempt, in_thread=self._in_thread)
        return self._effects

    # Memory

    async def ask(self, verb: str, given: dict[str, Json]) -> Json:
        """See `TaskMemory`."""
        if self._memory is None:
            self._memory = TaskMemory(self._job, in_thread=self._in_thread)
        return await self._memory.ask(verb, given)

    # ToolHost

    def facts(self) -> dict[str, Json]:
        """What the conditions of policies may read of a run, as `run`."""
        return facts_of(self._job)

    async def in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a database function in a thread, again while the database is away."""
        return await self._in_thread(function, *arguments)

    async def approval(self, seal: str) -> CallApproval | None:
        """See `TaskTools`."""
        return await self._its_tools().approval(seal)

    async def tell(self, kind: str, facts: dict[str, Json]) -> None:
        """See `TaskTools`."""
        await self._its_tools().tell(kind, facts)

    def note(self, kind: str, facts: dict[str, Json]) -> None:
        """See `TaskTools`."""
        self._its_tools().note(kind, facts)

    async def write_notes(self) -> None:
        """Append what was noted."""
        if self._tools is not None:
            await self._tools.write_notes()

    def _its_tools(self) -> TaskTools:
        if self._tools is None:
            self._tools = TaskTools(self._job, self._its_effects(), in_thread=self._in_thread)
        return self._tools

    # ModelDesk

    async def tier(self) -> str:
        """See `TaskDesk`."""
        return await self._its_desk().tier()

    async def words(self, text: str) -> None:
        """See `TaskDesk`."""
        await self._its_desk().words(text)

    async def recall(self, about: str) -> dict[str, Any] | None:
        """See `TaskDesk`."""
        return await self._its_desk().recall(about)

    async def remember(self, about: str, said: dict[str, Any]) -> None:
        """See `TaskDesk`."""
        await self._its_desk().remember(about, said)

    async def forget(self) -> None:
        """See `TaskDesk`."""
        await self._its_desk().forget()

    async def ended(self, usage: Usage, failure: str, seconds: float = 0.0) -> None:
        """See `TaskDesk`."""
        await self._its_desk().ended(usage, failure, seconds)

    def _its_desk(self) -> TaskDesk:
        return TaskDesk(self._job, in_thread=self._in_thread)
