"""What the REST routes of feedback and proposals take in and give out."""

from datetime import datetime
from typing import Any

from ninja import Field, Schema

from approvals.feedback import examples, links
from approvals.feedback.backtest import MOST, Backtest, Told
from approvals.feedback.models import Feedback, FeedbackLink, Improvement, Lesson, Proposal
from approvals.feedback.words import CAUSES, REASONS, RUBRIC
from orchestrator.api_errors import Line, Name, Note, Text


class AppraisalIn(Schema):
    """What you think of the output, in words that are counted."""

    rating: int | None = Field(None, ge=1, le=5)
    rubric: dict[Line, int] = Field({}, max_length=10, description=f"1 to 5 each for {', '.join(RUBRIC)}.")
    reasons: list[Line] = Field([], max_length=10, description=f"Of {', '.join(REASONS)}.")
    causes: list[Line] = Field([], max_length=10, description=f"Root causes, of {', '.join(CAUSES)}.")


class FeedbackIn(Schema):
    """What you think of a run, one of its tasks, or an agent: name one of them."""

    run: int | None = Field(None, ge=1, le=2**63 - 1)
    task: int | None = Field(None, ge=1, le=2**63 - 1)
    agent: Line = ""
    rating: int | None = Field(None, ge=1, le=5)
    comment: Note = ""
    causes: list[Line] = Field([], max_length=10)


class FeedbackOut(Schema):
    """What somebody said, and what came of it."""

    id: int
    run: int | None
    task: int | None
    agent: str
    agent_version: int | None
    prompt: str
    by: str | None = Field(description="None where it came through a link.")
    rating: int | None
    comment: str
    causes: list[str]
    sentiment: str = Field(description="A guess by words: positive, neutral or negative.")
    wants_person: bool
    gate: int | None
    at: datetime
    status: str
    answer: str
    version: str

    @staticmethod
    def of(row: Feedback) -> "FeedbackOut":
        """From a row."""
        same = ("agent", "agent_version", "prompt", "rating", "comment", "causes", "sentiment", "wants_person")
        more = ("at", "status", "answer", "version")
        return FeedbackOut(
            **{name: getattr(row, name) for name in (*same, *more)},
            id=row.pk, run=row.run_id, task=row.task_id, gate=row.gate_id,
            by=row.author.username if row.author else None,
        )  # fmt: skip


class GivenOut(FeedbackOut):
    """What was just sent, with the address of its receipt, which is shown this once."""

    receipt: str


class AnswerIn(Schema):
    """What came of it."""

    status: Line = Field(description="dealt, changed or declined.")
    answer: Note
    version: Line = Field("", description="What has another version because of it; needed with changed.")


class LinkIn(Schema):
    """A form for people without an account, about one run or one of its tasks."""

    run: int = Field(ge=1, le=2**63 - 1)
    task: int | None = Field(None, ge=1, le=2**63 - 1)
    about: Line = Field(description="What whoever opens it is told that it is about.")
    queue: Line = Field(description="Who is asked when somebody asks for a person.")
    days: int = Field(links.DAYS, ge=1, le=links.MOST_DAYS)


class LinkOut(Schema):
    """A link without its secret."""

    id: int
    run: int
    task: int | None
    about: str
    queue: str
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None

    @staticmethod
    def of(row: FeedbackLink) -> dict[str, Any]:
        """From a row."""
        row.refresh_from_db(fields=["made_at"])
        same = ("about", "made_at", "expires_at", "revoked_at")
        told = {name: getattr(row, name) for name in same}
        return {**told, "id": row.pk, "run": row.run_id, "task": row.task_id, "queue": row.queue.name}


class NewLinkOut(LinkOut):
    """The only time that its address is shown."""

    address: str


class LessonOut(Schema):
    """One judged output. Of one that was changed or refused: the pair that may teach."""

    id: int
    at: datetime
    verdict: str
    stood: bool | None
    workflow: str
    step: str
    run: int
    gate: int | None
    agent: str
    agent_version: int | None
    prompt: str
    causes: list[str]
    reasons: list[str]
    input: dict[str, Any]
    output: dict[str, Any] | None
    edited: dict[str, Any] | None
    reason: str
    example: str = Field(description="accepted, declined, or nothing yet.")
    used_in: str

    @staticmethod
    def of(lesson: Lesson) -> "LessonOut":
        """From a row."""
        found = examples.pair(lesson)
        same = ("at", "verdict", "stood", "step", "agent", "agent_version", "prompt", "causes", "reasons", "example")
        return LessonOut(
            **{name: getattr(lesson, name) for name in (*same, "used_in")},
            id=lesson.pk, workflow=lesson.workflow.name, run=lesson.run_id, gate=lesson.gate_id,
            input=found.input, output=found.output, edited=found.edited, reason=found.reason,
        )  # fmt: skip


class ChoiceIn(Schema):
    """Whether a correction may teach."""

    accepted: bool


class TallyOut(Schema):
    """One line of a table."""

    name: str
    n: int
    stood: int | None = None
    low: float | None = None  # 95 % interval of the share that stood
    high: float | None = None


class PatternsOut(Schema):
    """How outputs were judged, as far as you may see them."""

    days: int
    n: int
    stood: int
    agents: list[TallyOut]
    prompts: list[TallyOut]
    steps: list[TallyOut]
    causes: list[TallyOut]
    reasons: list[TallyOut]
    verdicts: list[TallyOut]
    weeks: list[TallyOut]
    rating: float | None
    rated: int
    demanded: int = Field(description="Decisions at gates that demand feedback.")
    given: int = Field(description="Of these, with it.")


class ImprovementOut(Schema):
    """Work that the figures ask for."""

    id: int
    kind: str
    subject: str
    words: str
    facts: dict[str, Any]
    opened_at: datetime
    closed_at: datetime | None
    outcome: str

    @staticmethod
    def of(row: Improvement) -> "ImprovementOut":
        """From a row."""
        return ImprovementOut(**{name: getattr(row, name) for name in ImprovementOut.model_fields})


class OutcomeIn(Schema):
    """What was done about it."""

    outcome: Text


class SurveyIn(Schema):
    """How satisfied you are, 1 to 10."""

    score: int = Field(ge=1, le=10)
    comment: Text = ""


class MonthOut(Schema):
    """One month's answers."""

    month: str
    n: int
    mean: float
    half: float | None = Field(description="Half of the mean's 95 % interval.")


class ProposalOut(Schema):
    """A change of a gate that the figures speak for."""

    id: int
    kind: str
    workflow: str
    step: str
    status: str
    before: dict[str, Any]
    change: dict[str, Any]
    data: dict[str, Any]
    four_eyes: bool
    made_at: datetime
    reason: str
    version: int | None

    @staticmethod
    def of(row: Proposal) -> dict[str, Any]:
        """From a row."""
        same = ("kind", "step", "status", "before", "change", "data", "four_eyes", "made_at", "reason", "version")
        return {**{name: getattr(row, name) for name in same}, "id": row.pk, "workflow": row.workflow.name}


class WindowOut(Schema):
    """One stretch of time at the gate."""

    starts: datetime
    ends: datetime
    outputs: int
    asked: int
    judged: int
    stood: int
    wait_s: float | None


class SlipOut(Schema):
    """One decision that the rule would not have asked for."""

    decision: int
    gate: int
    run: int
    title: str
    verdict: str
    note: str
    decided_at: datetime
    confidence: float | None

    @staticmethod
    def of(told: Told) -> "SlipOut":
        """From what was found."""
        return SlipOut(**{name: getattr(told, name) for name in SlipOut.model_fields})


class BacktestOut(Schema):
    """What a rule would have changed."""

    when: str
    sample: float
    words: str
    asked: int = Field(description="Decisions that were looked at.")
    fewer: int
    share: float
    saved: int = Field(description="Approved as they stood, and nobody would have been asked.")
    slipped: int = Field(description="Changed or refused, and nobody would have been asked.")
    slips: list[SlipOut]
    sampled: int
    otherwise: int
    unknown: int = Field(description="Cannot be worked out on what is stored: they would still ask.")
    why_unknown: dict[str, int]
    passed: int = Field(description="Outputs that passed unasked and were looked at.")
    new: int = Field(description="Of these, the rule would have asked about.")
    oldest: datetime | None
    newest: datetime | None
    limit: int
    is_cut: bool

    @staticmethod
    def of(found: Backtest) -> "BacktestOut":
        """From what was found."""
        same = ("words", "asked", "fewer", "share", "saved", "slipped", "sampled", "otherwise", "unknown", "passed")
        more = ("new", "oldest", "newest", "limit", "is_cut")
        return BacktestOut(
            **{name: getattr(found, name) for name in (*same, *more)}, when=found.rule.when, sample=found.rule.sample,
            slips=[SlipOut.of(one) for one in found.slips], why_unknown=dict(found.why_unknown),
        )  # fmt: skip


class ProposalDetailOut(ProposalOut):
    """With what it came to since it was accepted."""

    before_it: WindowOut | None = None
    after_it: WindowOut | None = None
    otherwise: BacktestOut | None = Field(None, description="The old rule on everything since.")


class WhyIn(Schema):
    """Why."""

    reason: Text


class RuleIn(Schema):
    """The rule to try; what is in force, where it says nothing."""

    workflow: Name
    step: Name
    when: Text = Field("", description="CEL over output, confidence, input and steps.")
    sample: float | None = Field(None, ge=0, le=1)
    newest: int = Field(500, ge=1, le=MOST)
