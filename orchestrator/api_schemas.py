"""What the API says about workflows, runs, tasks and stops."""

from datetime import datetime
from typing import Any, Literal

from ninja import Schema
from pydantic import Field

from orchestrator.api_errors import Line, Name, Note, Text
from orchestrator.definitions.errors import DefinitionProblem
from orchestrator.engine.outcomes import payload
from orchestrator.engine.policy import without_details
from orchestrator.groups import Standing
from orchestrator.models import Attempt, Run, Signal, StateEntry, Stop, Task, Workflow


class ProblemOut(Schema):
    """One thing to put right, or to know, in a definition."""

    file: str
    line: int
    step: str
    field: str
    message: str
    remedy: str

    @staticmethod
    def of(problem: DefinitionProblem) -> "ProblemOut":
        """As it is shown."""
        return ProblemOut(
            file=problem.file, line=problem.line, step=problem.step, field=problem.field,
            message=problem.message, remedy=problem.remedy,
        )  # fmt: skip


class DefinitionIn(Schema):
    """A definition's text, YAML or JSON, and the name that problems call it by."""

    source: str = Field(min_length=1, max_length=2_000_000)
    file: Line = "workflow.yaml"
    make_queues: bool = Field(
        False, description="Make the queues that it names and that do not exist; needs edit_queues."
    )


class CheckedOut(Schema):
    """What publishing would say."""

    valid: bool
    problems: list[ProblemOut]
    advice: list[ProblemOut]
    warnings: list[ProblemOut] = Field(description="What the publishing checks find; it refuses a strict definition.")


class PublishedOut(Schema):
    """The version that is now current; the same source again changes nothing."""

    workflow: str
    version: int
    digest: str
    advice: list[ProblemOut]
    warnings: list[ProblemOut] = Field(description="What the publishing checks found.")


class WorkflowOut(Schema):
    """A workflow and its current version."""

    name: str
    title: str
    description: str
    owner: str | None
    version: int | None
    published_at: datetime | None

    @staticmethod
    def of(workflow: Workflow) -> "WorkflowOut":
        """From a row with owner and current version loaded."""
        return WorkflowOut(**_workflow(workflow))


class WorkflowDetailOut(WorkflowOut):
    """With the definition as it was published."""

    definition: dict[str, Any]
    digest: str

    @staticmethod
    def with_definition(workflow: Workflow) -> "WorkflowDetailOut":
        """From a row with owner and current version loaded."""
        version = workflow.current_version
        return WorkflowDetailOut(
            **_workflow(workflow),
            definition=version.definition if version else {},
            digest=version.digest if version else "",
        )


def _workflow(workflow: Workflow) -> dict[str, Any]:
    version = workflow.current_version
    return {
        "name": workflow.name,
        "title": workflow.title,
        "description": workflow.description,
        "owner": workflow.owner.username if workflow.owner else None,
        "version": version.number if version else None,
        "published_at": version.published_at if version else None,
    }


class RunIn(Schema):
    """What to run, on which input."""

    workflow: Name
    input: dict[str, Any] = {}
    title: Line = ""
    correlation_id: Line = Field("", max_length=100)
    priority: int | None = Field(None, ge=0, le=9)
    over_limit: Literal["queue", "refuse"] | None = Field(
        None, description="When the workflow is at its limit: wait in the queue, or be refused with 429."
    )


class ReasonIn(Schema):
    """Why; it is kept in the audit trail."""

    reason: Text = Field(min_length=1)


class RunOut(Schema):
    """One run."""

    id: int
    workflow: str
    version: int
    title: str
    status: Literal["pending", "running", "paused", "compensating", "succeeded", "partial", "failed", "cancelled"]
    tasks: int
    remaining: int
    failed: int
    priority: int
    correlation_id: str
    started_by: str | None
    started_at: datetime
    ended_at: datetime | None
    error: Any = None

    @staticmethod
    def of(run: Run) -> "RunOut":
        """From a row with workflow, version and starter loaded."""
        return RunOut(**_run(run))


class RunLineOut(RunOut):
    """With what it waits for, or how it ended, in one sentence."""

    waits_for: str

    @staticmethod
    def with_sentence(run: Run, waits_for: str) -> "RunLineOut":
        """From a row with workflow, version and starter loaded."""
        return RunLineOut(**_run(run), waits_for=waits_for)


class RunDetailOut(RunLineOut):
    """With its input as well."""

    input: dict[str, Any]
    outcome: dict[str, Any] | None = Field(
        None,
        description="Of a run that ended in part: status, completed_agents, failed_agents {agent, error, impact},"
        " results, confidence with its explanation, and recommendations {act, task}: acts on tasks.",
    )

    @staticmethod
    def with_input(run: Run, waits_for: str) -> "RunDetailOut":
        """From a row with workflow, version and starter loaded."""
        return RunDetailOut(**_run(run), input=run.input, waits_for=waits_for, outcome=payload(run))


def _run(run: Run) -> dict[str, Any]:
    copied = ("id", "title", "status", "remaining", "failed", "priority", "correlation_id", "started_at", "ended_at")
    return {name: getattr(run, name) for name in (*copied, "error")} | {
        "workflow": run.workflow.name,
        "version": run.version.number,
        "tasks": run.total,
        "started_by": run.started_by.username if run.started_by else None,
    }


class RunsOut(Schema):
    """A page of runs, newest first. `next` continues it as `before`."""

    items: list[RunLineOut]
    next: int | None


class TaskOut(Schema):
    """One step of one run."""

    id: int
    run: int
    key: str
    kind: str
    status: str
    attempt: int
    failures: int
    losses: int
    revision: int
    wait_for: str
    confidence: float | None
    ready_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    error: Any = None

    @staticmethod
    def of(task: Task, *, hidden: bool = False) -> "TaskOut":
        """From a row; `hidden`: without what the machine thinks of it, from who is to judge it first."""
        return TaskOut(**_task(task) | ({"confidence": None} if hidden else {}))


class AttemptOut(Schema):
    """One ended try."""

    number: int
    status: str
    agent_version: int | None
    started_at: datetime | None
    ended_at: datetime
    tokens_in: int
    tokens_out: int
    cost: float
    error: Any = None

    @staticmethod
    def of(attempt: Attempt, *, details: bool) -> "AttemptOut":
        """From a row; the class and stack of its error only with `details`."""
        values = {name: getattr(attempt, name) for name in AttemptOut.model_fields}
        return AttemptOut(**values if details else {**values, "error": without_details(attempt.error)})


class TaskDetailOut(TaskOut):
    """With what went in and came out, and its tries."""

    input: Any = None
    output: Any = None
    attempts: list[AttemptOut]

    @staticmethod
    def with_attempts(task: Task, *, details: bool) -> "TaskDetailOut":
        """From a row; reads its attempts. The classes and stacks of errors only with `details`."""
        attempts = [AttemptOut.of(attempt, details=details) for attempt in task.attempts.order_by("number", "id")[:200]]
        return TaskDetailOut(**_task(task), input=task.input, output=task.output, attempts=attempts)


def _task(task: Task) -> dict[str, Any]:
    values = {name: getattr(task, name) for name in TaskOut.model_fields if name != "run"}
    return {**values, "run": task.run_id, "error": without_details(task.error)}


class NoteIn(Schema):
    """What a person says to a pattern, and what it should change; what it does not understand it leaves."""

    text: Note = Field(min_length=1, description="At most 4,000 characters.")
    kind: Literal["note", "end"] = "note"
    disposition: Line = Field("", description="With kind end: how it ends.")
    next: Line = Field("", description="group_chat: who speaks next.")
    changes: list[dict[str, Any]] = Field(
        [], max_length=100, description="magentic: [{do: add, change or drop, id, title, agent, input, why}]."
    )
    set: dict[str, Any] = Field({}, description="concurrent_sync: findings by key.")

    def more(self) -> dict[str, Any]:
        """What comes with the words."""
        named = {name: getattr(self, name) for name in ("disposition", "next", "changes", "set")}
        return {name: value for name, value in named.items() if value}


class NoteOut(Schema):
    """A note as it is kept; `version` counts those of one task."""

    version: int
    by: str
    kind: str
    text: str
    data: dict[str, Any]
    at: datetime

    @staticmethod
    def of(entry: StateEntry) -> "NoteOut":
        """From a row."""
        value: dict[str, Any] = entry.value or {}
        more = {name: found for name, found in value.items() if name not in {"text", "kind"}}
        return NoteOut(
            version=entry.version, by=entry.writer, kind=value["kind"], text=value["text"], data=more,
            at=entry.written_at,
        )  # fmt: skip


class TasksOut(Schema):
    """A page of a run's tasks in the order of its plan. `next` continues it as `after`."""

    items: list[TaskOut]
    next: int | None


class StopIn(Schema):
    """What to stop: everything, or one workflow or agent by name."""

    scope: Literal["everything", "workflow", "agent"]
    name: Name | None = None
    reason: Text = Field(min_length=1)


class StopOut(Schema):
    """A stop and what it did, as measured by the workers that obeyed it."""

    id: int
    scope: str
    name: str | None
    reason: str
    stopped_by: str | None
    stopped_at: datetime
    lifted_by: str | None
    lifted_at: datetime | None
    effect: dict[str, Any]

    @staticmethod
    def of(stop: Stop, name: str | None) -> "StopOut":
        """From a row with its people loaded."""
        return StopOut(
            id=stop.pk, scope=stop.scope, name=name, reason=stop.reason, stopped_at=stop.stopped_at,
            stopped_by=stop.stopped_by.username if stop.stopped_by else None,
            lifted_by=stop.lifted_by.username if stop.lifted_by else None,
            lifted_at=stop.lifted_at, effect=stop.effect,
        )  # fmt: skip


class SignalOut(Schema):
    """A signal as it was recorded; `number` is its place among all signals."""

    number: int
    name: str
    key: str
    data: dict[str, Any]
    id: str | None
    sent_by: str
    sent_at: datetime
    expires_at: datetime

    @staticmethod
    def of(signal: Signal) -> "SignalOut":
        """From a row."""
        return SignalOut(
            number=signal.pk, name=signal.name, key=signal.key, data=signal.data, id=signal.dedup,
            sent_by=signal.sent_by, sent_at=signal.sent_at, expires_at=signal.expires_at,
        )  # fmt: skip


class SignalsOut(Schema):
    """Some signals, and where the next ones begin."""

    items: list[SignalOut]
    next: int | None


class GroupOut(Schema):
    """A consumer group: the last signal it has handed on, the newest there is, and how many are still to come."""

    name: str
    workflow: str
    signal: str
    match: str
    recent: int
    enabled: bool
    position: int
    head: int
    behind: int
    replays: int
    created_by: str | None
    created_at: datetime

    @staticmethod
    def of(standing: Standing) -> "GroupOut":
        """From a group and where it stands."""
        group = standing.group
        return GroupOut(
            name=group.name, workflow=group.workflow.name, signal=group.signal, match=group.match, recent=group.recent,
            enabled=group.enabled, position=group.position, head=standing.head, behind=standing.behind,
            replays=group.replays, created_by=group.created_by.username if group.created_by else None,
            created_at=group.created_at,
        )  # fmt: skip
