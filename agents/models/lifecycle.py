"""Which version of an agent works, what its calls came to, what is asked of it, and what fell short."""

from django.db import models
from django.db.models.functions import Now

from agents.models.registry import Agent


class AgentRelease(models.Model):
    """Which version does an agent's work; while nobody has promoted one, the newest registered does."""

    agent = models.OneToOneField(Agent, on_delete=models.CASCADE, primary_key=True, related_name="release")
    current = models.PositiveIntegerField(null=True)
    previous = models.PositiveIntegerField(null=True, help_text="In force before the current one: what a revert takes.")
    canary = models.PositiveIntegerField(null=True)
    share = models.PositiveSmallIntegerField(default=0, help_text="Of its tasks that the canary does, in percent.")
    canary_since = models.DateTimeField(null=True)
    hands = models.JSONField(
        default=dict, help_text="Version: who began or changed its canary, and may not promote it."
    )
    comparison = models.JSONField(default=dict, help_text="Canary and current as last compared.")
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(share__lte=50), name="canary_takes_half_at_most"),
            models.CheckConstraint(
                condition=models.Q(canary=None) | ~models.Q(canary=models.F("current")), name="canary_is_not_current"
            ),
        ]


class VersionMinute(models.Model):
    """One minute of one version's calls; `buckets` count latencies as `agents.lifecycle.histogram` says."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="+")
    version = models.PositiveIntegerField()
    minute = models.DateTimeField()
    calls = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    buckets = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "minute", "version"], name="one_row_per_version_minute")
        ]
        indexes = [models.Index(fields=["minute"], name="version_minutes_by_age")]


class Counted(models.Model):
    """So many in all, of what no event tells: see `agents.counted`. `bucket` -1: not a length of time."""

    name = models.CharField(max_length=40)
    agent = models.CharField(max_length=100)
    what = models.CharField(max_length=200, blank=True)
    bucket = models.SmallIntegerField(default=-1)
    n = models.BigIntegerField(default=0)
    total = models.FloatField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "agent", "what", "bucket"], name="one_row_per_count")]


class QualityTarget(models.Model):
    """What is asked of an agent, and what it last came to. Shares 0-1, milliseconds, hours."""

    agent = models.OneToOneField(Agent, on_delete=models.CASCADE, primary_key=True, related_name="target")
    accuracy = models.FloatField(null=True, help_text="Of its outputs that people decided on: the share that stood.")
    success = models.FloatField(null=True, help_text="The share of its calls that did not fail.")
    p95_ms = models.FloatField(null=True, help_text="95 of 100 calls end within this.")
    hours = models.PositiveSmallIntegerField(default=24, help_text="The window: what is measured lies in it.")
    set_by = models.CharField(max_length=150, blank=True)
    reason = models.TextField(blank=True)
    set_at = models.DateTimeField(db_default=Now())
    measured = models.JSONField(default=dict, help_text="Measure: {value, n}.")
    measured_at = models.DateTimeField(null=True)


class AgentItem(models.Model):
    """Something about an agent that a person has to look at: open until one says what came of it."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="items")
    kind = models.CharField(max_length=20)  # accuracy, success, p95_ms, canary
    words = models.CharField(max_length=500)
    facts = models.JSONField(default=dict)
    opened_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=150, blank=True)
    reason = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "kind"], condition=models.Q(closed_at=None), name="one_open_item_per_agent_and_kind"
            )
        ]
