"""Rollups of the event log and the facts below them, and what people ask of the figures.

`Effort`, `Ending` and `Measure` are projections: written by `monitoring.metrics.db` only, and made anew by
`manage.py rebuild_metrics`. They hold ids instead of foreign keys, like the log itself: nothing may wait for them.
"""

from django.contrib.auth.models import Group, User
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now

from orchestrator.models import Workflow


class MeasureCursor(models.Model):
    """One row (id 1): up to which place of the ledger was measured, and which making of the rollups counts."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    pos = models.BigIntegerField(default=0)
    epoch = models.IntegerField(default=1)
    measured_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_measure_cursor")]


class Effort(models.Model):
    """One ended try at a task: who, how long, how much. What the rollups count, and what drilling down shows.

    What a later try overwrites (how long it waited for a worker) or people change (agent, team) is kept as it was when
    the try was first measured, also when the rollups are made anew.
    """

    task = models.BigIntegerField()
    number = models.SmallIntegerField()
    run = models.BigIntegerField()
    workflow = models.BigIntegerField()
    team = models.BigIntegerField(default=0, help_text="Who pays: a group's id; 0 for nobody's.")
    step = models.CharField(max_length=100)
    agent = models.CharField(max_length=100, blank=True, help_text="Empty for steps without an agent.")
    version = models.IntegerField(null=True)
    status = models.CharField(max_length=20)
    at = models.DateTimeField(help_text="When the try ended: the hour in which it counts.")
    queue_ms = models.FloatField(null=True, help_text="From ready to begun; none where a newer try hid it.")
    work_ms = models.FloatField(null=True)
    tokens_in = models.BigIntegerField(default=0)
    tokens_out = models.BigIntegerField(default=0)
    cost = models.DecimalField(max_digits=20, decimal_places=8, default=0)
    handed = models.BooleanField(default=False, help_text="Another step's output was handed to it.")
    broke = models.BooleanField(default=False, help_text="It ended because a contract was broken.")
    epoch = models.IntegerField(default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "number"], name="one_effort_per_try")]
        indexes = [
            models.Index(fields=["workflow", "-at"], name="effort_of_workflow"),  # drill-down
            BrinIndex(fields=["at"], name="effort_by_age"),  # statements, retention
        ]


class Ending(models.Model):
    """One end of a run (a run that is retried ends again), with what it came to."""

    event = models.BigIntegerField(primary_key=True)
    run = models.BigIntegerField()
    workflow = models.BigIntegerField()
    team = models.BigIntegerField(default=0)
    status = models.CharField(max_length=20)
    at = models.DateTimeField()
    ms = models.FloatField(help_text="From the run's start to this end.")
    touched = models.BooleanField(help_text="A person acted in it before it ended.")
    troubled = models.IntegerField(default=0, help_text="Tasks with a failed or lost try.")
    mended = models.IntegerField(default=0, help_text="Of them: gave their output in the end, and nobody was asked.")
    tokens = models.BigIntegerField(default=0, help_text="Since the run's end before, if there was one.")
    cost = models.DecimalField(max_digits=20, decimal_places=8, default=0)
    epoch = models.IntegerField(default=1)

    class Meta:
        indexes = [
            models.Index(fields=["workflow", "-at"], name="ending_of_workflow"),
            models.Index(fields=["-at"], name="ending_newest"),
        ]


class Measure(models.Model):
    """So many of one kind in one hour or day, and their sum. `bucket` is a time's, -1 for plain counts."""

    class Grain(models.TextChoices):
        HOUR = "h"
        DAY = "d"

    epoch = models.IntegerField()
    grain = models.CharField(max_length=1, choices=Grain.choices)
    name = models.CharField(max_length=24)
    at = models.DateTimeField(help_text="When the hour or day (UTC) begins.")
    workflow = models.BigIntegerField(default=0)
    team = models.BigIntegerField(default=0)
    step = models.CharField(max_length=100, blank=True)
    agent = models.CharField(max_length=100, blank=True)
    bucket = models.SmallIntegerField(default=-1)
    n = models.BigIntegerField()
    total = models.DecimalField(max_digits=30, decimal_places=8, default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["epoch", "grain", "name", "at", "workflow", "team", "step", "agent", "bucket"],
                name="one_measure_per_place",
            )
        ]


class Objective(models.Model):
    """What is promised of a workflow: so large a share within so long (or simply well ended), over so many days."""

    class Indicator(models.TextChoices):
        SUCCESS = "success"
        COMPLETION = "completion"
        QUEUE = "queue"
        WORK = "work"
        HUMAN = "human"

    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="+")
    indicator = models.CharField(max_length=20, choices=Indicator.choices)
    within_ms = models.FloatField(null=True, help_text="Not of success.")
    share = models.FloatField()
    days = models.PositiveSmallIntegerField(default=30)
    set_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField(blank=True)
    set_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["workflow_id", "indicator"]
        constraints = [
            models.UniqueConstraint(fields=["workflow", "indicator"], name="one_objective_per_indicator"),
            models.CheckConstraint(
                condition=models.Q(share__gte=0.5, share__lt=1), name="objective_leaves_something_to_go_wrong"
            ),
            models.CheckConstraint(
                condition=models.Q(indicator="success", within_ms=None)
                | ~models.Q(indicator="success") & models.Q(within_ms__gt=0),
                name="objective_says_within_what",
            ),
        ]


class Baseline(models.Model):
    """How long the same work takes without the workflow, as somebody has stated it. The newest counts."""

    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="+")
    minutes = models.FloatField(help_text="From the order to the result, by hand.")
    source = models.CharField(max_length=500, help_text="Where the number comes from.")
    stated_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    stated_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        constraints = [models.CheckConstraint(condition=models.Q(minutes__gt=0), name="baseline_is_positive")]


class Tier(models.Model):
    """What a team may spend in a month. The newest row counts, the others are its history."""

    class Level(models.TextChoices):
        BRONZE = "bronze"
        SILVER = "silver"
        GOLD = "gold"

    team = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="+")
    level = models.CharField(max_length=10, choices=Level.choices)
    reserve = models.FloatField(default=0.1, help_text="Held back of the month's money: 0.1 to 0.2.")
    sponsor = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    sponsored_at = models.DateTimeField(null=True, help_text="Since when the sponsor stands for it.")
    reason = models.TextField()
    set_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    set_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(reserve__gte=0.1, reserve__lte=0.2), name="tier_keeps_a_reserve"),
            models.CheckConstraint(
                condition=~models.Q(level="gold") | models.Q(sponsor__isnull=False), name="gold_has_a_sponsor"
            ),
            models.CheckConstraint(
                condition=models.Q(sponsor=None) | ~models.Q(sponsor=models.F("set_by")),
                name="sponsor_is_another_person",
            ),
        ]


class Digest(models.Model):
    """One digest as it was told: figures of one span for one person's rights are in nobody else's."""

    class Kind(models.TextChoices):
        WEEKLY = "weekly"
        MONTHLY = "monthly"
        QUARTERLY = "quarterly"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    since = models.DateTimeField()
    until = models.DateTimeField()
    body = models.JSONField()
    made_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["kind", "user", "since"], name="one_digest_per_span")]


class DigestWish(models.Model):
    """Who wants to be told which digest."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, choices=Digest.Kind.choices)
    since = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "kind"], name="one_wish_per_digest")]
