"""What must not be deleted, whatever its time."""

from django.contrib.auth.models import User
from django.db import models
from django.db.models.functions import Now


class LegalHold(models.Model):
    """Somebody has to keep what is recorded about some runs. Written by `retention.holds`; released, never deleted."""

    class What(models.TextChoices):
        RUN = "run"
        INCIDENT = "incident"
        CORRELATION = "correlation"

    what = models.CharField(max_length=12, choices=What.choices)
    name = models.CharField(max_length=200, help_text="The run's number, the incident's or the correlation id.")
    reason = models.CharField(max_length=1000)
    placed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    placed_at = models.DateTimeField(db_default=Now())
    released_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    released_at = models.DateTimeField(null=True)
    why_released = models.CharField(max_length=1000, blank=True, default="", db_default="")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["what", "name"], condition=models.Q(released_at=None), name="one_hold_per_thing"
            ),
            models.CheckConstraint(
                condition=models.Q(released_at=None, released_by=None)
                | models.Q(released_at__isnull=False, released_by__isnull=False),
                name="hold_released_by_somebody",
            ),
        ]
