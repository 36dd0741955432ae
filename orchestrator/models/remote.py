"""Calls of agents that are answered from outside the engine."""

from django.contrib.auth.models import User
from django.db import models
from django.db.models.functions import Now

from agents.models import Agent
from orchestrator.models.core import Task


class RemoteCall(models.Model):
    """A waiting task's call, handed out to an external worker or taken by a remote agent. One row a task, reused.

    (task, attempt) is its fence. While it is open its task is `waiting` for an `answer` and holds no place anywhere.
    """

    task = models.OneToOneField(Task, on_delete=models.PROTECT, db_constraint=False, related_name="remote_call")
    attempt = models.SmallIntegerField()
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="+")
    agent_version = models.IntegerField()
    pulled = models.BooleanField(help_text="An external worker fetches it; else a remote agent has it already.")
    key = models.CharField(max_length=100, help_text="Stable across attempts: the idempotency key.")
    priority = models.SmallIntegerField(default=0)
    input = models.JSONField()
    note = models.TextField(blank=True, default="")
    approvals = models.JSONField(default=list, help_text="What people agreed to so far: action, answer, decided_by.")
    correlation_id = models.CharField(max_length=200, blank=True, default="")
    timeout = models.FloatField(help_text="Seconds from the moment that somebody has it.")
    parked_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(help_text="Then it has taken too long; before it is fetched: then nobody came.")
    leased_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    worker = models.CharField(max_length=200, blank=True, default="", help_text="What the worker calls itself.")
    holder = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    answer = models.JSONField(null=True, help_text="An outcome as agents.wire packs it; the next attempt takes it.")
    answered_at = models.DateTimeField(null=True)
    taken_by = models.SmallIntegerField(null=True, help_text="The attempt that took the answer.")
    ended_at = models.DateTimeField(null=True, help_text="Its task went on without an answer.")

    class Meta:
        indexes = [
            models.Index(
                fields=["agent", "-priority", "id"],
                condition=models.Q(pulled=True, leased_at=None, answered_at=None, ended_at=None),
                name="remote_call_to_fetch",
            ),
            models.Index(
                fields=["due_at"], condition=models.Q(answered_at=None, ended_at=None), name="remote_call_due"
            ),
            models.Index(
                fields=["lease_until"],
                condition=models.Q(answered_at=None, ended_at=None, lease_until__isnull=False),
                name="remote_call_lease",
            ),
        ]


class Presence(models.Model):
    """When somebody who does an agent's work from outside was last heard of: a worker, or a remote agent itself."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="+")
    holder = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="+")
    worker = models.CharField(max_length=200, blank=True, default="", help_text="Empty: the remote agent itself.")
    first_at = models.DateTimeField(db_default=Now())
    polled_at = models.DateTimeField(null=True, help_text="It asked for work.")
    heard_at = models.DateTimeField(db_default=Now(), help_text="It asked for work, renewed a lease or answered.")
    silent_since = models.DateTimeField(null=True, help_text="Its bound has passed; said once. Null: it is heard.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "holder", "worker"], name="one_presence_per_worker", nulls_distinct=False
            )
        ]
        indexes = [
            models.Index(fields=["heard_at"], condition=models.Q(silent_since=None), name="presence_heard"),
        ]
