"""What calls of tools in one attempt need of the engine: memory of calls, people's approvals of them, their events."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.db import transaction

from agents.types import CallApproval, Json
from orchestrator import events
from orchestrator.engine.assignment import Assignment
from orchestrator.engine.effects import TaskEffects
from orchestrator.engine.gates import VOIDED
from orchestrator.ports import gatekeeper

type InThread = Callable[..., Awaitable[Any]]


class TaskTools:
    """The part of `agents.types.ToolHost` that has to be remembered."""

    __slots__ = ("_effects", "_in_thread", "_job", "_notes")

    def __init__(self, job: Assignment, effects: TaskEffects, *, in_thread: InThread) -> None:
        self._job = job
        self._effects = effects
        self._in_thread = in_thread
        self._notes: list[tuple[str, dict[str, Json]]] | None = None

    async def approval(self, seal: str) -> CallApproval | None:
        """What people have approved of this very call for this task, since a migration has last voided answers."""
        voided = (self._job.claimed.spec or {}).get(VOIDED, 0)
        approved = await self._in_thread(_approved, self._job.claimed.id, voided)
        return CallApproval(approved[seal]) if seal in approved else None

    async def tell(self, kind: str, facts: dict[str, Json]) -> None:
        """Append an event now."""
        self._effects.was_used = True  # what came of tools is not for other runs
        await self._in_thread(_append, self._job, [(kind, facts)])

    def note(self, kind: str, facts: dict[str, Json]) -> None:
        """Append an event with the end of the attempt."""
        self._effects.was_used = True
        self._notes = [*(self._notes or ()), (kind, facts)]

    async def write_notes(self) -> None:
        """Append what was noted."""
        if self._notes:
            notes, self._notes = self._notes, None
            await self._in_thread(_append, self._job, notes)


def facts_of(job: Assignment) -> dict[str, Json]:
    """What the conditions of policies may read of a run, as `run`."""
    claimed = job.claimed
    return {
        "id": claimed.run_id,
        "workflow": job.plan.name,
        "step": job.step.key,
        "attempt": claimed.attempt,
        "revision": claimed.revision,
        "correlation_id": job.correlation_id,
    }


def _approved(task: int, after: int) -> Mapping[str, dict[str, Json] | None]:
    return gatekeeper().approved_calls(task, after=after)


@transaction.atomic
def _append(job: Assignment, notes: list[tuple[str, dict[str, Json]]]) -> None:
    claimed = job.claimed
    for kind, facts in notes:
        data = {**facts, "attempt": claimed.attempt}
        events.append(kind, actor=f"agent:{job.step.agent}", run_id=claimed.run_id, task_id=claimed.id, data=data)
