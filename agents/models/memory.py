"""What agents remember."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from agents.models.registry import Agent


class MemoryItem(models.Model):
    """One thing an agent remembers. Written and read by `agents.memory.store` only: it keeps the rules."""

    class Layer(models.TextChoices):
        SHORT = "short"  # gone after half an hour without use
        TASK = "task"  # for all attempts of one task
        LONG = "long"  # found by meaning

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="memories")
    realm = models.CharField(max_length=100)  # the workflow: what is learnt in one is never told in another
    layer = models.CharField(max_length=10, choices=Layer.choices)
    run = models.BigIntegerField(null=True)  # short and task memory belong to a run
    task = models.BigIntegerField(null=True)
    subject = models.CharField(max_length=64, blank=True)  # HMAC-SHA256 of the id of the person it is about
    text = models.TextField()  # sealed if tagged
    tags = ArrayField(models.CharField(max_length=10), default=list)
    embedding = ArrayField(models.FloatField(), null=True)  # of the text with tagged data masked
    source = models.CharField(max_length=20)  # agent, tool, person: where it comes from
    writer = models.CharField(max_length=160)  # agent:<name>@<version> or user:<name>
    key = models.CharField(max_length=100, blank=True)  # of the call that wrote it
    covers_from = models.BigIntegerField(null=True)  # a summary: ids of the items that it stands for
    covers_to = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    used_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    quarantine = models.CharField(max_length=300, blank=True)  # why it is not recalled until a person lets it
    digest = models.CharField(max_length=64)  # HMAC-SHA256 of the text: the same thing is kept once

    class Meta:
        indexes = [
            models.Index(fields=["agent", "realm", "layer", "-id"], name="memory_of_agent"),
            models.Index(fields=["subject"], condition=~models.Q(subject=""), name="memory_of_person"),
            models.Index(fields=["expires_at"], name="memory_expiry"),
        ]
