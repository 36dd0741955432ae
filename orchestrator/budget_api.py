"""REST v1: the budgets of runs, workflows, agents and teams; the acts `set-budget` and `move-budget` change them."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime

from django.contrib.auth.models import Group
from django.http import Http404, HttpRequest
from ninja import Router, Schema
from pydantic import Field

from agents.models import Agent
from orchestrator import budget_rows, queries, teams
from orchestrator.api_errors import ERRORS, Forbidden, Id, Name, RunId, caller
from orchestrator.budget_rows import Row
from orchestrator.ports import rights

run_routes = Router(tags=["Runs"])
workflow_routes = Router(tags=["Workflows"])
agent_routes = Router(tags=["Agents"])
team_routes = Router(tags=["Teams"])
SUMMARY = "List its budgets"


class BudgetOut(Schema):
    """One budget. Documents and calls are counted, minutes are an agent's working time, cost is in US dollars."""

    scope: str = Field(description="run, run_agent (an agent within a run), agent, workflow or team.")
    agent: str = Field(description="Within a run: whose; orchestrator stands for all without a share.")
    resource: str
    limit: float
    spent: float
    reserved: float = Field(description="Held by calls under way.")
    left: float
    words: str
    warned_at: datetime | None = Field(description="When 80 % was passed; said once.")


class TeamOut(Schema):
    """A group of people whose runs share budgets."""

    id: int
    name: str
    people: int
    budgets: list[BudgetOut]


class ChangeOut(Schema):
    """A limit that was set (`was`, `limit`; null: none) or an `amount` that was moved."""

    at: datetime
    by: str
    words: str
    reason: str
    was: float | None
    limit: float | None
    amount: float | None


@run_routes.get("/{run_id}/budgets", response={200: list[BudgetOut], **ERRORS}, summary=SUMMARY)
def run_budgets(request: HttpRequest, run_id: RunId) -> list[BudgetOut]:
    """Everything that its calls draw on: the run's and its agents' within it, its workflow's and its teams'."""
    return _shown(budget_rows.around(queries.get_visible_run_or_404(caller(request), run_id)))


@workflow_routes.get("/{name}/budgets", response={200: list[BudgetOut], **ERRORS}, summary=SUMMARY)
def workflow_budgets(request: HttpRequest, name: Name) -> list[BudgetOut]:
    """Over all its runs."""
    found = queries.get_visible_workflow_or_404(caller(request), name)
    return _shown(budget_rows.standing("workflow", found.pk))


@agent_routes.get("/{name}/budgets", response={200: list[BudgetOut], **ERRORS}, summary=SUMMARY)
def agent_budgets(request: HttpRequest, name: Name) -> list[BudgetOut]:
    """In each run, then over all runs."""
    if not rights().can(caller(request), "see_agents"):
        raise Forbidden(verb="see agents")
    found = Agent.objects.filter(name=name).first()
    if found is None:
        raise Http404
    return _shown([*budget_rows.own(found), *budget_rows.standing("agent", found.pk)])


@team_routes.get("", response={200: list[TeamOut], **ERRORS}, summary="List teams")
def all_teams(request: HttpRequest) -> list[TeamOut]:
    """Those with budgets first."""
    found = teams.every(caller(request))
    return [TeamOut(id=team.pk, name=team.name, people=team.people, budgets=_shown(team.rows)) for team in found]


@team_routes.get("/{team}/budgets", response={200: list[BudgetOut], **ERRORS}, summary=SUMMARY)
def team_budgets(request: HttpRequest, team: Id) -> list[BudgetOut]:
    """Over all runs that its people start, and those that nobody started of workflows that its people own."""
    return _shown(budget_rows.standing("team", _team(request, team).pk))


@team_routes.get("/{team}/changes", response={200: list[ChangeOut], **ERRORS}, summary="List changes of its limits")
def team_changes(request: HttpRequest, team: Id) -> list[ChangeOut]:
    """The newest first, moves from and to it among them."""
    return [ChangeOut(**asdict(change)) for change in teams.changes(_team(request, team))]


def _team(request: HttpRequest, pk: int) -> Group:
    return teams.get_visible_team_or_404(caller(request), pk)


def _shown(rows: Iterable[Row]) -> list[BudgetOut]:
    return [
        BudgetOut(
            scope=row.scope, agent=row.of, resource=row.resource, limit=row.limit, spent=row.spent,
            reserved=row.reserved, left=row.left, words=row.words, warned_at=row.warned_at,
        )
        for row in rows
    ]  # fmt: skip
