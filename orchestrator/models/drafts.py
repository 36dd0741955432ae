"""Definitions that people are writing."""

from django.contrib.auth.models import User
from django.db import models

from orchestrator.models.core import Workflow


class WorkflowDraft(models.Model):
    """What one person has typed into the editor of one workflow and not published. Written by `orchestrator.drafts`."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    workflow = models.ForeignKey(
        Workflow, on_delete=models.CASCADE, null=True, blank=True, related_name="+", help_text="None: a new one."
    )
    source = models.TextField()
    base = models.PositiveIntegerField(default=0, help_text="The version that it was begun from; 0: none.")
    saved_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "workflow"], nulls_distinct=False, name="one_draft_per_person_and_workflow"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user.get_username()}: {self.workflow or '(new)'}"
