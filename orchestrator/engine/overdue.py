"""Agents' calls under way in a shift, and when each should long have ended: one that will not stop holds up nobody."""

from time import monotonic
from typing import Final

import structlog

from agents.types import Failed
from orchestrator.engine import threads
from orchestrator.engine.assignment import Assignment
from orchestrator.engine.endings import end_failed

GRACE_SECONDS: Final = 1.5  # after its timeout an agent has so long to stop; then its task goes on without it

log = structlog.get_logger(__name__)


class Calls:
    """When each call should have ended, by task."""

    def __init__(self) -> None:
        self._due: dict[int, tuple[float, Assignment]] = {}

    def began(self, job: Assignment) -> None:
        """A call begins; what is not an agent's call has no end that could be overdue."""
        if job.step.kind == "automated":
            self._due[job.claimed.id] = (monotonic() + job.step.timeout + GRACE_SECONDS, job)

    def ended(self, task: int) -> None:
        """It has ended, or is no longer ours."""
        self._due.pop(task, None)

    def overdue(self) -> list[Assignment]:
        """Calls that were told to stop at their timeout and have not."""
        now = monotonic()
        return [job for at, job in self._due.values() if now > at]


async def give_up(job: Assignment, shift: int) -> None:
    """End the attempt as timed out; what the agent returns one day is late."""
    log.error("agent_does_not_stop", task_id=job.claimed.id, agent=job.step.agent)
    message = f"{job.step.agent} did not finish within {job.step.timeout:g} seconds, nor stop when told to."
    await threads.database(end_failed, job, shift, {}, Failed("transient", "timeout", message))
