"""Registered agents, their immutable versions and their health counters."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Agent(models.Model):
    """A registered worker of ours. Written by `registry.sync` and by people who freeze it or set its limits."""

    name = models.SlugField(max_length=100, unique=True)
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    owner = models.CharField(max_length=150, blank=True)
    domain_tags = ArrayField(models.CharField(max_length=50), default=list, blank=True)
    max_concurrency = models.PositiveIntegerField(null=True, blank=True)
    rate_per_minute = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        permissions = [("work_as_agent", "Can register and do the work of this agent from outside")]

    def __str__(self) -> str:
        return self.name


class AgentVersion(models.Model):
    """One immutable version of an agent: contracts, capabilities and where its code lives."""

    class Kind(models.TextChoices):
        PYTHON = "python"
        LLM = "llm"
        HTTP = "http"
        EXTERNAL = "external"

    class Isolation(models.TextChoices):
        LOOP = "loop"
        THREAD = "thread"
        PROCESS = "process"

    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=20, choices=Kind.choices)
    isolation = models.CharField(max_length=20, choices=Isolation.choices)
    entrypoint = models.CharField(max_length=300)
    input_schema = models.JSONField(default=dict)
    output_schema = models.JSONField(default=dict)
    capabilities = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    config = models.JSONField(default=dict, blank=True)
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["agent_id", "-number"]
        constraints = [models.UniqueConstraint(fields=["agent", "number"], name="one_row_per_agent_version")]

    def __str__(self) -> str:
        return f"{self.agent.name} v{self.number}"


class AgentHealth(models.Model):
    """One minute of one agent's calls, summed by the shifts that made them; `seen_at` is its heartbeat."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="health")
    minute = models.DateTimeField()
    calls = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    total_ms = models.FloatField(default=0)
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["agent", "minute"], name="one_row_per_agent_minute")]
