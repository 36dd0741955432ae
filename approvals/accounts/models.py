"""Roles made from a copy, links by which people set their first password, and changes that wait for a second person."""

from django.contrib.auth.models import Group, User
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now


class RoleTerms(models.Model):
    """What people have set about a role. `verbs` are its rights if it was made here; a shipped role has its own."""

    group = models.OneToOneField(Group, on_delete=models.CASCADE, related_name="terms")
    is_own = models.BooleanField(default=False, help_text="Made here, from a copy; not one of those shipped.")
    verbs = ArrayField(models.CharField(max_length=30), default=list)
    copied_from = models.CharField(max_length=150, blank=True)
    needs_mfa = models.BooleanField(default=False, help_text="Nobody in it works without a second factor.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(is_own=True) | models.Q(verbs=[]), name="only_own_roles_hold_verbs"
            )
        ]


class Invitation(models.Model):
    """A link by which somebody sets the password of one account, once. Only its SHA-256 is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="invitations")
    digest = models.CharField(max_length=64, unique=True)
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    made_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, help_text="When it was used, or taken back.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user"], condition=models.Q(ended_at=None), name="one_live_invitation_per_account"
            )
        ]


class AccessChange(models.Model):
    """A risky change of access: one entitled person asked for it, another confirms or refuses it. See `changes`."""

    act = models.CharField(max_length=40)
    answers = models.JSONField()
    lines = ArrayField(models.TextField(), help_text="What it would do, as it was said to whoever asked.")
    risk = models.TextField(help_text="Why it takes two people.")
    reason = models.TextField()
    proposed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    settled_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    outcome = models.CharField(max_length=20, blank=True)  # confirmed, refused, withdrawn
    note = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(outcome="", settled_at=None)
                | ~models.Q(outcome="") & models.Q(settled_at__isnull=False),
                name="access_change_settled_iff_it_has_an_outcome",
            ),
            models.CheckConstraint(
                condition=~models.Q(outcome="confirmed") | ~models.Q(settled_by=models.F("proposed_by")),
                name="access_change_is_confirmed_by_somebody_else",
            ),
        ]
