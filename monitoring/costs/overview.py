"""What the page of costs shows, read from the rollups: this month, what it comes to and why, each thing's costs."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from agents.models import ModelCall
from monitoring.costs import forecasting, statements, worth
from monitoring.costs.forecasting import Driver, Expected
from monitoring.metrics import reading
from monitoring.metrics.charts import Chart, Column
from monitoring.metrics.reading import RUN_ENDS, Scope, Span
from orchestrator.models import Workflow

MOST_DRIVERS: Final = 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """Runs that ended one way, and what they have cost."""

    status: str
    n: int
    cost: float

    @property
    def each(self) -> float | None:
        """One of them."""
        return self.cost / self.n if self.n else None


@dataclass(frozen=True, slots=True)
class Month:
    """A month so far, what it comes to, and what was foreseen before it began."""

    name: str
    spent: float
    calls: int
    tokens: int
    expected: Expected
    foreseen: float | None
    drivers: tuple[Driver, ...]
    outcomes: tuple[Outcome, ...]
    model_calls: int
    chart: Chart

    @property
    def per_call(self) -> float | None:
        """One call."""
        return self.spent / self.calls if self.calls else None

    @property
    def difference(self) -> float | None:
        """What it comes to, against what was foreseen."""
        if self.foreseen is None or self.expected.total is None:
            return None
        return self.expected.total - self.foreseen

    @property
    def ended(self) -> int:
        """Runs that ended."""
        return sum(one.n for one in self.outcomes)

    @property
    def energy_wh(self) -> float:
        """An estimate."""
        return worth.energy_wh(self.model_calls)

    @property
    def energy_per_run(self) -> float | None:
        """An estimate for one run that ended."""
        return self.energy_wh / self.ended if self.ended else None


def month(user: User, *, now: datetime | None = None) -> Month:
    """The month that it is, over what the user may see."""
    now = (now or timezone.now()).astimezone(UTC)
    scope = reading.scope_of(user)
    name = statements.this_month(now=now)
    since, until = statements.month_of(name, now=now)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    names = ("cost", "tokens", *RUN_ENDS)
    found = reading.sums(names, Span(name, since, until, "d"), scope)
    days = _days(scope, since - timedelta(days=forecasting.LOOKED_BACK), until)
    whole = [days[at] for at in sorted(days) if today - timedelta(days=forecasting.TREND_DAYS) <= at < today]
    expected = forecasting.expected(found["cost"].total, whole, (until - now).total_seconds() / 86_400)
    foreseen = _foreseen(days, since, until)
    return Month(
        name=name, spent=found["cost"].total, calls=found["cost"].n, tokens=int(found["tokens"].total),
        expected=expected, foreseen=foreseen, drivers=tuple(_drivers(scope, since, now)[:MOST_DRIVERS]),
        outcomes=tuple(Outcome(one.removeprefix("run_"), found[one].n, found[one].total) for one in RUN_ENDS),
        model_calls=_model_calls(scope, since, until), chart=_burn(days, since, until, today, foreseen),
    )  # fmt: skip


def _days(scope: Scope, since: datetime, until: datetime) -> dict[datetime, float]:
    """Each day's money; days before anything was measured at all are left out, quiet ones after that are 0."""
    span = Span("", since, until, "d")
    found = {at: one["cost"].total for at, one in reading.sums_by(("cost", "run_started"), "at", span, scope).items()}
    first = min(found, default=until)
    return {at: found.get(at, 0.0) for at in span.places if at >= first}


def _foreseen(days: dict[datetime, float], since: datetime, until: datetime) -> float | None:
    before = [money for at, money in days.items() if at < since]
    if len(before) < forecasting.FEWEST_DAYS:
        return None
    return sum(before) / len(before) * (until - since).days


def _drivers(scope: Scope, since: datetime, now: datetime) -> list[Driver]:
    """The month so far against as many days before it."""
    length = max(now - since, timedelta(days=1))
    before = _runs_and_money(scope, Span("", since - timedelta(days=forecasting.LOOKED_BACK), since, "d"))
    factor = length / timedelta(days=forecasting.LOOKED_BACK)
    return [
        one
        for one in forecasting.drivers(
            forecasting.scaled(before, factor), _runs_and_money(scope, Span("", since, now, "d"))
        )
        if abs(one.difference) >= 0.005
    ]


def _runs_and_money(scope: Scope, span: Span) -> dict[str, tuple[int, float]]:
    found = reading.sums_by(("cost", "run_started"), "workflow", span, scope)
    titles = dict(Workflow.objects.filter(pk__in=list(found)).values_list("pk", "title"))
    return {titles.get(pk, f"#{pk}"): (one["run_started"].n, one["cost"].total) for pk, one in found.items()}


def _model_calls(scope: Scope, since: datetime, until: datetime) -> int:
    """Of all workflows: whose run a model's call belongs to is not in its row; none for who sees only some."""
    if scope.workflows is not None:
        return 0
    return ModelCall.objects.filter(at__gte=since, at__lt=until).aggregate(n=Count("pk"))["n"] or 0


def _burn(
    days: dict[datetime, float], since: datetime, until: datetime, today: datetime, foreseen: float | None
) -> Chart:
    rows: list[tuple[datetime, tuple[float | None, ...]]] = []
    so_far, length = 0.0, (until - since).days
    for day in range(length):
        at = since + timedelta(days=day)
        so_far += days.get(at, 0.0)
        line = foreseen * (day + 1) / length if foreseen is not None else None
        rows.append((at, (so_far if at <= today else None, line)))
    columns = (Column(_("spent so far"), "accent"), Column(_("as foreseen"), "idle", is_limit=True))
    return Chart("burn", _("The month so far"), "money", columns, rows, "d")
