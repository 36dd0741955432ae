"""What others bill: spending that no call of ours reports, kept once by its number."""

from django.contrib.auth.models import User
from django.db import models
from django.db.models.functions import Now


class Bill(models.Model):
    """One bill of somebody else, counted against a budget of cost over all runs."""

    source = models.CharField(max_length=100, help_text="Who bills.")
    number = models.CharField(max_length=100, help_text="Their number for it: the same one is counted once.")
    scope = models.CharField(max_length=20)
    ref = models.BigIntegerField(help_text="Agent, workflow or group id.")
    amount = models.FloatField(help_text="US dollars; negative where money comes back.")
    by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "number"], name="one_bill_by_number")]
