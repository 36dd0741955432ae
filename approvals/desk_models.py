"""What the reviewer's desk keeps besides gates: approvals on their way, questions, cards put aside, saved views."""

from django.contrib.auth.models import User
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now


class Runway(models.Model):
    """An approval that has not gone out yet: until `due_at` it can be taken back. Written by `runways`."""

    class Outcome(models.TextChoices):
        RELEASED = "released"
        TAKEN_BACK = "taken_back"
        MOVED = "moved"  # what was approved is no longer what would go out, or its approver no longer may
        WITHDRAWN = "withdrawn"  # the run ended, or nothing waits for it any more

    gate = models.ForeignKey("approvals.Gate", on_delete=models.PROTECT, related_name="runways")
    verdict = models.CharField(max_length=20)
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    via = models.CharField(max_length=20)
    note = models.TextField(blank=True)
    gate_version = models.IntegerField()
    seal = models.CharField(max_length=64)
    edited = models.JSONField(null=True)
    checked = ArrayField(models.TextField(), default=list, db_default=[])
    appraisal = models.JSONField(default=dict, db_default={}, help_text="As `feedback.appraising.to_json` makes it.")
    idempotency_key = models.CharField(max_length=200, null=True)
    decided_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField()
    held = models.CharField(max_length=200, blank=True, default="", help_text="Why it waits past its time.")
    outcome = models.CharField(max_length=20, choices=Outcome.choices, blank=True, default="")
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    why = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["gate"], condition=models.Q(ended_at=None), name="one_runway_per_gate"),
            models.UniqueConstraint(fields=["decided_by", "idempotency_key"], name="one_runway_per_idempotency_key"),
            models.CheckConstraint(
                condition=models.Q(ended_at=None, outcome="")
                | models.Q(ended_at__isnull=False) & ~models.Q(outcome=""),
                name="runway_ended_iff_it_has_an_outcome",
            ),
        ]
        indexes = [models.Index(fields=["decided_by", "-id"], name="runway_of_person")]  # runways.of


class GateBefore(models.Model):
    """What a gate asked before it changed, so that whoever saw that is shown only what is new. Append-only by use."""

    gate = models.ForeignKey("approvals.Gate", on_delete=models.PROTECT, related_name="before")
    version = models.IntegerField()
    subject = models.JSONField()
    ended_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["gate", "version"], name="one_past_per_gate_and_version")]


class Question(models.Model):
    """A reviewer's question to the agent behind a gate, and its answer. It never changes what is up for decision.

    With `tool` it is the gate's own question: what would happen, by that tool's dry run with the gate's action.
    """

    class State(models.TextChoices):
        ASKED = "asked"
        ANSWERED = "answered"
        FAILED = "failed"

    gate = models.ForeignKey("approvals.Gate", on_delete=models.PROTECT, related_name="questions")
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    tool = models.CharField(max_length=100, blank=True, default="", db_default="")
    text = models.TextField()
    seal = models.CharField(max_length=64, help_text="What was up for decision when it was asked.")
    agent = models.CharField(max_length=100)
    agent_version = models.IntegerField(null=True)
    state = models.CharField(max_length=20, choices=State.choices, default=State.ASKED)
    answer = models.TextField(blank=True, default="")
    differs = models.JSONField(null=True, help_text="What its new output would be, where that is not what is sealed.")
    tries = models.SmallIntegerField(default=0)
    cost = models.FloatField(default=0.0)
    asked_at = models.DateTimeField(db_default=Now())
    taken_until = models.DateTimeField(null=True, help_text="A worker is at it until then.")
    answered_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["id"], condition=models.Q(state="asked"), name="question_asked")
        ]  # asking.answer_next


class Snooze(models.Model):
    """A gate that one person has put aside for a while; only their own list leaves it out, and it comes back alone."""

    gate = models.ForeignKey("approvals.Gate", on_delete=models.CASCADE, related_name="snoozes")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    until = models.DateTimeField()
    on_news = models.BooleanField(default=False, help_text="It comes back as soon as anything happens to it, too.")
    made_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["gate", "user"], name="one_snooze_per_gate_and_user")]
        indexes = [models.Index(fields=["user", "until"], name="snooze_of_person")]  # queries.inbox


class SavedView(models.Model):
    """An inbox as somebody likes to see it: filter and order under a name, for them alone or for everybody."""

    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=500, help_text="As the inbox's address says it.")
    shared = models.BooleanField(default=False)
    made_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="one_view_per_owner_and_name")]
