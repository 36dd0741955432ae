"""`agents.types.ModelDesk` for one attempt: its tier by the budgets it falls under, its words, what it used."""

from time import monotonic
from typing import Final

from django.db.models import Q

from agents import models_used
from agents.models import Agent
from agents.models_used import CallOf
from agents.types import Usage
from orchestrator.engine import budgeting
from orchestrator.engine.assignment import Assignment
from orchestrator.engine.effects import InThread
from orchestrator.models import Budget, WorkflowVersion

TIGHT: Final = 0.1  # below this share of a budget the cheaper model is used
SHOW_EVERY: Final = 0.5  # seconds: what people can read, and 2 small statements a second for a call


class TaskDesk:
    """For the agent of one attempt."""

    def __init__(self, job: Assignment, *, in_thread: InThread) -> None:
        claimed = job.claimed
        self._job = job
        self._in_thread = in_thread
        self._call = CallOf(
            f"task-{claimed.id}-{claimed.revision}", job.correlation_id, claimed.attempt, job.step.agent
        )
        self._shown_at = 0.0

    async def tier(self) -> str:
        """By the tightest budget of tokens or money that this call falls under."""
        tier: str = await self._in_thread(_tier, self._job)
        return tier

    async def words(self, text: str) -> None:
        """At most every half second; what comes between is in the next."""
        if monotonic() - self._shown_at < SHOW_EVERY:
            return
        self._shown_at = monotonic()
        await self._in_thread(models_used.show, self._call, text)

    async def ended(self, usage: Usage, failure: str) -> None:
        """Keep what it used."""
        await self._in_thread(_keep, self._call, usage, failure)


def _keep(call: CallOf, usage: Usage, failure: str) -> None:
    models_used.keep(call, usage, failure=failure)


def _tier(job: Assignment) -> str:
    run, agent = job.claimed.run_id, job.step.agent
    scopes = (
        Q(scope="agent", agent=None, ref__in=_agent_ids(agent))
        | Q(scope="run", ref=run)
        | Q(scope="run_agent", ref=run, agent__name=agent)
        | Q(scope="workflow", ref__in=_workflow_ids(job))
    )
    found = Budget.objects.filter(scopes, resource__in=("tokens", "cost"), limit__gt=0).select_related("agent")
    remaining = {budgeting.named(row): 1 - row.spent / row.limit for row in found}
    return models_used.note_tiers(agent, remaining, below=TIGHT)


def _agent_ids(name: str) -> list[int]:
    return list(Agent.objects.filter(name=name).values_list("pk", flat=True))


def _workflow_ids(job: Assignment) -> list[int]:
    return list(WorkflowVersion.objects.filter(pk=job.claimed.version_id).values_list("workflow_id", flat=True))
