"""Who and what the sealed log speaks of. A projection: written by `forensics.indexing`, and safe to delete."""

from django.db import models


class Mention(models.Model):
    """One event by or about a person; or the first of a run that an agent worked in, or that is about an incident."""

    class Kind(models.TextChoices):
        PERSON = "person"
        AGENT = "agent"
        INCIDENT = "incident"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    name = models.CharField(max_length=200)
    pos = models.BigIntegerField(help_text="The event's place in the ledger.")
    run_id = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            # A stretch of the log that is read twice adds nothing.
            models.UniqueConstraint(fields=["kind", "name", "pos"], name="one_mention_per_event"),
            models.UniqueConstraint(
                fields=["kind", "name", "run_id"],
                condition=models.Q(run_id__isnull=False) & ~models.Q(kind="person"),
                name="one_mention_per_run",
            ),
        ]


class MentionCursor(models.Model):
    """How far the log has been read."""

    pos = models.BigIntegerField(default=0)
