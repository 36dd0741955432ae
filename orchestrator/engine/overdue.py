"""Agents' calls under way in a shift, and when each should long have ended: one that will not stop holds up nobody."""

from collections.abc import Iterable
from time import monotonic
from typing import Final

import structlog

from agents.types import Failed
from orchestrator.engine import threads
from orchestrator.engine.assignment import Assignment
from orchestrator.engine.endings import end_failed

GRACE_SECONDS: Final = 1.5  # after its timeout an agent has so long to stop; then its task goes on without it

log = structlog.get_logger(__name__)


def overdue(jobs: Iterable[Assignment]) -> list[Assignment]:
    """Calls that were told to stop at their timeout and have not. What is no agent's call has no end to be overdue."""
    now = monotonic()
    calls = (job for job in jobs if job.step.kind == "automated")
    return [job for job in calls if now > job.began + job.step.timeout + GRACE_SECONDS]


async def give_up(job: Assignment, shift: int) -> None:
    """End the attempt as timed out; what the agent returns one day is late."""
    log.error("agent_does_not_stop", task_id=job.claimed.id, agent=job.step.agent)
    message = f"{job.step.agent} did not finish within {job.step.timeout:g} seconds, nor stop when told to."
    await threads.database(end_failed, job, shift, {}, Failed("transient", "timeout", message))
