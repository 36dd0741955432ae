"""What the REST routes of alerts take and give."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from ninja import Field, Schema

from monitoring.alerts import rules
from monitoring.models import Alert, AlertRule, Silence
from orchestrator.api_errors import Line

Person = Annotated[str, Field(max_length=150)]


class AlertOut(Schema):
    """One alert. `data` is the snapshot: the numbers that the condition was true of, and what was usual then."""

    id: int
    rule: str
    severity: str
    message: str
    scope: str
    subject: str
    execution_id: int | None = Field(description="The run, of alerts about one.")
    timestamp: datetime
    last_seen_at: datetime
    occurrences: int
    data: dict[str, Any]
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    note: str
    assigned_to: str | None
    silenced_until: datetime | None
    cleared_at: datetime | None = Field(description="Since when it is not true any more.")
    closed_at: datetime | None
    drill: bool

    @staticmethod
    def of(alert: Alert) -> "AlertOut":
        """From a row."""
        return AlertOut(
            id=alert.pk, rule=alert.rule.name, severity=alert.severity, message=alert.message, scope=alert.scope,
            subject=alert.subject, execution_id=alert.run_id, timestamp=alert.raised_at, last_seen_at=alert.seen_at,
            occurrences=alert.occurrences, data=alert.data,
            acknowledged_by=alert.acknowledged_by.username if alert.acknowledged_by else None,
            acknowledged_at=alert.acknowledged_at, note=alert.note,
            assigned_to=alert.assigned_to.username if alert.assigned_to else None,
            silenced_until=alert.silenced_until, cleared_at=alert.cleared_at, closed_at=alert.closed_at,
            drill=alert.drill,
        )  # fmt: skip


class AlertsOut(Schema):
    """A page of alerts. Closed ones: ask again with `before` for older ones; null when there are none."""

    alerts: list[AlertOut]
    before: int | None


class ChronicOut(Schema):
    """What keeps coming back."""

    rule: str
    subject: str
    count: int
    answered: int
    mean_seconds: float | None
    last_at: datetime


class AcknowledgeIn(Schema):
    """What you see, or are going to do."""

    note: Line = ""


class AssignIn(Schema):
    """To whom; empty for nobody in particular."""

    to: Person = ""


class AlertRuleIn(Schema):
    """A rule. `condition` is CEL over the numbers of its scope: see `GET /alerts/inputs`."""

    title: Line
    scope: Literal["run", "workflow", "agent", "tool", "queue", "lane", "budget", "promise", "system"]
    condition: Annotated[str, Field(max_length=2000)]
    severity: Literal["info", "warning", "critical"] = "warning"
    window: Annotated[int, Field(ge=1, le=1440, description="Minutes.")] = 60
    subject: Annotated[str, Field(max_length=100)] = ""
    runbook: Annotated[str, Field(max_length=60)] = ""
    enabled: bool = True

    def wanted(self) -> rules.Wanted:
        """For the service."""
        return rules.Wanted(
            self.title, self.scope, self.condition, self.severity, self.window, self.subject, self.runbook,
            self.enabled,
        )  # fmt: skip


class AlertRuleKeptIn(AlertRuleIn):
    """The same with why."""

    reason: Line


class AlertRuleOut(Schema):
    """A rule as it is kept."""

    name: str
    title: str
    scope: str
    condition: str
    severity: str
    window: int
    subject: str
    runbook: str
    enabled: bool
    shipped: bool
    problem: str = Field(description="Why it could not be worked out the last time; empty if it could.")

    @staticmethod
    def of(rule: AlertRule) -> "AlertRuleOut":
        """From a row."""
        return AlertRuleOut(
            name=rule.name, title=rule.title, scope=rule.scope, condition=rule.condition, severity=rule.severity,
            window=rule.window, subject=rule.subject, runbook=rule.runbook, enabled=rule.enabled,
            shipped=rule.shipped, problem=rule.problem,
        )  # fmt: skip


class FiringOut(Schema):
    """Once that it would have fired."""

    subject: str
    at: datetime
    until: datetime | None
    run: int | None
    values: dict[str, Any]


class TriedOut(Schema):
    """What came of a test on history: the newest hundred firings, and how many there were."""

    count: int
    days: int
    looked: int
    is_cut: bool
    problem: str
    firings: list[FiringOut]


class InputOut(Schema):
    """One number that a condition may name."""

    scope: str
    name: str
    meaning: str
    unit: str


class SilenceIn(Schema):
    """Which rule, which thing, or both; until when, at most seven days ahead."""

    rule: Annotated[str, Field(max_length=60)] = ""
    subject: Annotated[str, Field(max_length=100)] = ""
    until: datetime
    reason: Line


class SilenceOut(Schema):
    """A silence in force."""

    id: int
    rule: str | None
    subject: str
    until: datetime
    reason: str
    made_by: str

    @staticmethod
    def of(silence: Silence) -> "SilenceOut":
        """From a row."""
        return SilenceOut(
            id=silence.pk, rule=silence.rule.name if silence.rule else None, subject=silence.subject,
            until=silence.until, reason=silence.reason, made_by=silence.made_by.username,
        )  # fmt: skip


class TurnOut(Schema):
    """One turn."""

    person: str
    starts_at: datetime
    ends_at: datetime


class RotationIn(Schema):
    """Who is told by turns, in this order. A turn begins at `hour` in `zone`."""

    people: Annotated[list[Person], Field(max_length=50)]
    days: int = 7
    hour: int = 9
    zone: Line = "UTC"
    starts_on: date
    minutes: int = Field(5, description="So long one has to answer a critical alert.")
    reason: Line = ""


class StepIn(Schema):
    """`digest`: of what the step would do, as `GET /alerts/{alert_id}/runbook` says; for acts only."""

    digest: Annotated[str, Field(max_length=64)] = ""
    reason: Line = ""


class StepOut(Schema):
    """A step of an alert's runbook, and what doing it would do now."""

    key: str
    title: str
    text: str
    done_by: str | None
    plan: list[str]
    digest: str
    problem: str
