"""What was found about outputs, how far claimed confidence can be trusted, and whose word weighs how much.

Runs and tasks are numbers here: this app knows none, whoever judged says which they were.
"""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now


class Assessment(models.Model):
    """One output held against what its step asks for: a row for each attempt that gave one."""

    task = models.BigIntegerField(help_text="The task whose output it was; not known to this app.")
    run = models.BigIntegerField(help_text="Its run, likewise.")
    attempt = models.SmallIntegerField()
    workflow = models.CharField(max_length=100)
    step = models.CharField(max_length=100)
    agent = models.CharField(max_length=100, help_text="Who produced it.")
    agent_version = models.IntegerField(null=True)
    verifier = models.CharField(max_length=100, blank=True, help_text="Who verified it: never who produced it.")
    score = models.FloatField(help_text="0-100.")
    passed = models.BooleanField()
    zero_tolerance = models.BooleanField(default=False)
    reasons = models.JSONField(default=list, help_text="Why it was held; empty if it passed.")
    components = models.JSONField(default=list)
    consensus = models.JSONField(null=True, help_text="Who agreed, and every other side.")
    guardians = models.JSONField(default=list)
    claimed = models.FloatField(null=True, help_text="The confidence that its agent claims, 0-1.")
    calibrated = models.FloatField(
        null=True, help_text="The same, calibrated on outcomes; none where it may not be shown."
    )
    calibration = models.CharField(max_length=300, blank=True, help_text="What that rests on, or why it is not shown.")
    assessed_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["task", "attempt"], name="one_assessment_per_attempt"),
            models.CheckConstraint(condition=~models.Q(verifier=models.F("agent")), name="verifier_is_not_producer"),
            models.CheckConstraint(condition=models.Q(score__gte=0, score__lte=100), name="score_from_0_to_100"),
        ]
        indexes = [
            models.Index(fields=["agent", "-id"], name="assessments_of_agent"),
            BrinIndex(fields=["assessed_at"], name="assessments_by_age"),  # retention
        ]


class Calibration(models.Model):
    """One fit of an agent's claimed confidence to what came of its outputs; the newest one counts."""

    agent = models.CharField(max_length=100)
    method = models.CharField(max_length=20)
    outcomes = models.IntegerField()
    right = models.IntegerField()
    usable = models.BooleanField()
    why = models.CharField(max_length=300)
    params = models.JSONField(default=dict)
    evidence = models.JSONField(default=dict, help_text="Errors and bins before and after.")
    fitted_by = models.CharField(max_length=150, blank=True)
    fitted_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["agent", "-id"], name="calibrations_of_agent")]


class AuthorityTable(models.Model):
    """One version of the weights by level of authority; the newest one counts, the others are kept."""

    weights = models.JSONField()
    reason = models.TextField()
    changed_by = models.CharField(max_length=150)
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
