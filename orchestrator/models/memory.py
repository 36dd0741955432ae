"""What a run knows and leaves behind: side effects, shared state, checkpoints, cached results, files."""

from django.contrib.auth.models import User
from django.db import models
from django.db.models.functions import Now

from agents.models import Agent
from orchestrator.models.core import Run, Task, WorkflowVersion


class Effect(models.Model):
    """A side effect's memory: prepared -> sent -> confirmed | unknown, keyed without the attempt number."""

    task = models.ForeignKey(Task, on_delete=models.PROTECT, db_constraint=False, related_name="effects")
    key = models.CharField(max_length=200)
    status = models.CharField(max_length=20)
    attempt = models.SmallIntegerField()
    result = models.JSONField(null=True)
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "key"], name="one_effect_per_task_and_key")]


class StateEntry(models.Model):
    """One version of one key of a run's shared state. Never changed; the newest version is the value."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="state_entries")
    key = models.CharField(max_length=200)
    version = models.IntegerField()
    value = models.JSONField(null=True)
    deleted = models.BooleanField(default=False)
    writer = models.CharField(max_length=200, help_text="As an event's actor.")
    task = models.BigIntegerField(null=True)
    reason = models.TextField(blank=True, default="")
    written_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["run_id", "key", "version"]
        constraints = [models.UniqueConstraint(fields=["run", "key", "version"], name="one_row_per_state_version")]


class Conflict(models.Model):
    """Two values for one thing, of which a rule or a person must choose before what depends on it goes on."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="conflicts")
    task = models.BigIntegerField(help_text="The task that waits for the resolution.")
    key = models.CharField(max_length=200)
    sides = models.JSONField(help_text="[{writer, value, task}] as found.")
    resolution = models.JSONField(null=True)
    resolved_by = models.CharField(max_length=200, blank=True, default="", help_text="rule:<name> or user:<username>.")
    opened_at = models.DateTimeField(db_default=Now())
    resolved_at = models.DateTimeField(null=True)


class Checkpoint(models.Model):
    """A save point: decisions, completion, findings and next steps, never raw data."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="checkpoints")
    number = models.IntegerField()
    name = models.CharField(max_length=200)
    event = models.BigIntegerField(help_text="The run's last event when it was made.")
    decisions = models.JSONField(default=list)
    completion = models.JSONField(default=dict)
    findings = models.JSONField(default=list)
    next_steps = models.JSONField(default=list)
    created_by = models.CharField(max_length=200, help_text="As an event's actor.")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["run_id", "number"]
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="one_row_per_checkpoint")]


class CachedResult(models.Model):
    """An agent's output for an input that it was given before, where a step asks for that."""

    key = models.CharField(max_length=64, primary_key=True, help_text="SHA-256 of agent, version and input.")
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="+")
    output = models.JSONField()
    confidence = models.FloatField(null=True)
    task = models.BigIntegerField(help_text="The task that produced it.")
    hits = models.IntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()


class CacheUse(models.Model):
    """How often an agent's steps looked for an earlier result on one day, and found one."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="+")
    day = models.DateField()
    asked = models.IntegerField(default=0)
    hits = models.IntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["agent", "day"], name="one_cache_use_a_day")]


class Artifact(models.Model):
    """A file that a run delivered, or a large value moved out of a row; content-addressed."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="artifacts")
    task = models.ForeignKey(Task, on_delete=models.PROTECT, null=True, db_constraint=False)
    name = models.CharField(max_length=200)
    media_type = models.CharField(max_length=100)
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["task", "name"], name="one_artifact_per_task_and_name")]


class Content(models.Model):
    """The bytes behind artifacts and large outputs, stored once per SHA-256."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    body = models.BinaryField()
    size = models.IntegerField()


class Rehearsal(models.Model):
    """A workflow's trial with stub agents and injected faults, and what recovered by itself."""

    version = models.ForeignKey(WorkflowVersion, on_delete=models.PROTECT, related_name="rehearsals")
    passed = models.BooleanField()
    report = models.JSONField()
    by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField(db_default=Now())
