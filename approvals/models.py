"""Gates, decisions and what people need to decide. `services.decide()` is the only code that settles a gate."""

from django.contrib.auth.models import Group, User
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models.functions import Now

from orchestrator.models import Run, Task, Workflow


class Profile(models.Model):
    """What we know of a user beyond Django's account."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="profile")
    time_zone = models.CharField(max_length=50, default="UTC")
    title = models.CharField(max_length=100, blank=True)
    skills = ArrayField(models.CharField(max_length=50), default=list, db_default=[], blank=True)
    language = models.CharField(max_length=10, default="", db_default="", blank=True, help_text="Chosen last.")
    keys = models.JSONField(default=dict, db_default={}, blank=True, help_text="Own keys: usual key to own one.")
    same_as = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+",
        help_text="The main account of the same person: people count once, whatever accounts they have.",
    )  # fmt: skip


class Queue(models.Model):
    """Where gates wait for people. Object permissions (guardian) say who may see and decide. Written by `access`."""

    name = models.SlugField(max_length=50, unique=True)
    title = models.CharField(max_length=100)
    escalates_to = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True)
    calendar = models.JSONField(default=dict, db_default={}, blank=True, help_text="Business hours: see `calendars`.")
    quorum = models.JSONField(default=dict, db_default={}, blank=True, help_text="Least people by risk: see `quorums`.")
    owner = models.ForeignKey(Group, on_delete=models.PROTECT, null=True, blank=True, related_name="owned_queues")

    class Meta:
        ordering = ["title"]
        permissions = [("see_gates", "See gates of this queue"), ("decide_gates", "Decide gates of this queue")]

    def __str__(self) -> str:
        return self.title


class GateKind(models.TextChoices):
    APPROVAL = "approval"
    MANUAL = "manual"
    EXCEPTION = "exception"
    QUARANTINE = "quarantine"
    HYBRID = "hybrid"  # a person completes a form that an agent has drafted
    TOOL = "tool"  # one call of a tool, with exactly these arguments
    DEADLINE = "deadline"  # about a whole run that is alive at its deadline; no task waits for it
    REQUEST = "request"  # somebody outside asked for a person; about a whole run, and nothing waits for it


class GateStatus(models.TextChoices):
    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    RETURNED = "returned"  # sent back to the agent with a note
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class Risk(models.TextChoices):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


def subject_words() -> models.Func:
    """The words of a gate's subject, title included: the expression that the index of inbox search is on."""
    template = "to_tsvector('simple', %(expressions)s)"
    return models.Func(models.F("subject"), template=template, output_field=SearchVectorField())


def subject_text() -> models.Func:
    """A gate's subject as text in capitals: the expression that the index of searches within words is on."""
    return models.Func(models.F("subject"), template="upper((%(expressions)s)::text)", output_field=models.TextField())


class Gate(models.Model):
    """A point where a task waits for people. `subject` is exactly what they see; `seal` is its SHA-256."""

    task = models.ForeignKey(
        Task,
        on_delete=models.PROTECT,
        null=True,
        db_constraint=False,
        related_name="gates",
        help_text="The task that waits; none where it is about the whole run.",
    )
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="gates")
    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="gates")
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="gates")
    step = models.CharField(max_length=100, help_text="Key of the task's step.")
    kind = models.CharField(max_length=20, choices=GateKind.choices)
    status = models.CharField(max_length=20, choices=GateStatus.choices, default=GateStatus.OPEN)
    version = models.IntegerField(default=1, help_text="Bumped when anything a reviewer relies on changes.")
    title = models.CharField(max_length=300)
    risk = models.CharField(max_length=20, choices=Risk.choices)
    rule = models.TextField()
    subject = models.JSONField()
    seal = models.CharField(max_length=64)
    allowed = ArrayField(models.CharField(max_length=20))
    confidence = models.FloatField(null=True)
    agent = models.CharField(max_length=100, blank=True)
    agent_version = models.IntegerField(null=True)
    revision = models.SmallIntegerField(default=0)
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    barred = ArrayField(models.BigIntegerField(), default=list, help_text="People with a hand in it: see `duties`.")
    approvals = models.SmallIntegerField(default=1, help_text="How many people must approve, as its terms say.")
    blind = models.BooleanField(default=False, help_text="Opinions are hidden from who has not voted.")
    opened_at = models.DateTimeField(db_default=Now())
    deadline_at = models.DateTimeField()
    releases_at = models.DateTimeField(null=True, help_text="Approved, and can still be taken back until then.")
    deadline_s = models.FloatField(help_text="Length of each deadline: an escalation starts a new one.")
    on_timeout = models.CharField(max_length=20)
    escalate_to = models.ForeignKey(Queue, on_delete=models.PROTECT, null=True, related_name="+")
    escalations = models.SmallIntegerField(default=0)
    trail = ArrayField(models.BigIntegerField(), default=list, help_text="Queues whose deadline passed, in order.")
    assigned_to = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="assigned_gates")
    assigned_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    claimed_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="claimed_gates")
    claimed_until = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["task"], condition=models.Q(status="open"), name="one_open_gate_per_task"),
            models.UniqueConstraint(
                fields=["run"],
                condition=models.Q(status="open", kind="deadline"),
                name="one_open_deadline_gate_per_run",
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=("deadline", "request"), task=None)
                | ~models.Q(kind__in=("deadline", "request")) & models.Q(task__isnull=False),
                name="gate_has_a_task_unless_about_its_run",
            ),
            models.CheckConstraint(
                condition=models.Q(status="open", settled_at=None)
                | ~models.Q(status="open") & models.Q(settled_at__isnull=False),
                name="gate_settled_at_iff_settled",
            ),
        ]
        indexes = [
            models.Index(  # queries.inbox and queries.counts, answered from the index alone
                fields=["queue", "deadline_at"],
                include=["id", "risk", "barred", "opened_at", "releases_at"],
                condition=models.Q(status="open"),
                name="gate_inbox",
            ),
            models.Index(  # queries.inbox: the most urgent of each risk
                fields=["risk", "deadline_at", "id"],
                include=["queue", "barred", "releases_at"],
                condition=models.Q(status="open"),
                name="gate_urgent",
            ),
            GinIndex(
                subject_words(), condition=models.Q(status="open"), name="gate_search"
            ),  # queries.inbox, searching
            GinIndex(
                OpClass(subject_text(), name="gin_trgm_ops"),
                condition=models.Q(status="open"),
                name="gate_search_within",
            ),  # the same, within words
            models.Index(  # card: precedents of the same step
                fields=["workflow", "step", "-settled_at"], condition=~models.Q(status="open"), name="gate_precedents"
            ),
        ]

    def __str__(self) -> str:
        return self.title


class Verdict(models.TextChoices):
    APPROVE = "approve"
    EDIT = "edit", "Edit and approve"
    REQUEST_CHANGES = "request_changes"
    COMPLETE = "complete"  # manual work done
    RETRY = "retry"  # exception and quarantine: try again
    SKIP = "skip"  # exception and quarantine: go on without it
    EXTEND = "extend"  # a run past its deadline gets another one
    GO_ON = "go_on"  # a run past its deadline goes on without one
    CHOOSE = "choose", "Choose an alternative"
    REJECT = "reject"
    TERMINATE = "terminate"
    EXPIRE = "expire"  # by the deadline, never by a person


class Decision(models.Model):
    """One verdict on a gate. Append-only: the database refuses to update, delete or truncate."""

    gate = models.ForeignKey(Gate, on_delete=models.PROTECT, related_name="decisions")
    verdict = models.CharField(max_length=20, choices=Verdict.choices)
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    via = models.CharField(max_length=20)  # browser, api, deadline
    note = models.TextField(blank=True)
    gate_version = models.IntegerField()
    seal = models.CharField(max_length=64)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    checked = ArrayField(models.TextField(), default=list, db_default=[], help_text="Points that were ticked.")
    idempotency_key = models.CharField(max_length=200, null=True)
    decided_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["decided_by", "idempotency_key"], name="one_decision_per_idempotency_key"),
            models.UniqueConstraint(fields=["gate"], name="one_decision_per_gate"),
            models.CheckConstraint(
                condition=models.Q(verdict__in=("expire", "approve"), via="deadline", decided_by=None)
                | ~models.Q(verdict="expire") & models.Q(decided_by__isnull=False),
                name="decision_by_a_person_or_by_time",
            ),
        ]
        indexes = [models.Index(fields=["decided_by", "-id"], name="decision_history")]  # queries.decided_by


class Vote(models.Model):
    """One person's verdict on a gate that needs several. Append-only; it counts while the gate's seal is its own."""

    gate = models.ForeignKey(Gate, on_delete=models.PROTECT, related_name="votes")
    voter = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    person = models.BigIntegerField(help_text="User id of the voter's main account.")
    verdict = models.CharField(max_length=20, choices=Verdict.choices)
    note = models.TextField(blank=True)
    via = models.CharField(max_length=20)
    seal = models.CharField(max_length=64)
    gate_version = models.IntegerField()
    turn = models.SmallIntegerField(default=0, help_text="Which try of two keys at one moment; else 0.")
    edited = models.JSONField(null=True)
    checked = ArrayField(models.TextField(), default=list, db_default=[], help_text="Points that were ticked.")
    idempotency_key = models.CharField(max_length=200, null=True)
    voted_at = models.DateTimeField(db_default=Now())
    lapses_at = models.DateTimeField(null=True, help_text="A key that was turned alone counts no longer then.")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["gate", "seal", "person", "turn"], name="one_vote_per_person"),
            models.UniqueConstraint(fields=["voter", "idempotency_key"], name="one_vote_per_idempotency_key"),
        ]
        indexes = [models.Index(fields=["person", "gate"], name="vote_of_person")]  # queries.inbox


class Comment(models.Model):
    """A remark on a gate that changes no state."""

    gate = models.ForeignKey(Gate, on_delete=models.PROTECT, related_name="comments")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    text = models.TextField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]


class Draft(models.Model):
    """What a reviewer has typed and not yet sent; survives a lost race, a closed tab and a re-login."""

    gate = models.ForeignKey(Gate, on_delete=models.CASCADE, related_name="drafts")
    author = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    text = models.TextField(blank=True)
    answer = models.JSONField(null=True, help_text="An edited proposal, or a form being filled in.")
    saved_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["gate", "author"], name="one_draft_per_gate_and_author")]


class Presence(models.Model):
    """Who has a gate's card open; a row older than 30 s means nobody, and tells when they looked last."""

    gate = models.ForeignKey(Gate, on_delete=models.CASCADE, related_name="presence")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    seen_at = models.DateTimeField(db_default=Now())
    version = models.IntegerField(default=0, db_default=0, help_text="Of the gate, as they saw it; 0: not known.")
    first_at = models.DateTimeField(db_default=Now(), help_text="When they had it open first.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["gate", "user"], name="one_presence_per_gate_and_user")]


class Delegation(models.Model):
    """Somebody stands in for somebody else for a time. Written by `delegation`."""

    delegator = models.ForeignKey(User, on_delete=models.PROTECT, related_name="delegations")
    delegate = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=500, blank=True)
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(ends_at__gt=models.F("starts_at")), name="delegation_ends_later"),
            models.CheckConstraint(
                condition=~models.Q(delegator=models.F("delegate")), name="delegation_is_to_somebody_else"
            ),
        ]
        indexes = [models.Index(fields=["ends_at"], condition=models.Q(ended_at=None), name="delegation_live")]


class GateItem(models.Model):
    """A gate that nobody can answer, put before the administrators until somebody can. Written by `stranded`."""

    gate = models.ForeignKey(Gate, on_delete=models.PROTECT, related_name="items")
    kind = models.CharField(max_length=20)  # ghost, orphan
    text = models.CharField(max_length=500)
    opened_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["opened_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["gate", "kind"], condition=models.Q(closed_at=None), name="one_open_item_per_gate_and_kind"
            )
        ]


class ApiToken(models.Model):
    """A bearer token of one user: only its SHA-256 is kept. No token decides unless `may_decide` is set."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=30), default=list)
    may_decide = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class RightsEpoch(models.Model):
    """One row (id 1): counts every change of rights, so that long-lived readers know when to look again."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    value = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_rights_epoch")]


# Django looks for an app's models here alone; these modules' point back at the gates and queues above, by name.
from approvals.able.models import Care as Care  # noqa: E402
from approvals.able.models import Check as Check  # noqa: E402
from approvals.able.models import FirstVerdict as FirstVerdict  # noqa: E402
from approvals.able.models import GoldCase as GoldCase  # noqa: E402
from approvals.able.models import Handling as Handling  # noqa: E402
from approvals.able.models import SecondLook as SecondLook  # noqa: E402
from approvals.able.models import Sitting as Sitting  # noqa: E402
from approvals.accounts.models import AccessChange as AccessChange  # noqa: E402
from approvals.accounts.models import Invitation as Invitation  # noqa: E402
from approvals.accounts.models import RoleTerms as RoleTerms  # noqa: E402
from approvals.answerable.models import Call as Call  # noqa: E402
from approvals.answerable.models import Part as Part  # noqa: E402
from approvals.answerable.models import Rota as Rota  # noqa: E402
from approvals.answerable.models import TeamKind as TeamKind  # noqa: E402
from approvals.desk_models import GateBefore as GateBefore  # noqa: E402
from approvals.desk_models import Question as Question  # noqa: E402
from approvals.desk_models import Runway as Runway  # noqa: E402
from approvals.desk_models import SavedView as SavedView  # noqa: E402
from approvals.desk_models import Snooze as Snooze  # noqa: E402
from approvals.feedback.models import Appraisal as Appraisal  # noqa: E402
from approvals.feedback.models import Feedback as Feedback  # noqa: E402
from approvals.feedback.models import FeedbackLink as FeedbackLink  # noqa: E402
from approvals.feedback.models import Improvement as Improvement  # noqa: E402
from approvals.feedback.models import Lesson as Lesson  # noqa: E402
from approvals.feedback.models import LessonCursor as LessonCursor  # noqa: E402
from approvals.feedback.models import Proposal as Proposal  # noqa: E402
from approvals.feedback.models import Retro as Retro  # noqa: E402
from approvals.feedback.models import SurveyAnswer as SurveyAnswer  # noqa: E402
from approvals.feedback.models import UsabilityFinding as UsabilityFinding  # noqa: E402
from approvals.feedback.models import UsabilityRound as UsabilityRound  # noqa: E402
from approvals.notices.models import Channel as Channel  # noqa: E402
from approvals.notices.models import Delivery as Delivery  # noqa: E402
from approvals.notices.models import Notice as Notice  # noqa: E402
from approvals.notices.models import NoticeCursor as NoticeCursor  # noqa: E402
from approvals.notices.models import QuietHours as QuietHours  # noqa: E402
