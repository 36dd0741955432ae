"""What people said of outputs, the lessons that follow, and what is asked for, proposed and measured because of them.

Appraisals are evidence, which the database refuses to change. Everything else says who did what to it and when.
"""

from django.contrib.auth.models import User
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from orchestrator.models import Run, Workflow


class Appraisal(models.Model):
    """What whoever decided said of the output in terms that can be counted: with a decision, or with their vote."""

    gate = models.ForeignKey("approvals.Gate", on_delete=models.PROTECT, related_name="appraisals")
    decision = models.OneToOneField("approvals.Decision", on_delete=models.PROTECT, null=True, related_name="appraisal")
    vote = models.OneToOneField("approvals.Vote", on_delete=models.PROTECT, null=True, related_name="appraisal")
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    rating = models.SmallIntegerField(null=True, help_text="1 to 5.")
    rubric = models.JSONField(default=dict, db_default={}, help_text="Criterion: 1 to 5.")
    reasons = ArrayField(models.CharField(max_length=40), default=list, db_default=[])
    causes = ArrayField(models.CharField(max_length=40), default=list, db_default=[])
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(decision=None, vote__isnull=False) | models.Q(decision__isnull=False, vote=None),
                name="appraisal_of_a_decision_or_a_vote",
            ),
            models.CheckConstraint(
                condition=models.Q(rating=None) | models.Q(rating__range=(1, 5)), name="appraisal_rates_1_to_5"
            ),
        ]


class Lesson(models.Model):
    """One act of a person on an output: a decision, or an override of a step. Written once, by `learning`.

    `stood` says whether the output stood as it was; None where the act judges no output. Of a decision, input and
    output are those of its gate; an override keeps its own.
    """

    class Example(models.TextChoices):
        NONE = ""
        ACCEPTED = "accepted"
        DECLINED = "declined"

    decision = models.OneToOneField("approvals.Decision", on_delete=models.PROTECT, null=True, related_name="lesson")
    event = models.BigIntegerField(null=True, unique=True, help_text="Id of the event of an override.")
    at = models.DateTimeField()
    by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    verdict = models.CharField(max_length=20, help_text="Verdict of the decision, or name of the act.")
    stood = models.BooleanField(null=True)
    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="+")
    queue = models.ForeignKey("approvals.Queue", on_delete=models.PROTECT, null=True, related_name="+")
    gate = models.ForeignKey("approvals.Gate", on_delete=models.PROTECT, null=True, related_name="+")
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="+")
    task_id = models.BigIntegerField(null=True)
    step = models.CharField(max_length=100)
    agent = models.CharField(max_length=100, blank=True)
    agent_version = models.IntegerField(null=True)
    prompt = models.CharField(max_length=120, blank=True, help_text='"name@2", where the output came of one.')
    risk = models.CharField(max_length=20, blank=True)
    causes = ArrayField(models.CharField(max_length=40), default=list, db_default=[])
    reasons = ArrayField(models.CharField(max_length=40), default=list, db_default=[])
    input = models.JSONField(null=True)
    output = models.JSONField(null=True)
    edited = models.JSONField(null=True, help_text="What the person put in its place.")
    reason = models.TextField(blank=True)
    example = models.CharField(max_length=20, choices=Example.choices, default=Example.NONE, blank=True)
    chosen_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    chosen_at = models.DateTimeField(null=True)
    used_in = models.CharField(max_length=120, blank=True, help_text="Prompt version whose draft it stands in.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(decision=None, event__isnull=False) | models.Q(decision__isnull=False, event=None),
                name="lesson_of_a_decision_or_an_override",
            )
        ]
        indexes = [
            models.Index(fields=["agent", "-at"], name="lesson_of_agent"),
            models.Index(fields=["workflow", "step", "-at"], name="lesson_of_step"),
            models.Index(fields=["-at"], name="lesson_by_time"),
            models.Index(fields=["by", "-at"], name="lesson_of_person"),
        ]


class LessonCursor(models.Model):
    """One row (id 1): up to which place in the ledger lessons have been drawn."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    pos = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_lesson_cursor")]


class FeedbackLink(models.Model):
    """An address at which somebody without an account may say what they think of one run or output.

    The address is the only key, so only its SHA-256 is kept; what it shows is `about`, and nothing of the run.
    """

    digest = models.CharField(max_length=64, unique=True)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="+")
    task_id = models.BigIntegerField(null=True)
    queue = models.ForeignKey("approvals.Queue", on_delete=models.PROTECT, related_name="+")
    about = models.CharField(max_length=300, help_text="What people who open it are told that it is about.")
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["-id"]


class Feedback(models.Model):
    """What somebody said of a run, an output or an agent, and what came of it. Its receipt's address is a secret."""

    class Status(models.TextChoices):
        OPEN = "open"
        DEALT = "dealt"  # looked at and dealt with
        CHANGED = "changed"  # something has another version because of it
        DECLINED = "declined"  # nothing will change, and the answer says why

    digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the receipt's token.")
    link = models.ForeignKey(FeedbackLink, on_delete=models.PROTECT, null=True, related_name="given")
    author = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    run = models.ForeignKey(Run, on_delete=models.PROTECT, null=True, related_name="+")
    task_id = models.BigIntegerField(null=True)
    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, null=True, related_name="+")
    agent = models.CharField(max_length=100, blank=True)
    agent_version = models.IntegerField(null=True)
    prompt = models.CharField(max_length=120, blank=True)
    rating = models.SmallIntegerField(null=True, help_text="1 to 5.")
    comment = models.TextField(blank=True)
    causes = ArrayField(models.CharField(max_length=40), default=list, db_default=[])
    sentiment = models.CharField(max_length=10, blank=True, help_text="positive, neutral, negative: a guess by words.")
    wants_person = models.BooleanField(default=False)
    gate = models.OneToOneField("approvals.Gate", on_delete=models.PROTECT, null=True, related_name="feedback")
    sender = models.CharField(max_length=64, blank=True, help_text="Keyed hash of an address, for the rate limit.")
    at = models.DateTimeField(db_default=Now())
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    answer = models.TextField(blank=True)
    version = models.CharField(max_length=150, blank=True, help_text="What has another version because of it.")
    answered_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    answered_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(link=None, author__isnull=False) | models.Q(link__isnull=False, author=None),
                name="feedback_by_a_person_or_through_a_link",
            ),
            models.CheckConstraint(
                condition=models.Q(rating=None) | models.Q(rating__range=(1, 5)), name="feedback_rates_1_to_5"
            ),
        ]
        indexes = [
            models.Index(fields=["-id"], condition=models.Q(status="open"), name="feedback_open"),
            models.Index(fields=["agent", "-id"], name="feedback_of_agent"),
            models.Index(fields=["link", "-at"], name="feedback_of_link"),
        ]


class Improvement(models.Model):
    """Work that the figures ask for: a retraining of an agent, or a look at a tool. One of its kind is open at once."""

    class Kind(models.TextChoices):
        RETRAINING = "retraining"
        TOOL_ERRORS = "tool_errors"

    kind = models.CharField(max_length=20, choices=Kind.choices)
    subject = models.CharField(max_length=100, help_text="Name of the agent or of the tool.")
    words = models.CharField(max_length=500)
    facts = models.JSONField(default=dict, help_text="n, count, share, window_days, examples (ids of lessons).")
    opened_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    outcome = models.TextField(blank=True, help_text="What was done, or why nothing was.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject"], condition=models.Q(closed_at=None), name="one_open_improvement_of_a_kind"
            )
        ]


class Proposal(models.Model):
    """A change of a gate that the figures speak for. People accept or decline it; then it is measured."""

    class Kind(models.TextChoices):
        THRESHOLD = "threshold"
        ROUTING = "routing"
        GATE = "gate"
        AUTO_APPROVE = "auto_approve"

    class Status(models.TextChoices):
        OPEN = "open"
        SECONDED = "seconded"  # one person has accepted it, and the gate demands another
        ACCEPTED = "accepted"
        DECLINED = "declined"
        OUTDATED = "outdated"  # the gate is another by now

    kind = models.CharField(max_length=20, choices=Kind.choices)
    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="+")
    step = models.CharField(max_length=100)
    base = models.IntegerField(help_text="Number of the version that it would change.")
    change = models.JSONField(help_text="Field of the gate: its new value.")
    before = models.JSONField(default=dict, help_text="The same fields as they are.")
    data = models.JSONField(default=dict, help_text="n, approved, share, low, high, days, examples, backtest.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    four_eyes = models.BooleanField(default=False)
    made_at = models.DateTimeField(db_default=Now())
    first_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    reason = models.TextField(blank=True)
    version = models.IntegerField(null=True, help_text="Number of the version that brought it.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["workflow", "step", "kind"],
                condition=models.Q(status__in=("open", "seconded")),
                name="one_open_proposal_of_a_kind",
            )
        ]


class SurveyAnswer(models.Model):
    """How satisfied a person is with working here, once a month: 1 to 10. The latest of the month counts."""

    by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    month = models.DateField(help_text="Its first day.")
    score = models.SmallIntegerField()
    comment = models.TextField(blank=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["by", "month"], name="one_survey_answer_a_month"),
            models.CheckConstraint(condition=models.Q(score__range=(1, 10)), name="survey_scores_1_to_10"),
        ]


class Retro(models.Model):
    """A retrospective that people held: its figures as they were then, and what they concluded. Never edited."""

    title = models.CharField(max_length=200)
    concluded = models.TextField(help_text="What was concluded, in people's own words.")
    days = models.SmallIntegerField()
    starts_at = models.DateTimeField()
    held_at = models.DateTimeField(db_default=Now())
    figures = models.JSONField(help_text="changed, judged, changed_before, judged_before, untagged, topics.")
    workflows = ArrayField(models.BigIntegerField(), help_text="What the figures count: who sees all of these sees it.")
    held_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["-id"]


class UsabilityRound(models.Model):
    """A round of usability tests that was held with people: who they were, what they did. Never edited."""

    title = models.CharField(max_length=200)
    held_on = models.DateField()
    method = models.TextField(help_text="How it was held: moderated or not, with which tasks.")
    groups = ArrayField(models.CharField(max_length=100), help_text="Whom it was held with: a screen reader's users, …")
    people = models.SmallIntegerField()
    tries = models.SmallIntegerField(help_text="Tasks that were tried, over all people.")
    done = models.SmallIntegerField(help_text="Of these, how many were completed without help.")
    recorded_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-held_on", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(people__gte=1, done__gte=0, tries__gte=models.F("done")),
                name="usability_round_adds_up",
            )
        ]


class UsabilityFinding(models.Model):
    """What stopped or slowed people in a round, and how it was mended. Closed once."""

    class Severity(models.TextChoices):
        MINOR = "minor"
        SERIOUS = "serious"
        BLOCKING = "blocking"

    round = models.ForeignKey(UsabilityRound, on_delete=models.PROTECT, related_name="findings")
    text = models.TextField()
    severity = models.CharField(max_length=20, choices=Severity.choices)
    criterion = models.CharField(max_length=50, blank=True, help_text="Of WCAG, such as 2.4.7.")
    found_at = models.DateTimeField(db_default=Now())
    remedy = models.TextField(blank=True)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["id"]
