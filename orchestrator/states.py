"""Every status and every legal move. Only `orchestrator/engine` and its SQL write them."""

from django.db import models


class RunStatus(models.TextChoices):
    PENDING = "pending"  # over a limit of its workflow: starts when there is room
    RUNNING = "running"
    PAUSED = "paused"
    COMPENSATING = "compensating"  # failed, cancelled or rolled back, and what it did is being undone
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"  # ended, but steps that its result needs gave none: see Run.outcome
    FAILED = "failed"
    CANCELLED = "cancelled"


class TaskStatus(models.TextChoices):
    BLOCKED = "blocked"
    READY = "ready"
    RUNNING = "running"
    WAITING = "waiting"  # for a person, a time, the outside or a run (see Task.wait_for)
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class AttemptStatus(models.TextChoices):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SUSPENDED = "suspended"  # ended without a verdict on the agent: gate opened, stopped, released by a draining shift
    EXPIRED = "expired"  # its worker was lost
    LATE = "late"  # finished after it had been replaced; its output is kept here and never applied


RUN_TERMINAL = frozenset({RunStatus.SUCCEEDED, RunStatus.PARTIAL, RunStatus.FAILED, RunStatus.CANCELLED})
RUN_LIVE = frozenset({RunStatus.PENDING, RunStatus.RUNNING, RunStatus.PAUSED, RunStatus.COMPENSATING})
TASK_TERMINAL = frozenset({TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.SKIPPED, TaskStatus.CANCELLED})

RUN_TRANSITIONS: dict[str, frozenset[str]] = {
    RunStatus.PENDING: frozenset({RunStatus.RUNNING, RunStatus.CANCELLED}),
    RunStatus.RUNNING: frozenset({RunStatus.PAUSED, RunStatus.COMPENSATING, *RUN_TERMINAL}),
    RunStatus.PAUSED: frozenset({RunStatus.RUNNING, RunStatus.COMPENSATING, *RUN_TERMINAL}),
    RunStatus.COMPENSATING: frozenset({RunStatus.RUNNING, RunStatus.FAILED, RunStatus.CANCELLED}),
    # Rolled back by a person, after undoing what has to be undone; what failed is also retried.
    RunStatus.SUCCEEDED: frozenset({RunStatus.RUNNING, RunStatus.COMPENSATING}),
    RunStatus.PARTIAL: frozenset({RunStatus.RUNNING, RunStatus.COMPENSATING}),
    RunStatus.FAILED: frozenset({RunStatus.RUNNING, RunStatus.COMPENSATING}),
    RunStatus.CANCELLED: frozenset(),
}
TASK_TRANSITIONS: dict[str, frozenset[str]] = {
    # A person may give a step's output before it has run, or skip it (acts.tasks). Waiting: its run is stranded.
    TaskStatus.BLOCKED: frozenset(
        {TaskStatus.READY, TaskStatus.WAITING, TaskStatus.SUCCEEDED, TaskStatus.SKIPPED, TaskStatus.CANCELLED}
    ),
    TaskStatus.READY: frozenset(
        {TaskStatus.RUNNING, TaskStatus.BLOCKED, TaskStatus.SUCCEEDED, TaskStatus.SKIPPED, TaskStatus.CANCELLED}
        | {TaskStatus.WAITING}  # its agent is out of service
    ),
    TaskStatus.RUNNING: frozenset(
        {
            TaskStatus.READY,
            TaskStatus.BLOCKED,  # it has spawned tasks and waits for them
            TaskStatus.WAITING,
            TaskStatus.SUCCEEDED,
            TaskStatus.FAILED,
            TaskStatus.SKIPPED,
            TaskStatus.CANCELLED,
        }
    ),
    TaskStatus.WAITING: frozenset(
        {
            TaskStatus.READY,
            TaskStatus.BLOCKED,
            TaskStatus.SUCCEEDED,
            TaskStatus.FAILED,
            TaskStatus.SKIPPED,
            TaskStatus.CANCELLED,
        }
    ),
    # Sent back by a reviewer of a later step, or rolled back.
    TaskStatus.SUCCEEDED: frozenset({TaskStatus.BLOCKED, TaskStatus.READY}),
    TaskStatus.FAILED: frozenset({TaskStatus.BLOCKED, TaskStatus.READY, TaskStatus.WAITING}),  # again, by a person
    TaskStatus.SKIPPED: frozenset({TaskStatus.BLOCKED, TaskStatus.READY}),  # rolled back
    TaskStatus.CANCELLED: frozenset({TaskStatus.BLOCKED, TaskStatus.READY}),  # its failed run is retried
}
