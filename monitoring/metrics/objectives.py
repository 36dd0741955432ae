"""What is promised of workflows (service level objectives): kept from the rollups, with error budget and burn rate.

The indicator is counted from hours' buckets, so that anybody can count it again: good is what succeeded, or whose whole
bucket lies within the time (what falls into the bucket of the limit itself counts as late). The burn rate says how many
times faster than allowed the budget is used up; a short and a long window both have to burn (as of queues' promises).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from agents.types import Json
from approvals import permissions
from approvals.able.promises import BURNS
from monitoring.metrics import reading
from monitoring.metrics.errors import MeasureNotPermitted, ObjectiveRefused
from monitoring.metrics.reading import Scope, Span, Sum
from monitoring.metrics.spreads import FEWEST, Spread
from monitoring.models import Baseline, Objective
from orchestrator import events
from orchestrator.models import Workflow

WINDOWS: Final = (("1 h", timedelta(hours=1)), ("6 h", timedelta(hours=6)), ("3 d", timedelta(days=3)))
MOST_DAYS: Final = 90
MOST_MS: Final = 90 * 86_400_000.0


@dataclass(frozen=True, slots=True)
class Window:
    """One stretch of whole hours up to now, the present one included."""

    name: str
    n: int
    good: int
    burn: float


@dataclass(frozen=True, slots=True)
class Kept:
    """An objective and how it is kept."""

    objective: Objective
    n: int
    good: int
    windows: tuple[Window, ...]

    @property
    def share(self) -> float | None:
        """The share that was good; None of nothing."""
        return self.good / self.n if self.n else None

    @property
    def is_said(self) -> bool:
        """Whether enough speak for it."""
        return self.n >= FEWEST

    @property
    def allowed(self) -> float:
        """How many may be bad over the whole span."""
        return self.n * (1 - self.objective.share)

    @property
    def left(self) -> float:
        """What is left of the error budget: 1 untouched, 0 used up, below 0 overdrawn."""
        return 1 - (self.n - self.good) / self.allowed if self.allowed else 1.0

    @property
    def burning(self) -> str:
        """The pair of windows that burns too fast; empty if none does, or too few speak in the short one."""
        found = {window.name: window for window in self.windows}
        return next(
            (
                f"{short}, {long}"
                for short, long, most in BURNS
                if found[long].n >= FEWEST and found[short].burn > most and found[long].burn > most
            ),
            "",
        )

    @property
    def tone(self) -> str:
        """How it is doing."""
        if not self.is_said:
            return "idle"
        return "failed" if self.left < 0 or self.burning else "good"


def kept(user: User, *, workflow: Workflow | None = None) -> list[Kept]:
    """The objectives of the workflows that the user may see, or of one of them."""
    found = Objective.objects.filter(workflow__in=permissions.visible_workflows(user)).select_related("workflow")
    return how_all(list(found.filter(workflow=workflow) if workflow else found))


def how(objective: Objective, *, now: datetime | None = None) -> Kept:
    """How one objective is kept up to now."""
    return how_all([objective], now=now)[0]


def how_all(objectives: Sequence[Objective], *, now: datetime | None = None) -> list[Kept]:
    """How each is kept up to now: one question to the rollups for each window, not for each objective."""
    now = (now or timezone.now()).astimezone(UTC)
    by_window = [(name, _counted(objectives, _hours(now, length))) for name, length in WINDOWS]
    whole: dict[int, tuple[int, int]] = {}
    for days in {one.days for one in objectives}:
        whole |= _counted([one for one in objectives if one.days == days], _days(now, days))
    return [
        Kept(one, whole[one.pk][1], whole[one.pk][0],
             tuple(_window(name, one, *counted[one.pk]) for name, counted in by_window))
        for one in objectives
    ]  # fmt: skip


def _window(name: str, objective: Objective, good: int, n: int) -> Window:
    burn = (n - good) / n / (1 - objective.share) if n else 0.0
    return Window(name, n, good, round(burn, 2))


def _counted(objectives: Sequence[Objective], span: Span) -> dict[int, tuple[int, int]]:
    """By objective: how many were good, and how many there were."""
    scope = Scope(tuple({one.workflow_id for one in objectives}))
    timed = sorted({one.indicator for one in objectives} - {Objective.Indicator.SUCCESS.value})
    times = reading.spreads_by(timed, ("workflow",), span, scope) if timed else {}
    ends = reading.sums_by(reading.RUN_ENDS, "workflow", span, scope) if objectives else {}
    found: dict[int, tuple[int, int]] = {}
    for one in objectives:
        if one.indicator == Objective.Indicator.SUCCESS:
            found[one.pk] = _ended_well(ends.get(one.workflow_id, {}))
        else:
            spread = times.get(one.workflow_id, {}).get(one.indicator, Spread())
            found[one.pk] = spread.within(one.within_ms or 0), spread.n
    return found


def _ended_well(ends: Mapping[str, Sum]) -> tuple[int, int]:
    asked = sum(one.n for name, one in ends.items() if name != "run_cancelled")
    return sum(ends[name].n for name in ("run_succeeded", "run_partial") if name in ends), asked


def _hours(now: datetime, length: timedelta) -> Span:
    until = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return Span("", now - length, until, "h")


def _days(now: datetime, days: int) -> Span:
    until = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return Span("", until - timedelta(days=days), until, "d")


@transaction.atomic
def promise(  # noqa: PLR0913 - each argument is a field of the form
    *, workflow: Workflow, by: User, indicator: str, share: float, within_ms: float | None, days: int = 30,
    reason: str = "",
) -> Objective:  # fmt: skip
    """Set what is promised of a workflow, in the place of what was. Raises MeasureNotPermitted, ObjectiveRefused."""
    _authorise(by, workflow)
    if indicator not in Objective.Indicator.values:
        raise ObjectiveRefused(why=f"indicator is one of {', '.join(Objective.Indicator.values)}")
    if indicator == Objective.Indicator.SUCCESS:
        within_ms = None
    elif within_ms is None or not 1 <= within_ms <= MOST_MS:
        raise ObjectiveRefused(why="the time is between a millisecond and 90 days")
    if not 0.5 <= share < 1:
        raise ObjectiveRefused(why="the share is at least 0.5 and below 1: something may always go wrong")
    if not 1 <= days <= MOST_DAYS:
        raise ObjectiveRefused(why=f"the span is 1 to {MOST_DAYS} days")
    new = {"share": share, "within_ms": within_ms, "days": days, "reason": reason[:2000], "set_by": by}
    made, _ = Objective.objects.update_or_create(
        workflow=workflow, indicator=indicator, defaults={**new, "set_at": timezone.now()}
    )
    facts: dict[str, Json] = {
        "workflow": workflow.name, "indicator": indicator, "share": share, "within_ms": within_ms, "days": days,
        "reason": reason[:500],
    }  # fmt: skip
    events.append("objective.set", actor=f"user:{by.get_username()}", data=facts)
    return made


@transaction.atomic
def withdraw(*, workflow: Workflow, by: User, indicator: str) -> None:
    """Promise it no longer. Raises MeasureNotPermitted."""
    _authorise(by, workflow)
    gone, _ = Objective.objects.filter(workflow=workflow, indicator=indicator).delete()
    if gone:
        facts: dict[str, Json] = {"workflow": workflow.name, "indicator": indicator}
        events.append("objective.withdrawn", actor=f"user:{by.get_username()}", data=facts)


@transaction.atomic
def state_baseline(*, workflow: Workflow, by: User, minutes: float, source: str) -> Baseline:
    """Say how long the same work takes by hand, and where that comes from. Raises MeasureNotPermitted, ..."""
    _authorise(by, workflow)
    if not 0 < minutes <= 525_600:
        raise ObjectiveRefused(why="the time by hand is above 0 and at most a year, in minutes")
    if not source.strip():
        raise ObjectiveRefused(why="say where the time by hand comes from")
    made = Baseline.objects.create(workflow=workflow, minutes=minutes, source=source.strip()[:500], stated_by=by)
    facts: dict[str, Json] = {"workflow": workflow.name, "minutes": minutes, "source": made.source}
    events.append("baseline.stated", actor=f"user:{by.get_username()}", data=facts)
    return made


def _authorise(by: User, workflow: Workflow) -> None:
    if not permissions.can(by, "publish_version", workflow):
        raise MeasureNotPermitted(verb="say what is promised of this workflow")
