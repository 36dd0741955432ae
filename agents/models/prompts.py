"""Prompts, their versions, the evidence for them, and what each call of a model used."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models


class Prompt(models.Model):
    """A named prompt; its text is in its versions."""

    name = models.SlugField(max_length=100, unique=True)
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]


class PromptVersion(models.Model):
    """One version: changes while a draft, never again once published (a trigger sees to that)."""

    class Status(models.TextChoices):
        DRAFT = "draft"
        IN_REVIEW = "in_review"
        PUBLISHED = "published"

    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.DRAFT)
    template = models.TextField()
    variables = models.JSONField(default=list)
    change = models.CharField(max_length=500, blank=True, help_text="What is different, and why.")
    git_ref = models.CharField(max_length=200, blank=True)
    docs_link = models.CharField(max_length=500, blank=True, help_text="Documentation and training that follow.")
    digest = models.CharField(max_length=64)
    editors = ArrayField(models.IntegerField(), default=list, help_text="User ids: none of them may review it.")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    changed_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True)
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    review_note = models.TextField(blank=True)
    reviewed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["prompt_id", "-number"]
        constraints = [models.UniqueConstraint(fields=["prompt", "number"], name="one_row_per_prompt_version")]

    def __str__(self) -> str:
        return f"{self.prompt.name}@{self.number}"


class PromptEvidence(models.Model):
    """A result of an evaluation of exactly the text that `digest` names."""

    version = models.ForeignKey(PromptVersion, on_delete=models.PROTECT, related_name="evidence")
    digest = models.CharField(max_length=64)
    suite = models.CharField(max_length=100)
    reference = models.CharField(max_length=200, help_text="Where the result is: an evaluation's id or address.")
    score = models.FloatField()
    passed = models.BooleanField()
    measured_at = models.DateTimeField()
    recorded_by = models.CharField(max_length=200)

    class Meta:
        ordering = ["-measured_at"]


class ModelCall(models.Model):
    """What one call of a language model used. `key` and `correlation_id` are the caller's; `cost` None: no price."""

    key = models.CharField(max_length=200, db_index=True)
    correlation_id = models.CharField(max_length=200, db_index=True)
    attempt = models.IntegerField()
    agent = models.CharField(max_length=100)
    model = models.CharField(max_length=200)
    tier = models.CharField(max_length=20, default="standard")
    prompt = models.CharField(max_length=120, blank=True, help_text="name@number of the prompt version used")
    tokens_in = models.IntegerField(default=0)
    tokens_out = models.IntegerField(default=0)
    cost = models.DecimalField(max_digits=16, decimal_places=8, null=True)
    currency = models.CharField(max_length=3, default="USD")
    failure = models.CharField(max_length=50, blank=True)
    ms = models.FloatField(null=True, help_text="From asking to the answer; of older rows nobody knows it.")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["agent", "at"], name="model_call_by_agent"),
            BrinIndex(fields=["at"], name="model_call_by_age"),  # retention
        ]


class PartialText(models.Model):
    """What a model has written so far in a call that is under way: a page's glance, no record. Gone with its call."""

    key = models.CharField(max_length=200, unique=True)
    correlation_id = models.CharField(max_length=200, db_index=True)
    agent = models.CharField(max_length=100)
    attempt = models.IntegerField()
    text = models.TextField()
    updated_at = models.DateTimeField()


class ModelHistory(models.Model):
    """What was said in a model's call that waits for people, sealed: it goes on from there. Gone with its task."""

    key = models.CharField(max_length=200, unique=True)
    agent = models.CharField(max_length=100)
    about = models.CharField(max_length=64, help_text="Of model, instructions, prompt and tools: others begin anew.")
    body = models.TextField(help_text="Under the data keys.")
    kept_at = models.DateTimeField(auto_now=True)


class ModelTier(models.Model):
    """A budget that is nearly spent: while its row is here, agents under it use their cheaper model."""

    ref = models.CharField(max_length=100, unique=True, help_text="The budget's own name for itself.")
    agent = models.CharField(max_length=100)
    since = models.DateTimeField(auto_now_add=True)
