"""When a workflow starts by the clock, and what became of each start."""

from django.contrib.auth.models import User
from django.db import models
from django.db.models.functions import Now

from orchestrator.cron_words import in_words
from orchestrator.models.core import Run, Workflow


class Schedule(models.Model):
    """A workflow that starts by itself at the times of a cron expression. Fired by the timekeeper."""

    class Overlap(models.TextChoices):
        SKIP = "skip"  # while a run of this schedule lives, a slot starts none
        QUEUE = "queue"  # one slot waits for its end, further ones start none
        ALLOW = "allow"

    class Missed(models.TextChoices):
        RUN = "run"  # once, late, for the newest slot that was missed
        SKIP = "skip"

    name = models.CharField(max_length=100, unique=True)
    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="schedules")
    cron = models.CharField(max_length=100)
    zone = models.CharField(max_length=60)
    input = models.JSONField(default=dict)
    overlap = models.CharField(max_length=10, choices=Overlap.choices, default=Overlap.SKIP)
    missed = models.CharField(max_length=10, choices=Missed.choices, default=Missed.RUN)
    enabled = models.BooleanField(default=True)
    next_due = models.DateTimeField(null=True, help_text="The slot to be fired next; null while paused.")
    queued = models.DateTimeField(null=True, help_text="The slot that waits for the end of an earlier run.")
    owner = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        help_text="Whoever said last what it starts: runs start in their name and with their rights.",
    )
    changed_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    changed_at = models.DateTimeField(db_default=Now())
    reason = models.TextField(help_text="Of the last change.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(enabled=True) | models.Q(next_due=None, queued=None),
                name="paused_schedule_is_never_due",
            )
        ]
        indexes = [
            # timekeeper, five times a second: what is due
            models.Index(fields=["next_due"], condition=models.Q(enabled=True), name="schedule_due"),
            # timekeeper: what waits for the end of an earlier run
            models.Index(fields=["id"], condition=models.Q(queued__isnull=False), name="schedule_queued"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def in_words(self) -> str:
        """Its expression for people."""
        return in_words(self.cron)


class ScheduledStart(models.Model):
    """What became of one slot of a schedule, or of one start by hand. Written by the timekeeper and "run now"."""

    class Outcome(models.TextChoices):
        STARTED = "started"
        QUEUED = "queued"
        SKIPPED = "skipped"
        MISSED = "missed"
        REFUSED = "refused"

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="starts")
    slot = models.DateTimeField()
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, null=True, related_name="+")
    late = models.BooleanField(default=False)
    by_hand = models.BooleanField(default=False)
    problem = models.TextField(blank=True, default="")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            # Whatever fires twice, a slot has one start.
            models.UniqueConstraint(fields=["schedule", "slot"], name="one_start_per_slot")
        ]
        indexes = [
            models.Index(fields=["at"], name="scheduled_start_age"),  # upkeep: what is forgotten
        ]
