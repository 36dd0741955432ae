"""Rules, the alerts that they raised, and who is to look at them. Written by `monitoring.alerts` only."""

from django.contrib.auth.models import User
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from approvals.models import Queue
from orchestrator.models import Workflow


class Severity(models.TextChoices):
    INFO = "info", _("Note")
    WARNING = "warning", _("Warning")
    CRITICAL = "critical", _("Critical")


class AlertRule(models.Model):
    """When people are to be told: a CEL condition over the numbers of one kind of thing (`alerts.inputs`)."""

    name = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=200)
    scope = models.CharField(max_length=20, help_text="What it looks at: run, workflow, agent, tool, queue, …")
    condition = models.TextField(help_text="CEL; true raises an alert.")
    severity = models.CharField(max_length=20, choices=Severity.choices)
    window = models.PositiveIntegerField(default=60, help_text="Minutes over which numbers are added up.")
    subject = models.CharField(max_length=100, blank=True, default="", help_text="Only this one; empty for all.")
    runbook = models.CharField(max_length=60, blank=True, default="")
    enabled = models.BooleanField(default=True)
    shipped = models.BooleanField(default=False, help_text="It came with the product, and can be brought back.")
    problem = models.CharField(max_length=300, blank=True, default="", help_text="Why it could not be worked out.")
    changed_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["scope", "name"]

    def __str__(self) -> str:
        return self.title

    @property
    def said(self) -> str:
        """The title in the user's language, if it came with the product and was left as it was."""
        return gettext(self.title)


class Alert(models.Model):
    """One thing that people are to look at. One row while it lasts, however often its condition is found true."""

    rule = models.ForeignKey(AlertRule, on_delete=models.PROTECT, related_name="alerts")
    scope = models.CharField(max_length=20)
    subject = models.CharField(max_length=100, help_text="A run's number, or a name; empty for the system itself.")
    severity = models.CharField(max_length=20, choices=Severity.choices)
    message = models.CharField(max_length=500, help_text="In English, as it left the product. Names in it are hostile.")
    data = models.JSONField(default=dict, help_text="The numbers that the condition was true of.")
    run_id = models.BigIntegerField(null=True)
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, null=True, related_name="+")
    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, null=True, related_name="+")
    occurrences = models.PositiveIntegerField(default=1, help_text="How often it came true while this was open.")
    raised_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now(), help_text="When the condition was last true.")
    calm_since = models.DateTimeField(null=True, help_text="Since when it is not true any more.")
    cleared_at = models.DateTimeField(null=True, help_text="When it had not been true for long enough.")
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    note = models.CharField(max_length=1000, blank=True, default="")
    assigned_to = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="alerts")
    silenced_until = models.DateTimeField(null=True)
    level = models.PositiveSmallIntegerField(default=0, help_text="How often it was passed on for lack of an answer.")
    escalates_at = models.DateTimeField(null=True)
    drill = models.BooleanField(default=False, help_text="Raised on a game day: nothing is wrong.")
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "subject"],
                condition=models.Q(closed_at=None, drill=False),
                name="one_open_alert_per_rule_and_subject",
            ),
            models.CheckConstraint(
                condition=models.Q(closed_at=None) | models.Q(cleared_at__isnull=False),
                name="alert_is_closed_only_when_it_is_over",
            ),
        ]
        indexes = [
            models.Index(fields=["-id"], condition=models.Q(closed_at=None), name="alert_open"),  # list, banner, tick
            models.Index(
                fields=["escalates_at"],
                condition=models.Q(closed_at=None, acknowledged_at=None, escalates_at__isnull=False),
                name="alert_to_pass_on",
            ),
            models.Index(fields=["-raised_at"], name="alert_by_age"),  # history, chronic
        ]


class AlertCount(models.Model):
    """What was counted of one thing in one minute, or in one hour. Sums, and the highest of what is measured."""

    seconds = models.PositiveSmallIntegerField(help_text="60 or 3600.")
    scope = models.CharField(max_length=20)
    subject = models.CharField(max_length=100)
    at = models.DateTimeField()
    numbers = models.JSONField(default=dict)

    class Meta:
        constraints = [
            # In this order a window over all things of a scope is one piece of the index.
            models.UniqueConstraint(fields=["seconds", "scope", "at", "subject"], name="one_count_per_subject_and_time")
        ]
        indexes = [models.Index(fields=["seconds", "scope", "subject", "at"], name="alert_count_of_subject")]


class AlertCursor(models.Model):
    """One row (id 1): up to which place in the ledger was counted, and when everything was last looked at."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    pos = models.BigIntegerField(default=0)
    full_at = models.DateTimeField(null=True)
    sampled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_alert_cursor")]


class Silence(models.Model):
    """Nobody is told of these alerts until then. They are still raised, listed and counted."""

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, null=True, related_name="silences")
    subject = models.CharField(max_length=100, blank=True, default="", help_text="Empty: whatever it is about.")
    until = models.DateTimeField()
    reason = models.CharField(max_length=1000)
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(until__gt=models.F("made_at")), name="silence_has_an_end_ahead")
        ]


class Rotation(models.Model):
    """Who is told first, by turns; one row (id 1). Each turn begins at a hand-over."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    people = ArrayField(models.BigIntegerField(), default=list, help_text="User ids in the order of their turns.")
    days = models.PositiveSmallIntegerField(default=7, help_text="Length of a turn.")
    hour = models.PositiveSmallIntegerField(default=9, help_text="Of the hand-over, in the time zone.")
    zone = models.CharField(max_length=60, default="UTC")
    starts_on = models.DateField(help_text="The first person's first turn begins on this day.")
    minutes = models.PositiveSmallIntegerField(default=5, help_text="So long one has to answer a critical alert.")
    changed_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="one_rotation"),
            models.CheckConstraint(
                condition=models.Q(days__gte=1, hour__lte=23, minutes__gte=1), name="rotation_turns"
            ),
        ]


class AlertStep(models.Model):
    """One step of an alert's runbook that somebody has done."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="steps")
    runbook = models.CharField(max_length=60)
    digest = models.CharField(max_length=64, help_text="Of the runbook as it was then.")
    key = models.CharField(max_length=60)
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(db_default=Now())
    words = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["alert", "key"], name="one_row_per_alert_and_step")]


class GameDay(models.Model):
    """One rehearsal of a runbook: what was injected, when somebody answered, how it went."""

    runbook = models.CharField(max_length=60)
    digest = models.CharField(max_length=64)
    alert = models.ForeignKey(Alert, on_delete=models.PROTECT, related_name="+")
    started_by = models.CharField(max_length=150)
    started_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)
    answered_s = models.FloatField(null=True, help_text="From the alert to its acknowledgement.")
    passed = models.BooleanField(null=True)
    result = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["-id"]
