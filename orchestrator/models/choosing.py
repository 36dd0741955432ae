"""Which pattern people chose for a workflow, and why."""

from django.contrib.auth.models import User
from django.db import models
from django.db.models.functions import Now

from orchestrator.models.core import Workflow


class PatternChoice(models.Model):
    """One choice of a workflow's pattern. The newest counts; none is changed. Written by the act `choose-pattern`."""

    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="pattern_choices")
    pattern = models.CharField(max_length=100)
    recommended = models.CharField(
        max_length=100, blank=True, help_text="What the four answers lead to; empty without them."
    )
    answers = models.JSONField(default=dict, help_text="Question: yes or no.")
    rationale = models.TextField()
    chosen_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    chosen_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.workflow}: {self.pattern}"


class TeamAdvice(models.Model):
    """One verdict on whether a workflow needs several agents. The newest counts; none is changed.

    Written by the act `keep-advice`.
    """

    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="team_advice")
    phase = models.CharField(max_length=20, help_text="single, two, full or advanced: the phase to begin with.")
    reason = models.TextField(help_text="What the advisor says.")
    signs = models.JSONField(default=list, help_text="The warning signs that matched.")
    answers = models.JSONField(default=dict, help_text="Check: yes or no.")
    rationale = models.TextField()
    kept_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    kept_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.workflow}: {self.phase}"
