"""Workflows, runs, tasks and events. Statuses are written by `orchestrator/engine` only.

Task, Attempt and Event rows carry no foreign-key constraint in the database: they are written in batches by the
engine's SQL functions only, and `manage.py check_invariants` verifies what the constraint would.
"""

from django.contrib.auth.models import User
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from agents.models import Agent
from orchestrator.states import AttemptStatus, RunStatus, TaskStatus

TASK_BITS = 20  # a task's id is (run id << 20) | index of its step in the run


class Workflow(models.Model):
    """A named process. Object permissions (guardian) hang here."""

    name = models.SlugField(max_length=100, unique=True)
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True)
    current_version = models.ForeignKey(
        "WorkflowVersion", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())
    single_agent = models.ForeignKey(
        Agent,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="New runs give it every step whose contract it keeps: the fallback from several agents to one.",
    )

    frozen_at = models.DateTimeField(
        null=True, blank=True, help_text="Since then only a certified version is made current."
    )
    frozen_reason = models.TextField(blank=True, default="", db_default="")
    weight = models.SmallIntegerField(
        null=True, blank=True, help_text="Share of the workers that people have set; empty: its definition's."
    )

    class Meta:
        ordering = ["title"]
        permissions = [
            ("see_runs", "See runs of this workflow"),
            ("start_run", "Start runs of this workflow"),
            ("steer_run", "Pause, resume, cancel and retry runs of this workflow"),
            ("publish_version", "Publish a version of this workflow"),
            ("stop_workflow", "Stop this workflow"),
        ]

    def __str__(self) -> str:
        return self.title


class WorkflowVersion(models.Model):
    """One immutable definition of a workflow, as written (`source`) and as compiled (`plan`)."""

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    source = models.TextField()
    definition = models.JSONField()
    plan = models.JSONField()
    checks = models.JSONField(
        default=list, db_default=[], help_text="What the publishing checks warned of: see orchestrator.checks."
    )
    digest = models.CharField(max_length=64)
    teams = models.JSONField(
        default=dict,
        db_default={},
        help_text="Whose steps are whose: the places of each team's in the plan, by its name.",
    )
    published_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True)
    published_at = models.DateTimeField(db_default=Now())
    deprecated_at = models.DateTimeField(null=True, blank=True, help_text="Since then no run comes to it.")
    certified_at = models.DateTimeField(
        null=True, blank=True, help_text="It passed its rehearsal, and somebody said so."
    )
    certified_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["workflow_id", "-number"]
        constraints = [models.UniqueConstraint(fields=["workflow", "number"], name="one_row_per_workflow_version")]

    def __str__(self) -> str:
        return f"{self.workflow.name} v{self.number}"


class Step(models.Model):
    """One node of a version's plan in the columns that `start_run` copies into tasks. Written by publishing."""

    version = models.ForeignKey(WorkflowVersion, on_delete=models.CASCADE, related_name="steps")
    index = models.IntegerField()
    key = models.CharField(max_length=100)
    kind = models.CharField(max_length=20)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, null=True, blank=True)
    dependencies = models.IntegerField(help_text="How many steps must end before this one may start.")
    need = models.IntegerField(default=0, help_text="So many of them must succeed; 0: all must have ended, one fed.")
    successors = ArrayField(models.IntegerField(), default=list)
    lane = models.CharField(max_length=50, default="default")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "index"], name="one_row_per_step")]


class Lane(models.Model):
    """A pool of workers' ready tasks and its virtual clock (start-time fair queueing)."""

    name = models.CharField(max_length=50, primary_key=True)
    clock = models.BigIntegerField(default=0)


class Run(models.Model):
    """One execution of a WorkflowVersion."""

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="runs")
    version = models.ForeignKey(WorkflowVersion, on_delete=models.PROTECT)
    title = models.CharField(max_length=300)
    status = models.CharField(max_length=20, choices=RunStatus.choices)
    input = models.JSONField(default=dict)
    started_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True)
    idempotency_key = models.CharField(max_length=200, null=True, blank=True)
    correlation_id = models.CharField(max_length=100, db_index=True)
    priority = models.SmallIntegerField(default=0)
    weight = models.SmallIntegerField(default=1)
    virtual_finish = models.BigIntegerField(default=0)
    total = models.IntegerField()
    remaining = models.IntegerField(help_text="Tasks that have not ended.")
    failed = models.IntegerField(default=0)
    error = models.JSONField(null=True, blank=True)
    outcome = models.JSONField(null=True, blank=True, help_text="Partial success: what failed, its impact, what to do.")
    parent_task = models.BigIntegerField(null=True, help_text="The subworkflow task that started this run.")
    paused_with = models.BigIntegerField(
        null=True, help_text="The run, or as a negative number the stop, that paused this one with it."
    )
    forked_from = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="forks")
    forked_at = models.BigIntegerField(null=True, help_text="The event of that run after which this one began.")
    deadline_at = models.DateTimeField(null=True, help_text="A run still alive then is escalated.")
    started_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["workflow", "idempotency_key"], name="one_run_per_idempotency_key"),
            models.CheckConstraint(condition=models.Q(remaining__gte=0), name="run_remaining_not_negative"),
        ]
        indexes = [
            models.Index(fields=["workflow", "-id"], name="run_list_by_workflow"),
            # run list; watch floor: live runs by workflow, counted without reading a row
            models.Index(fields=["status", "-id"], include=["workflow"], name="run_list_by_status"),
            models.Index(
                fields=["-ended_at"],
                include=["id", "workflow", "status"],
                condition=models.Q(ended_at__isnull=False),
                name="run_ended",
            ),  # watch floor: finished today
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.title}"


class TaskQuerySet(models.QuerySet["Task"]):
    """Ways to find tasks that stay quick with millions stored."""

    def of_run(self, run_id: int) -> "TaskQuerySet":
        """A run's tasks, by the range of their ids: there is no index on run."""
        return self.filter(id__gte=task_id(run_id, 0), id__lt=task_id(run_id + 1, 0))


class Task(models.Model):
    """One step within one run. While it runs, the row itself is its attempt (number, shift, start)."""

    id = models.BigIntegerField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="tasks", db_constraint=False, db_index=False)
    workflow = models.ForeignKey(
        Workflow, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    version = models.ForeignKey(
        WorkflowVersion, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    key = models.CharField(max_length=100)
    kind = models.CharField(max_length=20)
    agent = models.ForeignKey(
        Agent, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False, db_index=False
    )
    status = models.CharField(max_length=20, choices=TaskStatus.choices)
    lane = models.CharField(max_length=50)
    priority = models.SmallIntegerField(default=0)
    virtual_start = models.BigIntegerField(default=0)
    held = models.BooleanField(default=False, help_text="The run is paused: not claimable.")
    limited = models.BooleanField(default=False, help_text="The agent has a concurrency or rate limit.")
    pending = models.IntegerField(help_text="Dependencies that have not ended.")
    fed = models.IntegerField(default=0, help_text="Dependencies that succeeded; 1 where there is none.")
    need = models.IntegerField(
        default=0, help_text="So many dependencies must succeed; 0: all must have ended, one fed."
    )
    suspect = models.BooleanField(default=False, help_text="Two workers were lost while running it: it runs alone now.")
    successors = ArrayField(models.IntegerField(), default=list)
    parent = models.BigIntegerField(null=True, help_text="The task that spawned it, if its version does not name it.")
    spec = models.JSONField(null=True, help_text="What differs from the version's step: see definitions.plan.own_step.")
    state = models.JSONField(null=True, help_text="What a coordinating task remembers from one turn to the next.")
    attempt = models.SmallIntegerField(default=0)
    failures = models.SmallIntegerField(default=0, help_text="The agent's own failures.")
    losses = models.SmallIntegerField(default=0, help_text="Workers lost while running it.")
    revision = models.SmallIntegerField(default=0, help_text="Times a reviewer sent it back.")
    shift = models.BigIntegerField(null=True)
    wait_for = models.CharField(
        max_length=20,
        blank=True,
        default="",
        help_text="gate, quarantine, retry, timer, event, callback, run, breaker, budget",
    )
    note = models.TextField(blank=True, default="")
    ready_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    input = models.JSONField(null=True)
    output = models.JSONField(null=True)
    confidence = models.FloatField(null=True)
    error = models.JSONField(null=True)

    objects = TaskQuerySet.as_manager()

    class Meta:
        ordering = ["id"]


class Attempt(models.Model):
    """One ended try at a task. The running try is the task row itself."""

    id = models.BigAutoField(primary_key=True)
    task = models.ForeignKey(
        Task, on_delete=models.PROTECT, related_name="attempts", db_constraint=False, db_index=False
    )
    number = models.SmallIntegerField()
    status = models.CharField(max_length=20, choices=AttemptStatus.choices)
    shift = models.BigIntegerField(null=True)
    agent_version = models.IntegerField(null=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField()
    tokens_in = models.IntegerField(default=0)
    tokens_out = models.IntegerField(default=0)
    cost = models.FloatField(default=0)
    error = models.JSONField(null=True)
    output = models.JSONField(null=True, help_text="Kept only where it was not applied (late).")

    class Meta:
        ordering = ["task_id", "number"]
        constraints = [models.UniqueConstraint(fields=["task", "number"], name="one_row_per_attempt")]


class Event(models.Model):
    """An append-only fact in the past tense. Partitioned by month, written by SQL, read through the ledger."""

    id = models.BigIntegerField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.DO_NOTHING, null=True, related_name="+", db_constraint=False)
    task = models.ForeignKey(Task, on_delete=models.DO_NOTHING, null=True, related_name="+", db_constraint=False)
    kind = models.CharField(max_length=50)
    at = models.DateTimeField()
    actor = models.CharField(max_length=200)
    data = models.JSONField(null=True)

    class Meta:
        managed = False
        db_table = "orchestrator_event"


class LedgerEntry(models.Model):
    """The sealed order of events: gap-free `pos`, hash chain. Written by the sequencer only."""

    pos = models.BigIntegerField(primary_key=True)
    event_id = models.BigIntegerField(unique=True)
    prev_hash = models.BinaryField()
    hash = models.BinaryField()

    class Meta:
        managed = False
        db_table = "orchestrator_ledger"


class Shift(models.Model):
    """A bounded stay of one worker process at the engine; its lease covers every task it has claimed."""

    id = models.BigAutoField(primary_key=True)
    process = models.CharField(max_length=200)
    capacity = models.IntegerField()
    pool = models.CharField(
        max_length=40, default="default", db_default="default", help_text="Whose lanes it takes from."
    )
    idle = models.BooleanField(default=False)
    started_at = models.DateTimeField(db_default=Now())
    renewed_at = models.DateTimeField(db_default=Now())
    lease_until = models.DateTimeField()
    suspected_at = models.DateTimeField(null=True, help_text="A sweep found its session lock free.")
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=20, blank=True, default="")

    class Meta:
        indexes = [
            models.Index(fields=["id"], condition=models.Q(ended_at=None), name="shift_live")
        ]  # sweep, idle look-up


def task_id(run_id: int, index: int) -> int:
    """The id of the task at `index` in a run's plan."""
    return (run_id << TASK_BITS) | index
