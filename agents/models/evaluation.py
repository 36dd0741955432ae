"""Datasets, evaluations and their cases: evidence, which the database refuses to change. People close items."""

from django.db import models
from django.db.models.functions import Now


class Dataset(models.Model):
    """One immutable collection of cases; the newest of its name counts."""

    name = models.SlugField(max_length=100)
    digest = models.CharField(max_length=64)
    agent = models.CharField(max_length=100, blank=True, help_text="Whose input and output the cases hold.")
    cases = models.IntegerField()
    dropped = models.IntegerField(default=0, help_text="Cases that stood in it already.")
    contradicting = models.IntegerField(
        default=0, help_text="Cases left out: another expects something else of the same input."
    )
    provenance = models.JSONField(default=dict)
    personal = models.JSONField(default=dict, help_text="What looks like personal data: kind and number of cases.")
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["name", "digest"], name="one_dataset_per_digest")]


class DatasetCase(models.Model):
    """What an agent is given, and what is expected of it."""

    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="rows")
    number = models.IntegerField()
    digest = models.CharField(max_length=64)
    input = models.JSONField()
    expected = models.JSONField(default=dict)
    tags = models.JSONField(default=list)
    provenance = models.JSONField(default=dict)

    class Meta:
        ordering = ["dataset", "number"]
        constraints = [models.UniqueConstraint(fields=["dataset", "number"], name="one_case_per_number")]


class Evaluation(models.Model):
    """One suite run on one version of one agent, with everything that is needed to believe it."""

    suite = models.SlugField(max_length=100)
    kind = models.CharField(max_length=20)
    suite_digest = models.CharField(max_length=64)
    agent = models.CharField(max_length=100)
    agent_version = models.IntegerField()
    agent_digest = models.CharField(max_length=64)
    prompt_version = models.CharField(max_length=150, blank=True, help_text='"name@2", where its agent has a prompt.')
    dataset = models.CharField(max_length=100)
    dataset_digest = models.CharField(max_length=64)
    cases = models.IntegerField()
    measures = models.JSONField(help_text="Name: value.")
    thresholds = models.JSONField(help_text="Measure: {at_least, at_most, value, held}.")
    passed = models.BooleanField()
    trigger = models.CharField(max_length=20)  # command, nightly, monthly
    started_by = models.CharField(max_length=150, blank=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["agent", "kind", "-id"], name="evaluations_of_agent"),
            models.Index(fields=["suite", "-id"], name="evaluations_of_suite"),
        ]


class EvaluationCase(models.Model):
    """What came of one case."""

    evaluation = models.ForeignKey(Evaluation, on_delete=models.PROTECT, related_name="rows")
    number = models.IntegerField()
    case_digest = models.CharField(max_length=64)
    passed = models.BooleanField()
    succeeded = models.BooleanField(help_text="The call gave an output that keeps its contract.")
    latency_ms = models.FloatField()
    cost = models.FloatField(default=0)
    tokens = models.IntegerField(default=0)
    marks = models.JSONField(default=dict, help_text="Measure: this case's part in it.")
    input = models.JSONField()
    expected = models.JSONField()
    output = models.JSONField(null=True)
    error = models.CharField(max_length=500, blank=True)
    tags = models.JSONField(default=list)

    class Meta:
        ordering = ["evaluation", "number"]
        constraints = [models.UniqueConstraint(fields=["evaluation", "number"], name="one_row_per_evaluated_case")]


class EvaluationItem(models.Model):
    """A suite that an agent failed: open until a person says what came of it."""

    suite = models.SlugField(max_length=100)
    agent = models.CharField(max_length=100)
    evaluation = models.ForeignKey(Evaluation, on_delete=models.PROTECT, related_name="items")
    opened_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=150, blank=True)
    reason = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["suite", "agent"], condition=models.Q(closed_at=None), name="one_open_item_per_suite_and_agent"
            )
        ]
