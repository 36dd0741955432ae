"""Notices, the channels they leave by, and each delivery."""

from datetime import time

from django.contrib.auth.models import User
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class NoticeKind(models.TextChoices):
    DECIDE = "decide"  # a gate waits for this person
    PASSED_ON = "passed_on"  # a gate whose deadline passed came here
    STILL_OPEN = "still_open"  # nobody decided in time, and it is asked again
    HANDED = "handed"  # somebody put a gate before this very person
    CALLED = "called"  # whoever was on call has not taken it up, and it is this person's turn
    ON_CALL = "on_call"  # this person's turn on call begins
    CONSULTED = "consulted"  # this person is to say what they think before others decide it
    INFORMED = "informed"  # it was decided, and this person is kept informed
    REMINDED = "reminded"  # its deadline comes nearer
    AMENDED = "amended"  # it was edited, and what people said of it before is void
    STRANDED = "stranded"  # nobody is left who could decide it: for administrators
    MANY = "many"  # so many at once that one line says how many
    DECIDED = "decided"  # what this person started was decided by another
    COMMENTED = "commented"
    RUN_FAILED = "run_failed"
    STOPPED = "stopped"
    ALERT = "alert"  # something is wrong, and it is this person's turn to look
    DIGEST = "digest"  # figures of a span that is over, as this person wished
    CHANNEL_BROKEN = "channel_broken"
    ACCESS_WAITS = "access_waits"  # a change of access that somebody else asked for waits to be confirmed
    POLICY_WAITS = "policy_waits"  # a policy of tools that somebody else proposed waits to be approved
    PROMPT_WAITS = "prompt_waits"  # a prompt that somebody else wrote waits for a review


class Notice(models.Model):
    """One thing that one person, or a queue's own channels, are told. Written once, by `telling`."""

    recipient = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="notices")
    queue = models.ForeignKey("approvals.Queue", on_delete=models.CASCADE, null=True, related_name="notices")
    pos = models.BigIntegerField(help_text="Place in the ledger of the event that it tells of.")
    kind = models.CharField(max_length=20, choices=NoticeKind.choices)
    risk = models.CharField(max_length=20)
    title = models.CharField(max_length=300, help_text="Agents' words may be in it: hostile.")
    facts = models.JSONField(default=dict, help_text="What the sentence about it needs: names and numbers.")
    path = models.CharField(max_length=200, help_text="Where it leads, within the product.")
    gate = models.ForeignKey("approvals.Gate", on_delete=models.CASCADE, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    read_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True, help_text="Since when there is nothing to do about it any more.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(recipient=None, queue__isnull=False) | models.Q(recipient__isnull=False, queue=None),
                name="notice_for_a_person_or_a_queue",
            ),
            # Reading the log again tells nobody twice.
            models.UniqueConstraint(fields=["recipient", "pos", "kind"], name="one_notice_per_person_and_event"),
            models.UniqueConstraint(fields=["queue", "pos", "kind"], name="one_notice_per_queue_and_event"),
        ]
        indexes = [
            models.Index(fields=["recipient", "-id"], name="notice_list"),
            models.Index(
                fields=["recipient"],
                condition=models.Q(read_at=None, withdrawn_at=None),
                name="notice_unread",
            ),
            models.Index(fields=["gate"], condition=models.Q(withdrawn_at=None), name="notice_of_gate"),
            models.Index(fields=["created_at"], name="notice_age"),
        ]


class ChannelKind(models.TextChoices):
    EMAIL = "email", _("E-mail")
    PUSH = "push", _("A browser")
    SERVICE = "service", _("Slack, Teams, webhook, …")


class Pace(models.TextChoices):
    AT_ONCE = "at_once", pgettext_lazy("how soon", "At once")
    HOURLY = "hourly", _("Each hour")
    DAILY = "daily", _("Once a day")


class Channel(models.Model):
    """A way to a person, or to the people of a queue. What reaches it is sealed: addresses hold secrets."""

    owner = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="notice_channels")
    queue = models.ForeignKey("approvals.Queue", on_delete=models.CASCADE, null=True, related_name="notice_channels")
    kind = models.CharField(max_length=20, choices=ChannelKind.choices)
    name = models.CharField(max_length=100, help_text="What people see of its address: no secret is in it.")
    sealed_address = models.TextField(blank=True, help_text="Empty for the owner's own e-mail address.")
    least_risk = models.CharField(max_length=20, default="low")
    pace = models.CharField(max_length=20, choices=Pace.choices, default=Pace.AT_ONCE)
    says_titles = models.BooleanField(default=True, help_text="Without it only queue and risk leave the product.")
    failures = models.SmallIntegerField(default=0, help_text="Messages in a row that did not arrive.")
    problem = models.CharField(max_length=300, blank=True)
    last_sent_at = models.DateTimeField(null=True)
    next_at = models.DateTimeField(db_default=Now(), help_text="Before that nothing but the gravest is sent.")
    created_at = models.DateTimeField(db_default=Now())
    removed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(owner=None, queue__isnull=False) | models.Q(owner__isnull=False, queue=None),
                name="channel_of_a_person_or_a_queue",
            ),
            models.UniqueConstraint(
                fields=["owner"],
                condition=models.Q(kind="email", removed_at=None),
                name="one_email_channel_per_person",
            ),
        ]


class DeliveryStatus(models.TextChoices):
    DUE = "due"
    SENT = "sent"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


class Delivery(models.Model):
    """One notice on its way through one channel. At least once: a lost answer is asked for again."""

    notice = models.ForeignKey(Notice, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="deliveries")
    status = models.CharField(max_length=20, choices=DeliveryStatus.choices, default=DeliveryStatus.DUE)
    due_at = models.DateTimeField()
    attempts = models.SmallIntegerField(default=0)
    problem = models.CharField(max_length=300, blank=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["notice", "channel"], name="one_delivery_per_way")]
        indexes = [
            models.Index(fields=["due_at"], condition=models.Q(status="due"), name="delivery_due"),
            models.Index(fields=["channel", "-id"], name="delivery_of_channel"),
        ]


class QuietHours(models.Model):
    """When a person's channels keep still, by the clock of their profile. The page always tells."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="quiet_hours")
    starts = models.TimeField(default=time(22))
    ends = models.TimeField(default=time(7))
    weekends = models.BooleanField(default=False, help_text="Saturday and Sunday as a whole.")
    critical_passes = models.BooleanField(default=True)
    is_on = models.BooleanField(default=False)
    digest_at = models.TimeField(default=time(8), help_text="When a daily digest is sent.")


class NoticeCursor(models.Model):
    """One row (id 1): up to which place in the ledger people have been told."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    pos = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_notice_cursor")]
