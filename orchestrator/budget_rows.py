"""The budgets of a run, workflow, agent or team as pages and acts show them, and what calls have cost in all."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.auth.models import Group, User
from django.db.models import Count, Q, QuerySet, Sum
from django.utils.translation import gettext as _

from agents.models import Agent
from agents.registry import budget_of
from orchestrator import budgets
from orchestrator.budgets import RESOURCES, REST, WARN_AT
from orchestrator.engine.plans import plan_of
from orchestrator.models import Attempt, Budget, Run, Workflow, WorkflowVersion, task_id

NEWEST_RUNS: Final = 1000  # over which totals are summed


def resources() -> dict[str, str]:
    """What can be limited, in people's words."""
    return {
        "documents": _("Documents"), "tokens": _("Tokens"), "minutes": _("Minutes"), "calls": _("Calls"),
        "cost": _("Cost"),
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One budget. `of` is the agent within a run, `orchestrator` for all without a share, "" for a whole scope."""

    scope: str
    ref: int
    of: str
    resource: str
    limit: float
    spent: float = 0.0
    reserved: float = 0.0
    pk: int | None = None  # None: stated by the plan, and no call has drawn on it yet
    name: str = ""  # of the workflow, agent or team
    warned_at: datetime | None = None

    @property
    def words(self) -> str:
        """In words, as events and questions name it."""
        about = {"scope": self.scope, "ref": self.ref, "resource": self.resource, "agent": self.of}
        return budgets.words(about, name=self.name)

    @property
    def said(self) -> str:
        """The same in the user's language, as tables have it."""
        what = {"what": resources().get(self.resource, self.resource), "ref": self.ref, "of": self.name or self.ref}
        match self.scope:
            case "run" if not self.ref:
                return _("%(what)s of each run") % what
            case "run":
                return _("%(what)s of run %(ref)s") % what
            case "run_agent" if self.ref:
                return _("%(what)s of %(agent)s in run %(ref)s") % {**what, "agent": self.of or REST}
            case "run_agent":
                return _("%(what)s of %(agent)s in each run") % {**what, "agent": self.of or REST}
            case "workflow":
                return _("%(what)s of workflow %(of)s") % what
            case "agent":
                return _("%(what)s of agent %(of)s") % what
        return _("%(what)s of team %(of)s") % what

    @property
    def left(self) -> float:
        """What may still be held."""
        return max(0.0, self.limit - self.spent - self.reserved)

    @property
    def share(self) -> float:
        """The part of the limit that is spent."""
        return self.spent / self.limit if self.limit else 1.0

    @property
    def tone(self) -> str:
        """How it is doing: good, waiting from 80 % on, failed when nothing is left."""
        if self.spent >= self.limit:
            return "failed"
        return "waiting" if self.share > WARN_AT else "good"

    @property
    def parts(self) -> list[tuple[str, float]]:
        """Spent, held and left, as the parts of a bar."""
        return [(self.tone, self.spent), ("running", self.reserved), ("pending", self.left)]


@dataclass(frozen=True, slots=True)
class Total:
    """What calls have used over the newest runs."""

    calls: int
    tokens: int
    cost: float


def of_run(run: Run) -> list[Row]:
    """The budgets of a run: for the whole of it, then for each agent, in the order of resources."""
    return _with_planned(run, _stored(scope__in=("run", "run_agent"), ref=run.pk))


def around(run: Run) -> list[Row]:
    """Every budget that a run's calls fall under: its own, then its workflow's and its teams'."""
    person = run.started_by_id or run.workflow.owner_id or 0
    inside = Q(scope__in=("run", "run_agent"), ref=run.pk)
    team = Q(scope="team", ref__in=User.groups.through.objects.filter(user_id=person).values("group_id"))
    found = list(_stored(inside | Q(scope="workflow", ref=run.workflow_id) | team))
    within = [row for row in found if row.scope in ("run", "run_agent")]
    return [*_with_planned(run, within), *(row for row in found if row not in within)]


def _with_planned(run: Run, found: Iterable[Row]) -> list[Row]:
    stored = {(row.scope, row.of, row.resource): row for row in found}
    return sorted({**_planned(run), **stored}.values(), key=_order)


def own(agent: Agent) -> list[Row]:
    """What an agent may use in each run: as registered, or as people have changed it."""
    newest = agent.versions.order_by("-number").first()
    found = {
        resource: Row("run_agent", 0, agent.name, resource, limit)
        for resource, limit in (budget_of(newest) if newest else {}).items()
    }
    found |= {row.resource: row for row in _stored(scope="run_agent", ref=0, agent=agent)}
    return sorted(found.values(), key=_order)


def standing(scope: str, ref: int) -> list[Row]:
    """The budgets over all runs of an agent, a workflow or a team."""
    return sorted(_stored(scope=scope, ref=ref), key=_order)


def of_teams() -> list[Row]:
    """The budgets of all teams."""
    return sorted(_stored(scope="team"), key=lambda row: (row.name, *_order(row)))


def stated(version: WorkflowVersion | None) -> tuple[list[Row], dict[str, float]]:
    """What a version grants each of its runs, and its table of shares."""
    if version is None:
        return [], {}
    plan = plan_of(version.pk)
    return [Row("run", 0, "", resource, limit) for resource, limit in plan.budgets.items()], plan.shares


def total(*, workflow: Workflow | None = None, agent: Agent | None = None) -> Total:
    """The sum of all calls of a workflow or an agent in the newest runs."""
    newest = Run.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    attempts = Attempt.objects.filter(
        task_id__gte=task_id(max(0, newest - NEWEST_RUNS), 0), agent_version__isnull=False
    )
    if workflow is not None:
        attempts = attempts.filter(task__workflow=workflow)
    if agent is not None:
        attempts = attempts.filter(task__agent=agent)
    return _sum(attempts)


def _sum(attempts: QuerySet[Attempt]) -> Total:
    found = attempts.order_by().aggregate(
        n=Count("id"), t_in=Sum("tokens_in"), t_out=Sum("tokens_out"), cost=Sum("cost")
    )
    return Total(found["n"], (found["t_in"] or 0) + (found["t_out"] or 0), found["cost"] or 0.0)


def _planned(run: Run) -> dict[tuple[str, str, str], Row]:
    plan = plan_of(run.version_id)
    found = [Row("run", run.pk, "", resource, limit) for resource, limit in plan.budgets.items()]
    found += [
        Row("run_agent", run.pk, agent, resource, share * limit)
        for agent, share in plan.shares.items()
        for resource, limit in plan.budgets.items()
    ]
    return {(row.scope, row.of, row.resource): row for row in found}


def _stored(*which: Q, **columns: Any) -> Iterator[Row]:
    found = list(Budget.objects.filter(*which, **columns).select_related("agent").order_by("pk")[:1000])
    names = _names(found)
    for row in found:
        within = (row.agent.name if row.agent else REST) if row.scope == "run_agent" else ""
        name = names.get((row.scope, row.ref), "")
        yield Row(
            row.scope, row.ref, within, row.resource, row.limit, row.spent, row.reserved, row.pk, name, row.warned_at
        )


def _names(found: Iterable[Budget]) -> dict[tuple[str, int], str]:
    refs: dict[str, set[int]] = {}
    for row in found:
        refs.setdefault(row.scope, set()).add(row.ref)
    models: dict[str, type[Agent] | type[Workflow] | type[Group]] = {
        "agent": Agent,
        "workflow": Workflow,
        "team": Group,
    }
    return {
        (scope, pk): name
        for scope, model in models.items()
        if scope in refs
        for pk, name in model._default_manager.filter(pk__in=refs[scope]).values_list("pk", "name")
    }


def _order(row: Row) -> tuple[bool, str, int]:
    return bool(row.of), row.of, RESOURCES.index(row.resource)
