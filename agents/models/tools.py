"""Tools, their immutable versions, what was done with them, and the policies that allow it."""

from django.contrib.auth.models import User
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now


class Tool(models.Model):
    """A tool's identity, its limits (which belong to people) and its circuit breaker."""

    class State(models.TextChoices):
        CLOSED = "closed"
        OPEN = "open"
        HALF_OPEN = "half_open"

    name = models.CharField(max_length=100, unique=True)
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    owner = models.CharField(max_length=150, blank=True)
    rate_per_minute = models.PositiveIntegerField(null=True, blank=True)
    tokens = models.FloatField(default=0, help_text="Calls that the rate leaves now.")
    filled_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=20, choices=State.choices, default=State.CLOSED)
    failures = models.PositiveIntegerField(default=0, help_text="In a row.")
    threshold = models.PositiveIntegerField(default=5)
    reset_s = models.FloatField(default=30.0)
    opened_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=500, blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ToolVersion(models.Model):
    """One immutable version of a tool: contracts, risk, scopes and where its code lives."""

    tool = models.ForeignKey(Tool, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    risk = models.CharField(max_length=20)
    entrypoint = models.CharField(max_length=300)
    input_schema = models.JSONField(default=dict)
    output_schema = models.JSONField(default=dict)
    data_scopes = ArrayField(models.CharField(max_length=50), default=list)
    config = models.JSONField(default=dict, help_text="effects, dry_run, dry_run_first, compensate, secrets, sandbox")
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["tool_id", "-number"]
        constraints = [models.UniqueConstraint(fields=["tool", "number"], name="one_row_per_tool_version")]

    def __str__(self) -> str:
        return f"{self.tool.name} v{self.number}"


class ToolUse(models.Model):
    """One hour of what was decided about one agent's calls of one tool, counted; so every decision is on record."""

    agent = models.CharField(max_length=100)
    tool = models.CharField(max_length=100)
    decision = models.CharField(max_length=20, help_text="allowed, denied, asked, limited, failed")
    code = models.CharField(max_length=50, blank=True, default="")
    policy = models.CharField(max_length=100, blank=True, default="")
    entitlement = models.CharField(max_length=100, blank=True, default="")
    hour = models.DateTimeField()
    calls = models.PositiveIntegerField(default=0)
    total_ms = models.FloatField(default=0)
    last_at = models.DateTimeField()
    last_key = models.CharField(max_length=200, blank=True, default="", help_text="The latest call's idempotency key.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "tool", "decision", "code", "policy", "entitlement", "hour"], name="one_row_per_use"
            )
        ]
        indexes = [
            models.Index(fields=["tool", "-hour"], name="tool_use_by_tool"),  # a tool's page
            models.Index(fields=["policy", "entitlement", "-last_at"], name="tool_use_by_entitlement"),  # unused ones
            BrinIndex(fields=["hour"], name="tool_use_by_age"),  # retention
        ]


class ToolCall(models.Model):
    """One call of a tool that is told one by one: what went in and what came back, masked and cut, for a run's story.

    `seal` begins the seal of its `tool.called` event; `key` and `correlation_id` are the caller's. Goes by its age.
    """

    seal = models.CharField(max_length=16)
    key = models.CharField(max_length=200)
    correlation_id = models.CharField(max_length=200)
    given = models.TextField()
    got = models.TextField(blank=True, default="")
    ms = models.FloatField(default=0)
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["correlation_id", "seal"], name="tool_call_told"),  # a run's story
            BrinIndex(fields=["at"], name="tool_call_by_age"),  # retention
        ]


class Policy(models.Model):
    """A named set of entitlements and risk rules; `current` is in force, none is until one was approved."""

    name = models.SlugField(max_length=100, unique=True)
    current = models.ForeignKey("PolicyVersion", on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class PolicyVersion(models.Model):
    """One immutable text of a policy. Its tests have passed before it is stored."""

    class State(models.TextChoices):
        PROPOSED = "proposed"
        ACTIVE = "active"
        REPLACED = "replaced"
        REJECTED = "rejected"

    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    source = models.TextField()
    digest = models.CharField(max_length=64)
    commit = models.CharField(max_length=100, blank=True, default="", help_text="Where it came from, if imported.")
    state = models.CharField(max_length=20, choices=State.choices, default=State.PROPOSED)
    author = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["policy_id", "-number"]
        constraints = [models.UniqueConstraint(fields=["policy", "number"], name="one_row_per_policy_version")]

    def __str__(self) -> str:
        return f"{self.policy.name} v{self.number}"


class Revocation(models.Model):
    """An entitlement that people have taken away, whatever later versions of its policy say, until it is given back."""

    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="revocations")
    entitlement = models.CharField(max_length=100)
    reason = models.TextField(blank=True, default="")
    by = models.CharField(max_length=200)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["policy", "entitlement"], name="one_revocation_per_entitlement")]


class PolicyEpoch(models.Model):
    """One row (id 1): counts every change of policies, so that processes know when to read them again."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    value = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_policy_epoch")]


class SecretVersion(models.Model):
    """The version of a secret that was last fetched from its store, so that a new one is told. Never its value."""

    name = models.CharField(max_length=100, unique=True)
    version = models.CharField(max_length=100)
    seen_at = models.DateTimeField(auto_now=True)
