"""What goes to others' systems, and how far it has got. Written by `monitoring.telemetry` only."""

from django.db import models
from django.db.models.functions import Now


class Outlet(models.Model):
    """One system that follows the log, and the place up to which it has everything."""

    class Name(models.TextChoices):
        TRACES = "traces"
        SIEM = "siem"
        LOG = "log"

    name = models.CharField(max_length=10, choices=Name.choices, primary_key=True)
    pos = models.BigIntegerField(help_text="Up to which place of the ledger everything has gone out.")
    since = models.DateTimeField(db_default=Now())
    sent = models.BigIntegerField(default=0, help_text="Spans or events that were taken.")
    lost = models.BigIntegerField(default=0, help_text="Of those that never went out: they were refused, or too old.")
    sent_at = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)
    problem = models.CharField(max_length=300, blank=True, default="")
    failures = models.IntegerField(default=0, help_text="Tries in a row that failed.")
    retry_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True, help_text="Traces: shifts that ended until then have gone out.")


class OwnSpan(models.Model):
    """A span that the log does not tell of: a request, a Celery message. Deleted when it has gone out."""

    trace = models.CharField(max_length=32)
    span = models.CharField(max_length=16)
    parent = models.CharField(max_length=16, blank=True, default="")
    run = models.BigIntegerField(null=True, help_text="What it wrote about.")
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    failed = models.BooleanField(default=False)
    facts = models.JSONField(default=dict)


class Tally(models.Model):
    """So many in all since counting began: what `/metrics` shows as counters. A projection of the log."""

    name = models.CharField(max_length=40)
    label = models.CharField(max_length=100, blank=True, help_text="An agent's, a tool's or a workflow's name.")
    word = models.CharField(max_length=40, blank=True, help_text="How it ended, for example.")
    n = models.BigIntegerField(default=0)
    total = models.FloatField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "label", "word"], name="one_tally_per_name")]


class TallyCursor(models.Model):
    """One row (id 1): up to where the log was counted, and when somebody last asked: else nothing is."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    pos = models.BigIntegerField()
    asked_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_tally_cursor")]


class BusinessFigure(models.Model):
    """What came of the work outside, as its systems report it: `tickets_closed`, `revenue_recovered`. Only added to."""

    name = models.CharField(max_length=60)
    value = models.FloatField()
    workflow = models.BigIntegerField(null=True)
    run = models.BigIntegerField(null=True)
    at = models.DateTimeField()
    key = models.CharField(max_length=200, unique=True, help_text="The reporter's own id of it: the same counts once.")
    reported_by = models.CharField(max_length=200)
    reported_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["name", "-at"], name="business_figure_newest")]
