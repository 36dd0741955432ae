"""What comes between a step's input and its agent's call: who does it, whether they may, whether it was done before,
and whether a budget lets it. For nearly every call that is a look at the plan and nothing else.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

from agents import on_demand
from agents.lifecycle import routes
from agents.types import Completed, Json, Outcome
from orchestrator import budgets
from orchestrator.engine import authority, budgeting, caching, selecting
from orchestrator.engine.assignment import Assignment

type InThread = Callable[..., Awaitable[Any]]
DUE: Final = 0.7  # of the time for which a view is fresh


class Call:
    """The agent is to be called: nothing took its place."""


CALL: Final = Call()


async def instead_of_calling(
    job: Assignment, given: dict[str, Json], shift: int, in_thread: InThread
) -> Completed | Call | None:
    """A result from before; CALL to make the call; None if its task has been ended, or waits, instead."""
    step = job.step
    if step.select is not None and not await in_thread(selecting.choose, job, shift):
        return None
    if on_demand.may_have(job.step.agent):
        await in_thread(on_demand.load, job.step.agent)
    await _route(job, in_thread)
    step = job.step
    if step.category and not await in_thread(authority.permits, job, shift):
        return None
    if step.cache_s and (known := await in_thread(caching.find, job, given)) is not None:
        assert isinstance(known, Completed)
        return known
    documents = budgets.documents_in(given)
    budgeting.view.wanted = True
    if budgeting.view.is_stale():
        await in_thread(budgeting.refresh)
    if not budgeting.view.covers(job, documents):
        return CALL
    if not await in_thread(budgeting.reserve, job, shift, documents):
        return None
    job.used = budgets.Used(documents=documents, held=True)
    return CALL


async def keep_fresh(in_thread: InThread) -> None:
    """Read anew what calls have looked at, before it is so old that the next call would wait for it.

    Where nothing was called since, it may grow old: whoever comes then reads it first.
    """
    for known in (budgeting, routes):
        if known.view.wanted and known.view.is_stale(DUE):
            await in_thread(known.refresh, DUE)


async def _route(job: Assignment, in_thread: InThread) -> None:
    """Which version of its agent does it, where the definition leaves that open."""
    routes.view.wanted = True
    if routes.view.is_stale():
        await in_thread(routes.refresh)
    if job.step.agent_version is None and (version := routes.view.version_for(job.step.agent, job.claimed.id)):
        job.step = replace(job.step, agent_version=version)


def note_use(job: Assignment, outcome: Outcome, *, seconds: float) -> None:
    """Remember what the call used, for the end of its attempt and for the calls to come."""
    held = job.used.held
    job.used = budgets.Used(outcome.usage, seconds / 60, max(job.used.documents, 1), held=held)
    if held:
        job.tell(used=job.used.by_resource())
    if outcome.usage.tokens_in or outcome.usage.tokens_out or held:
        budgeting.view.note(job.step.agent, outcome.usage)
