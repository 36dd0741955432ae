"""Runs as rules see them: those that something happened to, and the live ones, the oldest first."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import F, Max, QuerySet

from monitoring.alerts import rules
from monitoring.alerts.findings import Finding, Findings
from monitoring.alerts.inputs import SCOPES, Value
from monitoring.models import AlertRule
from orchestrator.definitions.expressions import ExpressionError
from orchestrator.models import Budget, Run
from orchestrator.states import RUN_LIVE, RUN_TERMINAL

SWEPT: Final = 1_000  # live runs that one look at everything looks at: the oldest, which are the longest
_COLUMNS: Final = (
    *("pk", "status", "started_at", "ended_at", "total", "remaining", "failed"),
    *("workflow__name", "workflow_id"),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """One run's numbers at a moment."""

    pk: int
    workflow: str
    values: dict[str, Value]
    over: bool


def these(ids: Collection[int], now: datetime) -> list[Seen]:
    """The runs with these numbers."""
    return _seen(Run.objects.filter(pk__in=ids).order_by("pk"), now) if ids else []


def oldest(now: datetime) -> list[Seen]:
    """The oldest live runs, along the index of statuses."""
    found: list[Seen] = []
    for status in sorted(RUN_LIVE):
        found += _seen(Run.objects.filter(status=status).order_by("pk")[:SWEPT], now)
    return sorted(found, key=lambda seen: seen.pk)[:SWEPT]


def _seen(runs: QuerySet[Run], now: datetime) -> list[Seen]:
    rows = list(runs.values_list(*_COLUMNS))
    used = used_of([row[0] for row in rows])
    return [_one(row, now, used.get(row[0], 0.0)) for row in rows]


def used_of(ids: Collection[int]) -> dict[int, float]:
    """The part that is spent of each of these runs' own budgets, of the resource nearest its end."""
    rows = Budget.objects.filter(scope=Budget.Scope.RUN, ref__in=ids, spent__gt=0, limit__gt=0).order_by()
    parts = rows.values_list("ref").annotate(part=Max(F("spent") / F("limit")))
    return dict(parts) if ids else {}


def _one(row: Sequence[object], now: datetime, used: float) -> Seen:
    pk, status, started, ended, total, remaining, failed, workflow, _workflow_id = row
    return values(
        int(str(pk)), str(status), workflow=str(workflow), started=started, ended=ended or now,  # type: ignore[arg-type]
        counts=(int(str(total)), int(str(remaining)), int(str(failed))), used=used,
    )  # fmt: skip


def values(  # noqa: PLR0913 - each argument is a part of a run's row
    pk: int, status: str, *, workflow: str, started: datetime, ended: datetime, counts: tuple[int, int, int],
    used: float = 0.0,
) -> Seen:  # fmt: skip
    """A run's numbers as conditions name them. Milliseconds are whole: one more than an hour is more than an hour."""
    total, remaining, failed = counts
    ms = (ended - started).total_seconds() * 1000
    numbers = SCOPES["run"].values(
        {"ms": ms, "total": total, "ended": total - remaining, "failed": failed, "used": used}
    )
    return Seen(
        pk, workflow, {**numbers, "workflow_status": status.upper(), "workflow": workflow}, over=status in RUN_TERMINAL
    )


def look(seen: Iterable[Seen], wanted: Collection[AlertRule], found: Findings) -> None:
    """Hold each run against each rule about runs."""
    for run in seen:
        for rule in wanted:
            if rule.subject and rule.subject != run.workflow:
                continue
            _hold(run, rule, found)


def _hold(run: Seen, rule: AlertRule, found: Findings) -> None:
    subject = str(run.pk)
    try:
        is_true = rules.holds(rule.condition, "run", run.values)
    except ExpressionError as problem:
        found.problems[rule.pk] = str(problem)
        return
    if is_true:
        found.true.append(Finding(rule, subject, run.values, run_id=run.pk, workflow=run.workflow, over=run.over))
    else:
        found.calm[rule.pk].add(subject)
