"""Violations of guardrails, consent of people, and the rules by which people see tagged data."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from agents.models.registry import Agent


class Violation(models.Model):
    """One call that broke a rule. Written by `guardrails.violations`."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="violations")
    version = models.PositiveIntegerField()
    rule = models.CharField(max_length=30)
    at = models.DateTimeField(db_default=Now())
    key = models.CharField(max_length=100, blank=True)  # of the call
    facts = models.JSONField(default=dict)  # places and kinds, never data
    spent = models.BooleanField(default=False)  # has led to a freeze

    class Meta:
        indexes = [
            models.Index(fields=["agent", "at"], condition=models.Q(spent=False), name="violations_counted"),
            models.Index(fields=["agent", "-id"], name="violations_of_agent"),
        ]


class Consent(models.Model):
    """One statement of a person about one purpose; the newest counts, none is ever changed."""

    subject = models.CharField(max_length=64)  # HMAC-SHA256 of the person's id
    purpose = models.CharField(max_length=100)
    granted = models.BooleanField()
    at = models.DateTimeField(db_default=Now())
    by = models.CharField(max_length=150)
    evidence = models.CharField(max_length=500)

    class Meta:
        indexes = [models.Index(fields=["subject", "purpose", "-id"], name="consent_of_person")]


class DataRule(models.Model):
    """Who may see tagged data in clear: a CEL condition on who asks, for what, and whose output it is."""

    name = models.SlugField(max_length=100, unique=True)
    tags = ArrayField(models.CharField(max_length=10), default=list)
    condition = models.CharField(max_length=500)
    enabled = models.BooleanField(default=True)
    changed_by = models.CharField(max_length=150)
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["name"]
