"""REST v1: runs in which the caller's team has steps. The team's own tasks are read at /tasks/{task}."""

from datetime import datetime
from typing import Annotated

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from orchestrator import parts
from orchestrator.api_errors import ERRORS, Limit, RunId, caller
from orchestrator.models import Run

part_routes = Router(tags=["Runs"])


class PartLineOut(Schema):
    """A run in which a team of the caller's has a step: how far it is, and nothing that was given to it."""

    run: int
    workflow: str
    version: int
    status: str
    tasks: int
    remaining: int
    started_at: datetime
    ended_at: datetime | None

    @staticmethod
    def of(run: Run) -> "PartLineOut":
        """From a row with workflow and version loaded."""
        return PartLineOut(
            run=run.pk, workflow=run.workflow.name, version=run.version.number, status=run.status, tasks=run.total,
            remaining=run.remaining, started_at=run.started_at, ended_at=run.ended_at,
        )  # fmt: skip


class PartsOut(Schema):
    """A page of them, newest first. `next` continues it as `before`."""

    items: list[PartLineOut]
    next: int | None


class PartStepOut(Schema):
    """One step. Of other teams' steps nothing else is told, and `task` is null."""

    key: str
    title: str
    team: str = Field(description="Whose it is; empty: nobody's.")
    status: str
    task: int | None = Field(description="One's own team's: to be read at /tasks/{task}.")
    started_at: datetime | None
    ended_at: datetime | None
    spawned: dict[str, int] = Field(description="The tasks that it has started, by status.")

    @staticmethod
    def of(line: parts.Line) -> "PartStepOut":
        """As a page shows it."""
        return PartStepOut(
            key=line.key, title=line.title, team=line.team, status=line.status, task=line.task,
            started_at=line.started_at, ended_at=line.ended_at, spawned=dict(line.spawned),
        )  # fmt: skip


class PartOut(PartLineOut):
    """One run with its steps."""

    teams: list[str] = Field(description="The caller's.")
    steps: list[PartStepOut]
    left_out: int = Field(description="Steps beyond those that are listed.")


@part_routes.get("", response={200: PartsOut, **ERRORS}, summary="List runs with steps of your teams")
def list_parts(
    request: HttpRequest,
    before: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
    limit: Limit = 50,
) -> PartsOut:
    """Also those that you may not see as a whole. Go on with `before` set to the last `next`."""
    rows, older = parts.page(caller(request), before=before, limit=limit)
    return PartsOut(items=[PartLineOut.of(run) for run in rows], next=older)


@part_routes.get("/{run_id}", response={200: PartOut, **ERRORS}, summary="Get your teams' part of a run")
def get_part(request: HttpRequest, run_id: RunId) -> PartOut:
    """Its steps: yours with their tasks, those of other teams by name and status."""
    user = caller(request)
    found = parts.part(user, parts.get_run_or_404(user, run_id))
    return PartOut(
        **PartLineOut.of(found.run).dict(),
        teams=list(found.teams),
        steps=[PartStepOut.of(line) for line in found.lines],
        left_out=found.left_out,
    )
