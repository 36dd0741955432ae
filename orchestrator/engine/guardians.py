"""Guardians of an output: asked one after the other before it is used, each as far as its own budget reaches.

A guardian is called without effects and memory, and of what it answers only the verdict is read.
"""

from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import Any, Final

from agents.calling import call
from agents.process import ProcessPool
from agents.types import AgentRequest, Completed, Json, Usage
from orchestrator.engine import side_budgets
from orchestrator.engine.assignment import Assignment
from orchestrator.engine.assuring import VERDICTS, Watched

type InThread = Callable[..., Awaitable[Any]]
type Pools = tuple[Executor, ProcessPool]

GUARDIAN_SECONDS: Final = 30.0


async def watch(
    job: Assignment, given: dict[str, Json], outcome: Completed, pools: Pools, in_thread: InThread
) -> list[Watched]:
    """Ask the step's guardians one after the other, each as far as its own budget reaches.

    What that costs is the attempt's too, so that the run's budget holds it. One that may not be asked holds.
    """
    asked = job.step.quality
    found: list[Watched] = []
    for guardian in asked.guardians if asked else ():
        name, _, version = guardian.partition("@")
        grant = await in_thread(side_budgets.take, job, name) if side_budgets.covers(name) else side_budgets.FREE
        if grant.refused:
            found.append(Watched(name, "hold", f"the guardian was not asked: {grant.refused} is used up"[:500]))
            continue
        request = AgentRequest(
            agent=name, version=int(version) if version else None,
            input={"output": outcome.output, "input": given}, key=f"guard-{job.claimed.id}-{job.claimed.attempt}",
            attempt=1, timeout=GUARDIAN_SECONDS, correlation_id=job.correlation_id,
        )  # fmt: skip
        began = monotonic()
        answer = await call(request, threads=pools[0], processes=pools[1])
        usage = answer.usage
        if grant.budgets:
            await in_thread(partial(side_budgets.settle, job, grant, usage, seconds=monotonic() - began))
        job.used = replace(job.used, usage=_sum(job.used.usage, usage))
        found.append(_watched(name, answer))
    return found


def _watched(name: str, answer: object) -> Watched:
    if not isinstance(answer, Completed):
        said = getattr(answer, "message", "") or getattr(answer, "reason", "")
        return Watched(name, "hold", f"the guardian gave no verdict: {said}"[:500])
    verdict, reason = answer.output.get("verdict"), str(answer.output.get("reason") or "")[:500]
    if verdict not in VERDICTS:
        return Watched(name, "hold", f"the guardian gave no verdict: {verdict!r:.60}")
    return Watched(name, str(verdict), reason)


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(one.tokens_in + other.tokens_in, one.tokens_out + other.tokens_out, one.cost + other.cost)
