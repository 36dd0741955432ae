"""What the pages and the API show of alerts. Every list has an end, and holds only what its reader may see."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.contrib.auth.models import User
from django.db.models import (
    Avg,
    Case,
    Count,
    DurationField,
    ExpressionWrapper,
    F,
    IntegerField,
    Max,
    Q,
    QuerySet,
    Value,
    When,
)
from django.utils import timezone

from monitoring.alerts import store, subjects, visibility, wording
from monitoring.alerts.inputs import GAUGES
from monitoring.models import Alert, AlertRule, GameDay, Severity

MOST: Final = 200
PAGE: Final = 50
CHRONIC_DAYS: Final = 30
CHRONIC_LEAST: Final = 2
COUNTED: Final = 1_000
_GRAVE = Case(
    When(severity=Severity.CRITICAL, then=Value(0)), When(severity=Severity.WARNING, then=Value(1)),
    default=Value(2), output_field=IntegerField(),
)  # fmt: skip
# What is drawn of a thing over the last day, by kind of thing; of an agent, by what the rule looks at.
_DRAWN: Final = {
    "workflow": "failed", "agent": "failures", "tool": "errors", "queue": "overdue", "lane": "depth", "budget": "used",
    "promise": "burn_1h", "system": "lag_s",
}  # fmt: skip
_OF_AGENT: Final = {
    "tokens": "tokens", "tokens_sigma": "tokens", "cost": "cost", "policy_violations": "violations",
    "targets_missed": "missed",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One alert in a list."""

    alert: Alert
    sentence: str
    is_silenced: bool


@dataclass(frozen=True, slots=True)
class Chronic:
    """What keeps coming back."""

    rule: AlertRule
    subject: str
    about: str
    count: int
    answered: int
    mean_s: float | None  # until somebody answered
    last_at: datetime
    last: int

    @property
    def is_noise(self) -> bool:
        """Whether people have stopped to answer it: then the rule is what has to change."""
        return self.count >= 5 and self.answered * 2 < self.count


def open_lines(user: User) -> list[Line]:
    """What is open: unanswered first, the gravest and newest of it first, silenced last."""
    now = timezone.now()
    found = visibility.visible(user).filter(closed_at=None)
    rows = found.order_by(F("acknowledged_at").asc(nulls_first=True), _GRAVE, "-raised_at")[:MOST]
    lines = [line(alert, now) for alert in rows]
    return sorted(lines, key=lambda one: one.is_silenced)  # the order of the others stays


def line(alert: Alert, now: datetime | None = None) -> Line:
    """One alert as a line."""
    silenced = alert.silenced_until is not None and alert.silenced_until > (now or timezone.now())
    return Line(alert, wording.sentence(alert), silenced)


def waiting(user: User) -> int:
    """How many wait for an answer and are not silenced: what the navigation counts. One query."""
    found = _unanswered(visibility.visible(user))
    return found.exclude(severity=Severity.INFO).order_by().values("pk")[:COUNTED].count()


def critical(user: User) -> list[Line]:
    """The critical ones that nobody has answered, the newest first: every page says so until somebody does."""
    found = _unanswered(visibility.visible(user)).filter(severity=Severity.CRITICAL)
    return [line(alert) for alert in found.order_by("-pk")[:MOST]]


def _unanswered(alerts: QuerySet[Alert]) -> QuerySet[Alert]:
    loud = Q(silenced_until=None) | Q(silenced_until__lte=timezone.now())
    return alerts.filter(loud, closed_at=None, acknowledged_at=None)


def closed(user: User, *, before: int = 0, rule: str = "", subject: str = "") -> tuple[list[Line], int]:
    """A page of what is over, the newest first, and the id to go on before (0: there is no more)."""
    found = visibility.visible(user).exclude(closed_at=None)
    found = found.filter(pk__lt=before) if before else found
    found = found.filter(rule__name=rule) if rule else found
    found = found.filter(subject=subject) if subject else found
    rows = list(found.order_by("-pk")[: PAGE + 1])
    return [line(alert) for alert in rows[:PAGE]], rows[PAGE - 1].pk if len(rows) > PAGE else 0


def chronic(user: User, *, days: int = CHRONIC_DAYS) -> list[Chronic]:
    """What was raised again and again, the most frequent first. Drills do not count."""
    since = timezone.now() - timedelta(days=days)
    found = visibility.visible(user).filter(raised_at__gte=since, drill=False).order_by()
    wait = ExpressionWrapper(F("acknowledged_at") - F("raised_at"), output_field=DurationField())
    rows = (
        found.values("rule_id", "subject", "scope", "workflow_id")
        .annotate(
            count=Count("pk"), answered=Count("acknowledged_at"), mean=Avg(wait), last=Max("pk"), at=Max("raised_at")
        )
        .filter(count__gte=CHRONIC_LEAST)
        .exclude(scope="run")
        .order_by("-count", "-at")[:PAGE]
    )
    of_runs = (
        found.filter(scope="run")
        .values("rule_id", "workflow__name", "workflow__title")
        .annotate(
            count=Count("pk"), answered=Count("acknowledged_at"), mean=Avg(wait), last=Max("pk"), at=Max("raised_at")
        )
        .filter(count__gte=CHRONIC_LEAST)
        .order_by("-count", "-at")[:PAGE]
    )
    return _chronic([dict(row) for row in rows], [dict(row) for row in of_runs])


def _chronic(rows: list[dict[str, Any]], of_runs: list[dict[str, Any]]) -> list[Chronic]:
    rules = AlertRule.objects.in_bulk([row["rule_id"] for row in (*rows, *of_runs)])
    titles = {
        scope: subjects.about(scope, {row["subject"] for row in rows if row["scope"] == scope})
        for scope in {row["scope"] for row in rows}
    }
    found = [_one(row, rules, row["subject"], titles[row["scope"]][row["subject"]].title) for row in rows]
    found += [_one(row, rules, row["workflow__name"] or "", row["workflow__title"] or "") for row in of_runs]
    return sorted(found, key=lambda one: (-one.count, one.rule.name))[:PAGE]


def _one(row: dict[str, Any], rules: dict[int, AlertRule], subject: str, about: str) -> Chronic:
    mean = row["mean"].total_seconds() if row["mean"] is not None else None
    return Chronic(rules[row["rule_id"]], subject, about, row["count"], row["answered"], mean, row["at"], row["last"])


def drawn(alert: Alert) -> list[float]:
    """The last day of what the alert is about, hour by hour; empty where nothing was counted."""
    name = _drawn_name(alert)
    end = timezone.now().astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    first = end - timedelta(hours=23)
    past = {at.astimezone(UTC): numbers for at, numbers in store.history(alert.scope, alert.subject, since=first)}
    values = [past.get(first + timedelta(hours=n), {}).get(name, 0.0) for n in range(24)]
    return values if any(values) else []


def is_gauge(alert: Alert) -> bool:
    """Whether what is drawn was measured at moments, not added up."""
    return _drawn_name(alert) in GAUGES.get(alert.scope, frozenset())


def _drawn_name(alert: Alert) -> str:
    name = _DRAWN.get(alert.scope, "")
    if alert.scope != "agent":
        return name
    return next((_OF_AGENT[one] for one in alert.data.get("named", []) if one in _OF_AGENT), name)


def game_days() -> list[GameDay]:
    """The newest rehearsals."""
    return list(GameDay.objects.select_related("alert__rule").order_by("-pk")[:PAGE])
