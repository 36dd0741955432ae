"""Which pattern people chose for a workflow, and why."""

from django.contrib.auth.models import User
from django.db import models
from django.db.models.functions import Now

from agents.models import Agent
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


class Workshop(models.Model):
    """What people came to in one workshop: six scores and why. The newest counts; none is changed.

    Written by the act `hold-workshop`.
    """

    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, null=True, related_name="workshops")
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, null=True, related_name="+")
    scores = models.JSONField(help_text="Criterion: 1 to 5.")
    rationale = models.TextField()
    held_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    held_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(workflow=None, agent__isnull=False) | models.Q(workflow__isnull=False, agent=None),
                name="workshop_about_one",
            )
        ]

    def __str__(self) -> str:
        return f"{self.workflow or self.agent}: {self.scores}"
