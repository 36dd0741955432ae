"""What holds work back: stops and pauses, rate limits, circuit breakers, budgets."""

from django.contrib.auth.models import User
from django.db import models
from django.db.models.functions import Now

from agents.models import Agent


class Stop(models.Model):
    """A stop in force until lifted: nothing in its scope is claimed, and what runs is cancelled and returned."""

    class Scope(models.TextChoices):
        EVERYTHING = "everything"
        WORKFLOW = "workflow"
        AGENT = "agent"
        RUN = "run"
        TASK = "task"

    scope = models.CharField(max_length=20, choices=Scope.choices)
    ref = models.BigIntegerField(null=True, help_text="Workflow, agent, run or task id; null for everything.")
    lets_finish = models.BooleanField(
        default=False, help_text="A pause: what runs goes on to its end, nothing new starts."
    )
    retires = models.BooleanField(
        default=False, db_default=False, help_text="Of an agent: it is terminated; only starting it again lifts this."
    )
    guards = models.BooleanField(
        default=False, db_default=False, help_text="Of an agent: its guardrails froze it; only who may release it does."
    )
    reason = models.TextField()
    stopped_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    stopped_at = models.DateTimeField(db_default=Now())
    lifted_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    lifted_at = models.DateTimeField(null=True)
    effect = models.JSONField(
        default=dict, help_text="Measured: tasks returned, last start and last cancellation in ms."
    )

    class Meta:
        permissions = [("stop_everything", "Stop everything"), ("lift_stop", "Lift a stop")]
        constraints = [
            models.UniqueConstraint(
                fields=["scope", "ref"],
                condition=models.Q(lifted_at=None),
                name="one_stop_per_scope",
                nulls_distinct=False,
            )
        ]


class StartPace(models.Model):
    """How many runs of a workflow may be under way at once while people cannot keep up; without a number, no limit."""

    workflow = models.OneToOneField("orchestrator.Workflow", on_delete=models.CASCADE, related_name="start_pace")
    most_running = models.IntegerField(null=True)
    reason = models.CharField(max_length=500, blank=True)
    set_at = models.DateTimeField(db_default=Now())
    full_until = models.DateTimeField(null=True, help_text="Until then people have said: at full pace.")


class AgentRate(models.Model):
    """The token bucket of an agent with a rate limit. Written by the claim."""

    agent = models.OneToOneField(Agent, on_delete=models.CASCADE, primary_key=True, related_name="+")
    tokens = models.FloatField()
    filled_at = models.DateTimeField()


class Breaker(models.Model):
    """An agent's circuit breaker; no row means closed without failures. Written with the ends of attempts."""

    class State(models.TextChoices):
        CLOSED = "closed"
        OPEN = "open"
        HALF_OPEN = "half_open"

    agent = models.OneToOneField(Agent, on_delete=models.CASCADE, primary_key=True, related_name="breaker")
    state = models.CharField(max_length=20, choices=State.choices, default=State.CLOSED)
    failures = models.IntegerField(default=0, help_text="One after the other, since the last success.")
    threshold = models.IntegerField(default=3)
    reset_s = models.FloatField(default=300.0)
    opened_at = models.DateTimeField(null=True)
    probe = models.BigIntegerField(null=True, help_text="The task that tries it while half open.")
    last_error = models.JSONField(null=True)
    changed_at = models.DateTimeField(db_default=Now())


class Budget(models.Model):
    """How much of one resource a scope may use. `reserved` is held by calls under way."""

    class Scope(models.TextChoices):
        AGENT = "agent"
        RUN = "run"
        WORKFLOW = "workflow"
        TEAM = "team"
        RUN_AGENT = "run_agent"

    class Resource(models.TextChoices):
        DOCUMENTS = "documents"
        TOKENS = "tokens"
        MINUTES = "minutes"
        CALLS = "calls"
        COST = "cost"

    scope = models.CharField(max_length=20, choices=Scope.choices)
    ref = models.BigIntegerField(help_text="Agent, run, workflow or group id.")
    agent = models.ForeignKey(
        Agent,
        on_delete=models.CASCADE,
        null=True,
        related_name="+",
        help_text="With run_agent: the agent within the run.",
    )
    resource = models.CharField(max_length=20, choices=Resource.choices)
    limit = models.FloatField()
    spent = models.FloatField(default=0)
    reserved = models.FloatField(default=0)
    warned_at = models.DateTimeField(null=True, help_text="80 % was passed; said once.")
    breached_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["scope", "ref", "agent", "resource"],
                name="one_budget_per_scope_and_resource",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=models.Q(limit__gte=0), name="budget_limit_not_negative"),
        ]


class Reservation(models.Model):
    """What one attempt holds of one budget while its call is under way; gone when it has ended."""

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="reservations")
    task = models.BigIntegerField()
    attempt = models.SmallIntegerField()
    amount = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["budget", "task", "attempt"], name="one_reservation_per_attempt")
        ]
        indexes = [models.Index(fields=["task", "attempt"], name="reservation_by_attempt")]


class Doorbell(models.Model):
    """One row (id 1): when a Celery message could last not be sent. Pages say so for a while."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    failed_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_doorbell")]
