"""Lines over a span, as tables: what the browser draws is read from the table that stands behind each chart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.db.models import Avg, Count
from django.db.models.functions import TruncDay
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from agents.models import Assessment
from monitoring.metrics import reading
from monitoring.metrics.kpis import Figures
from monitoring.metrics.reading import RUN_ENDS, Span, Sum
from monitoring.metrics.spreads import Spread, share_limits, value_limits
from orchestrator.models import Workflow

NO_SUM: Final = Sum()


@dataclass(frozen=True, slots=True)
class Column:
    """One line of a chart: what it is, its colour, and whether it is a limit (thin, dashed)."""

    title: str | Promise
    tone: str
    is_limit: bool = False


LIMITS: Final = (
    Column(_("lower limit"), "idle", is_limit=True),
    Column(_("upper limit"), "idle", is_limit=True),
)


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart and the table behind it. `unit`: count, ms, share, money or score."""

    key: str
    title: str | Promise
    unit: str
    columns: tuple[Column, ...]
    rows: Sequence[tuple[datetime, tuple[float | None, ...]]]
    grain: str
    note: str | Promise = ""
    kind: str = "line"

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(value for _at, values in self.rows for value in values)


def overview(f: Figures, *, workflow: Workflow | None = None) -> list[Chart]:
    """The charts of a page: runs, time, people's share, money, quality."""
    counts = reading.sums_by((*RUN_ENDS, "run_started", "alone", "cost", "tokens"), "at", f.span, f.scope)
    times = reading.spreads_by(("completion", "queue", "work", "human"), ("at",), f.span, f.scope)
    found = [_runs(f.span, counts), _completion(f.span, times), _waits(f.span, times), _alone(f.span, counts)]
    return [*found, _money(f.span, counts), quality(f, workflow=workflow)]


def _runs(span: Span, counts: Mapping[Any, Mapping[str, Sum]]) -> Chart:
    def at(place: datetime) -> tuple[float | None, ...]:
        one = counts.get(place, {})
        n = {name: one.get(name, NO_SUM).n for name in (*RUN_ENDS, "run_started")}
        well = n["run_succeeded"] + n["run_partial"]
        return float(n["run_started"]), float(well), float(n["run_failed"]), float(n["run_cancelled"])

    columns = (
        Column(_("started"), "idle"), Column(_("with a result"), "good"), Column(_("failed"), "failed"),
        Column(_("cancelled"), "stopped"),
    )  # fmt: skip
    return Chart("runs", _("Runs"), "count", columns, _rows(span, at), span.grain)


def _completion(span: Span, times: Mapping[Any, Mapping[str, Spread]]) -> Chart:
    def at(place: datetime) -> tuple[float | None, ...]:
        spread = times.get(place, {}).get("completion", Spread())
        return spread.p50, spread.p95

    columns = (Column(_("median"), "accent"), Column(_("p95"), "waiting"))
    note = _("No point where fewer than 5 (median) or 20 (p95) runs had a result.")
    return Chart("completion", _("From start to result"), "ms", columns, _rows(span, at), span.grain, note)


def _waits(span: Span, times: Mapping[Any, Mapping[str, Spread]]) -> Chart:
    def at(place: datetime) -> tuple[float | None, ...]:
        one = times.get(place, {})
        return tuple(one[name].total / 3_600_000 if name in one else 0.0 for name in ("queue", "work", "human"))

    columns = (
        Column(_("for a worker"), "idle"), Column(_("of agents"), "running"), Column(_("for people"), "waiting"),
    )  # fmt: skip
    note = _("All steps' time added up, in the hour or day in which it ended.")
    return Chart("waits", _("Where time goes"), "hours", columns, _rows(span, at), span.grain, note)


def _alone(span: Span, counts: Mapping[Any, Mapping[str, Sum]]) -> Chart:
    parts = {place: _part(one) for place, one in counts.items()}
    every = list(parts.values())

    def at(place: datetime) -> tuple[float | None, ...]:
        part, n = parts.get(place, (0, 0))
        limits = share_limits(every, n=n)
        if not n or limits is None:
            return None, None, None
        return part / n, limits.low, limits.high

    columns = (Column(_("share"), "accent"), *LIMITS)
    note = _("Limits: three standard deviations of a share of so many runs (p-chart). Outside, it is hardly chance.")
    return Chart("alone", _("Done without a person"), "share", columns, _rows(span, at), span.grain, note)


def _part(one: Mapping[str, Sum]) -> tuple[int, int]:
    return one["alone"].n, sum(one[name].n for name in RUN_ENDS)


def _money(span: Span, counts: Mapping[Any, Mapping[str, Sum]]) -> Chart:
    def at(place: datetime) -> tuple[float | None, ...]:
        return (counts.get(place, {}).get("cost", NO_SUM).total,)

    columns = (Column(_("US dollars"), "accent"),)
    return Chart("money", _("Money for calls"), "money", columns, _rows(span, at), span.grain)


def quality(f: Figures, *, workflow: Workflow | None = None) -> Chart:
    """Mean score of each day's assessments, with the limits of an individuals chart."""
    found = Assessment.objects.filter(assessed_at__gte=f.span.since, assessed_at__lt=f.span.until)
    if f.scope.workflows is not None:
        names = Workflow.objects.filter(pk__in=f.scope.workflows).values("name")
        found = found.filter(workflow__in=[workflow.name] if workflow else names)
    if f.scope.agent:
        found = found.filter(agent=f.scope.agent)
    days = found.annotate(day=TruncDay("assessed_at", tzinfo=UTC)).order_by("day").values_list("day")
    means = {day: (mean, n) for day, mean, n in days.annotate(mean=Avg("score"), n=Count("pk"))}
    limits = value_limits([mean for mean, _n in means.values()])
    low, high = (max(0.0, limits.low), min(100.0, limits.high)) if limits else (None, None)
    rows = [(day, (round(mean, 1), low, high)) for day, (mean, _n) in means.items()]
    columns = (Column(_("mean score"), "accent"), *LIMITS)
    note = _("Limits from the moving range of the days' means; from ten days with assessments on.")
    return Chart("quality", _("Quality score"), "score", columns, rows, "d", note)


def _rows(span: Span, at: Any) -> list[tuple[datetime, tuple[float | None, ...]]]:
    return [(place, at(place)) for place in span.places]
