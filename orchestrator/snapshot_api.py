"""REST v1: a run's shared state and its checkpoints, and the run as it was at any place of the ledger."""

from datetime import datetime
from typing import Annotated, Any

import orjson
from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router, Schema
from pydantic import Field, StringConstraints

from orchestrator import snapshots, state_queries, unbiased
from orchestrator.api import visible_run
from orchestrator.api_errors import ERRORS, Line, RunId, caller
from orchestrator.models import TASK_BITS, Checkpoint, StateEntry
from orchestrator.replay import RunState
from orchestrator.snapshots import Snapshot
from orchestrator.state_queries import Change

past = Router(tags=["Runs"])

Pos = Annotated[int, Path(ge=1, le=2**63 - 1)]
StateKey = Annotated[str, StringConstraints(min_length=3, max_length=200, pattern=r"^[^\x00-\x1f\x7f/]+$")]
Version = Annotated[int, Query(ge=0, le=2**31 - 1)]


class TaskThenOut(Schema):
    """One task as it was."""

    id: int
    key: str
    status: str
    attempt: int


class GateThenOut(Schema):
    """One gate as it was; no verdict: it was open. No task: it was about the whole run."""

    id: int
    task: int | None
    verdict: str


class StateOut(Schema):
    """One version of a key of the run's shared state."""

    key: str
    version: int
    value: Any
    deleted: bool
    writer: str
    task: int | None
    reason: str
    written_at: datetime

    @staticmethod
    def of(entry: StateEntry) -> "StateOut":
        """As it is shown."""
        columns = ("key", "version", "value", "deleted", "writer", "task", "reason", "written_at")
        return StateOut(**{column: getattr(entry, column) for column in columns})


class DifferenceOut(Schema):
    """One difference between two versions: the path, what stood there, and what stands there now."""

    path: str
    before: Any
    after: Any


class DiffOut(Schema):
    """What changed between two versions of a key."""

    key: str
    old: int
    new: int
    changes: list[DifferenceOut]

    @staticmethod
    def of(key: str, old: int, new: int, changes: list[Change]) -> "DiffOut":
        """As it is shown."""
        return DiffOut(key=key, old=old, new=new, changes=[DifferenceOut(**change._asdict()) for change in changes])


class CheckpointOut(Schema):
    """A save point."""

    number: int
    name: str
    decisions: list[Any]
    completion: dict[str, Any]
    findings: list[Any]
    next_steps: list[Any]
    created_by: str
    created_at: datetime

    @staticmethod
    def of(made: Checkpoint) -> "CheckpointOut":
        """As it is shown."""
        names = CheckpointOut.model_fields
        return CheckpointOut(**{name: getattr(made, name) for name in names})


class SnapshotOut(Schema):
    """A run as it was just after a place of the ledger."""

    run: int
    pos: int
    status: str
    events: int = Field(description="How many of the run's events it was rebuilt from.")
    tasks: list[TaskThenOut]
    state: list[StateOut]
    gates: list[GateThenOut]
    checkpoints: dict[int, str]


def written(found: Snapshot, pos: int, *, hidden: frozenset[int] = frozenset()) -> bytes:
    """A SnapshotOut as it is sent. Five thousand tasks are written as they are: a model for each took half the time."""
    state: RunState = found.state
    keys, statuses, first = found.keys_of_tasks(), found.statuses, found.run.pk << TASK_BITS
    kept = unbiased.entries((entry for _, entry in sorted(found.values().items())), hidden)
    values = [StateOut.of(entry) for entry in kept]
    return orjson.dumps(
        {
            "run": found.run.pk,
            "pos": pos,
            "status": state.status or "",
            "events": found.facts,
            "tasks": [
                {"id": first | at, "key": keys[at], "status": statuses[at], "attempt": task.attempt}
                for at, task in enumerate(state.tasks)
            ],
            "state": [orjson.Fragment(value.model_dump_json()) for value in values],
            "gates": [
                {"id": pk, "task": gate.task_id, "verdict": gate.verdict} for pk, gate in sorted(state.gates.items())
            ],
            "checkpoints": {str(number): name for number, name in state.checkpoints.items()},
        }
    )


@past.get("/{run_id}/at/{pos}", response={200: SnapshotOut, **ERRORS}, summary="Get a run as it was")
def run_at(request: HttpRequest, run_id: RunId, pos: Pos) -> HttpResponse:
    """Status, tasks, shared state, gates and checkpoints just after this place of the ledger, rebuilt from events."""
    found = snapshots.at_pos(visible_run(caller(request), run_id), pos)
    hidden = unbiased.hidden_tasks(caller(request), found.run)
    return HttpResponse(written(found, pos, hidden=hidden), content_type="application/json; charset=utf-8")


@past.get("/{run_id}/state", response={200: list[StateOut], **ERRORS}, summary="List a run's shared state")
def list_state(request: HttpRequest, run_id: RunId, search: Line = "") -> list[StateOut]:
    """The newest version of each key, in order; `search` looks into keys and values. At most 1,000."""
    run = visible_run(caller(request), run_id)
    found = state_queries.newest(run.pk, search=search)
    return [StateOut.of(entry) for entry in unbiased.entries(found, unbiased.hidden_tasks(caller(request), run))]


@past.get("/{run_id}/state/{key}", response={200: list[StateOut], **ERRORS}, summary="Get a state key's history")
def state_history(request: HttpRequest, run_id: RunId, key: StateKey) -> list[StateOut]:
    """Every version of a key, the newest first. At most 500."""
    run = visible_run(caller(request), run_id)
    found = state_queries.history(run.pk, key)
    return [StateOut.of(entry) for entry in unbiased.entries(found, unbiased.hidden_tasks(caller(request), run))]


@past.get("/{run_id}/state/{key}/diff", response={200: DiffOut, **ERRORS}, summary="Compare two versions")
def state_diff(request: HttpRequest, run_id: RunId, key: StateKey, old: Version = 0, new: Version = 1) -> DiffOut:
    """What changed between two versions of a key; version 0 is before the first."""
    run = visible_run(caller(request), run_id)
    hidden = unbiased.hidden_tasks(caller(request), run)
    return DiffOut.of(key, old, new, state_queries.diff(run.pk, key, old, new, hidden=hidden))


@past.get("/{run_id}/checkpoints", response={200: list[CheckpointOut], **ERRORS}, summary="List a run's checkpoints")
def list_checkpoints(request: HttpRequest, run_id: RunId) -> list[CheckpointOut]:
    """The newest first. At most 1,000."""
    run = visible_run(caller(request), run_id)
    found = Checkpoint.objects.filter(run=run).order_by("-number")
    return [CheckpointOut.of(made) for made in unbiased.checkpoints(found, unbiased.hidden_tasks(caller(request), run))]
