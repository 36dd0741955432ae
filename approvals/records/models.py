"""Records of decisions that people have confirmed."""

from django.contrib.auth.models import User
from django.db import models
from django.db.models.functions import Now


class DecisionRecord(models.Model):
    """One confirmed record of a decision. Append-only: who wants it otherwise confirms another; the newest counts."""

    decision = models.ForeignKey("approvals.Decision", on_delete=models.PROTECT, related_name="records")
    draft = models.TextField(help_text="As it was drafted, word for word.")
    text = models.TextField(help_text="As it was confirmed.")
    confirmed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    confirmed_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"record {self.pk} of decision {self.decision_id}"

    @property
    def is_edited(self) -> bool:
        """Whether somebody changed the draft before they confirmed it."""
        return self.text != self.draft
