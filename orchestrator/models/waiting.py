"""What tasks wait for besides people: a time, a signal from outside, a call back, a run that they started."""

from django.contrib.auth.models import User
from django.db import models
from django.db.models.functions import Now

from orchestrator.models.core import Task, Workflow


class Timer(models.Model):
    """Something to do at a time by the database's clock: a retry, a deadline, the end of a wait."""

    kind = models.CharField(
        max_length=30
    )  # task_retry, gate_deadline, gate_release, task_timer, wait_deadline, run_ended, run_deadline, breaker
    ref = models.BigIntegerField()
    due_at = models.DateTimeField()
    fired_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["due_at"], condition=models.Q(fired_at=None), name="timer_due")]


class Wait(models.Model):
    """A task that waits for the outside: an event by name and key, or a call to a secret address."""

    class Kind(models.TextChoices):
        EVENT = "event"
        CALLBACK = "callback"

    task = models.OneToOneField(Task, on_delete=models.PROTECT, db_constraint=False, related_name="wait")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    name = models.CharField(max_length=200, blank=True, default="")
    key = models.CharField(max_length=200, blank=True, default="", help_text="Correlation: only signals with this key.")
    match = models.TextField(blank=True, default="", help_text="CEL over event; empty matches all.")
    schema = models.JSONField(default=dict, help_text="JSON Schema of what may arrive.")
    token_hash = models.CharField(max_length=64, blank=True, default="", help_text="SHA-256 of a callback's token.")
    opened_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["name", "key"], condition=models.Q(ended_at=None), name="wait_open"),
            models.Index(fields=["token_hash"], condition=~models.Q(token_hash=""), name="wait_token"),
        ]


class Signal(models.Model):
    """A fact from outside, published under a name; kept so that a wait that opens later still finds it."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=200)
    key = models.CharField(max_length=200, blank=True, default="")
    data = models.JSONField(default=dict)
    dedup = models.CharField(
        max_length=200, null=True, help_text="The sender's id: the same one again is not a new fact."
    )
    sent_by = models.CharField(max_length=200)
    sent_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    depth = models.SmallIntegerField(default=0, db_default=0, help_text="Runs in a row that led to it by signals.")

    class Meta:
        indexes = [
            models.Index(fields=["name", "key", "id"], name="signal_by_name"),
            models.Index(fields=["expires_at"], name="signal_expiry"),
        ]
        constraints = [models.UniqueConstraint(fields=["name", "sent_by", "dedup"], name="one_signal_per_sender_id")]


class ConsumerGroup(models.Model):
    """Choreography: each signal of a name starts one run of a workflow per group, in order, from a position that may be
    set back to replay."""

    name = models.CharField(max_length=100, unique=True)
    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="consumer_groups")
    signal = models.CharField(max_length=200)
    match = models.TextField(blank=True, default="", help_text="CEL over event; empty matches all.")
    recent = models.SmallIntegerField(
        default=0,
        db_default=0,
        help_text="The last so many signals of the same key are a run's input, as `recent`; 0: the signal's own data.",
    )
    position = models.BigIntegerField(default=0, help_text="The last signal that was handed on.")
    replays = models.IntegerField(default=0, help_text="Times it was set back; part of a run's idempotency key.")
    enabled = models.BooleanField(default=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
