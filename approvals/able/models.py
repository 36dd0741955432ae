"""Checks, own verdicts, measures and second looks. `item` is the number of a gate or of a check: one sequence numbers
both.
"""

from django.contrib.auth.models import User
from django.db import models
from django.db.models.functions import Now


class Care(models.Model):
    """What one queue promises and how it is checked; what is not set goes by the settings."""

    queue = models.OneToOneField("approvals.Queue", on_delete=models.CASCADE, related_name="care")
    check_share = models.FloatField(null=True, help_text="Of what a reviewer sees: 0, or 0.02 to 0.05.")
    decide_within_s = models.IntegerField(null=True, help_text="Within this time …")
    decide_share = models.FloatField(default=0.9, help_text="… this share is to be decided.")
    # Measured each minute by `minutes`:
    present = models.SmallIntegerField(default=0, help_text="Who may decide there and is at work now.")
    minutes = models.FloatField(default=0, help_text="Of people, until the horizon.")
    demand_minutes = models.FloatField(default=0, help_text="That what is open takes.")
    handling_s = models.FloatField(default=0, help_text="Median active time of a decision.")
    is_attended = models.BooleanField(default=True, help_text="Whether anybody qualified is present.")
    turned_at = models.DateTimeField(null=True, help_text="Since when that is so.")
    measured_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(check_share=None)
                | models.Q(check_share=0)
                | models.Q(check_share__gte=0.02, check_share__lte=0.05),
                name="care_check_share",
            ),
            models.CheckConstraint(
                condition=models.Q(decide_share__gt=0, decide_share__lt=1), name="care_decide_share"
            ),
        ]


class Truth(models.TextChoices):
    ACCEPT = "accept"
    REFUSE = "refuse"


class Basis(models.TextChoices):
    OUTCOME = "outcome", "What came of it"
    ADJUDICATED = "adjudicated", "Two people disagreed and a third ruled"
    PLANTED = "planted", "A fault was planted"


class GoldCase(models.Model):
    """A case decided in the past whose right answer is known. Only what a person has confirmed is used."""

    gate = models.ForeignKey("approvals.Gate", on_delete=models.PROTECT, related_name="+")
    queue = models.ForeignKey("approvals.Queue", on_delete=models.PROTECT, related_name="+")
    basis = models.CharField(max_length=20, choices=Basis.choices)
    truth = models.CharField(max_length=10, choices=Truth.choices)
    subject = models.JSONField(help_text="What is shown; of a planted case, with its fault.")
    why = models.TextField(help_text="What a reviewer is told afterwards.")
    made_at = models.DateTimeField(db_default=Now())
    confirmed_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    confirmed_at = models.DateTimeField(null=True)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["gate", "basis"], name="one_gold_case_per_gate_and_basis")]
        indexes = [
            models.Index(
                fields=["queue"],
                condition=models.Q(retired_at=None, confirmed_at__isnull=False),
                name="gold_case_in_use",
            )
        ]


class Check(models.Model):
    """A gold case before one reviewer. It looks like a gate and is none: no run, no task and no deadline hang on it.

    Its id, and the number of a run that it shows, come from the sequences of gates and runs, so that no gate and no
    run ever has them: whatever settles gates finds nothing there to settle.
    """

    id = models.BigIntegerField(primary_key=True)
    case = models.ForeignKey(GoldCase, on_delete=models.PROTECT, related_name="checks")
    reviewer = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    queue = models.ForeignKey("approvals.Queue", on_delete=models.PROTECT, related_name="+")
    run_number = models.BigIntegerField()
    seal = models.CharField(max_length=64)
    opened_at = models.DateTimeField()
    shown_deadline_at = models.DateTimeField(help_text="As a gate would have; nothing happens then.")
    claimed_until = models.DateTimeField(null=True)
    remarks = models.JSONField(default=list, db_default=[])
    draft = models.JSONField(null=True)
    verdict = models.CharField(max_length=20, blank=True)
    note = models.TextField(blank=True)
    edited = models.JSONField(null=True)
    idempotency_key = models.CharField(max_length=200, null=True)
    is_right = models.BooleanField(null=True)
    is_void = models.BooleanField(default=False, help_text="They could know: it counts for nothing.")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["reviewer", "case"], name="one_check_per_reviewer_and_case"),
            models.CheckConstraint(
                condition=models.Q(ended_at=None, verdict="") | models.Q(ended_at__isnull=False),
                name="check_verdict_ends_it",
            ),
        ]
        indexes = [
            models.Index(fields=["reviewer"], condition=models.Q(ended_at=None), name="check_open"),
            models.Index(fields=["reviewer", "-ended_at"], name="check_history"),
        ]


class Sitting(models.Model):
    """How one person is at work: since when without a pause, when last seen, and how many checks they are owed."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, primary_key=True, related_name="sitting")
    since = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)
    counted = models.BigIntegerField(default=0, help_text="Last decision that was drawn for checks.")
    owed = models.SmallIntegerField(default=0)
    break_told_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["seen_at"], name="sitting_seen")]


class Handling(models.Model):
    """How long one person actively looked at one item, in steps of five seconds, and what of it they opened."""

    item = models.BigIntegerField()
    reviewer = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    queue = models.ForeignKey("approvals.Queue", on_delete=models.CASCADE, related_name="+")
    risk = models.CharField(max_length=20)
    is_check = models.BooleanField(default=False)
    has_evidence = models.BooleanField(default=False)
    opened_at = models.DateTimeField(db_default=Now())
    beat_at = models.DateTimeField(db_default=Now())
    active_s = models.IntegerField(default=0)
    saw_evidence = models.BooleanField(default=False)
    saw_run = models.BooleanField(default=False)
    verdict = models.CharField(max_length=20, blank=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["item", "reviewer"], name="one_handling_per_item_and_reviewer")]
        indexes = [
            models.Index(fields=["reviewer", "-decided_at"], name="handling_of_reviewer"),
            models.Index(fields=["queue", "-decided_at"], name="handling_of_queue"),
        ]


class FirstVerdict(models.Model):
    """What somebody judged before they saw what the machine thinks of it, and what they decided then."""

    item = models.BigIntegerField()
    reviewer = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    queue = models.ForeignKey("approvals.Queue", on_delete=models.CASCADE, related_name="+")
    seal = models.CharField(max_length=64, help_text="Of what they judged.")
    verdict = models.CharField(max_length=20)
    note = models.TextField(blank=True)
    given_at = models.DateTimeField(db_default=Now())
    final = models.CharField(max_length=20, blank=True)
    final_at = models.DateTimeField(null=True)
    changed = models.BooleanField(null=True, help_text="Whether they thought otherwise after seeing it.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item", "reviewer", "seal"], name="one_first_verdict_per_item_and_reviewer")
        ]
        indexes = [models.Index(fields=["queue", "-final_at"], name="first_verdict_of_queue")]


class SecondLook(models.Model):
    """A decided gate that a second person judges without knowing the first verdict. It releases nothing."""

    gate = models.OneToOneField("approvals.Gate", on_delete=models.PROTECT, related_name="second_look")
    queue = models.ForeignKey("approvals.Queue", on_delete=models.PROTECT, related_name="+")
    first = models.CharField(max_length=20, help_text="What was decided: accept, changes, refuse.")
    drawn_at = models.DateTimeField(db_default=Now())
    reviewer = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    second = models.CharField(max_length=20, blank=True)
    note = models.TextField(blank=True)
    given_at = models.DateTimeField(null=True)
    ruling = models.CharField(max_length=10, choices=Truth.choices, blank=True)
    ruled_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    ruled_at = models.DateTimeField(null=True)
    why = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(second="", reviewer=None, given_at=None)
                | ~models.Q(second="") & models.Q(reviewer__isnull=False, given_at__isnull=False),
                name="second_look_is_given_whole",
            )
        ]
        indexes = [
            models.Index(fields=["queue", "drawn_at"], condition=models.Q(second=""), name="second_look_open"),
            models.Index(fields=["-given_at"], name="second_look_given"),
        ]
