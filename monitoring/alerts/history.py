"""A rule tried on what was: when it would have fired, before it is kept. Reads only, and never more than it is worth.

The same counts, the same numbers and the same condition as in the tick. What the past does not hold is said: numbers
are kept by the minute for fifteen days, and what is measured at moments only since this installation measures it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, Final

from django.contrib.auth.models import User
from django.utils import timezone

from approvals import permissions
from monitoring.alerts import anomalies, baselines, promising, rules, runs
from monitoring.alerts.inputs import GAUGES, HOUR, MINUTE, SCOPES, Value
from monitoring.alerts.raising import CALM
from monitoring.alerts.store import Amounts
from monitoring.models import AlertCount
from orchestrator.definitions.expressions import ExpressionError
from orchestrator.models import Run

DAYS: Final = 14
MOST_ROWS: Final = 150_000
MOST_RUNS: Final = 20_000
SECONDS: Final = 3.0  # of work; what lies further back is then left out, and that is said
SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class Firing:
    """Once that the rule would have fired."""

    subject: str
    at: datetime
    until: datetime | None  # None: still true at the end
    values: Mapping[str, Value]
    run_id: int | None = None


@dataclass(slots=True)
class Tried:
    """What came of it."""

    since: datetime
    looked: int = 0  # things
    firings: list[Firing] = field(default_factory=list)
    is_cut: bool = False  # there was more than could be looked at
    problem: str = ""

    @property
    def count(self) -> int:
        """How often it would have fired."""
        return len(self.firings)

    @property
    def days(self) -> int:
        """How far back it was looked."""
        return max(1, round((timezone.now() - self.since).total_seconds() / 86_400))

    @property
    def shown(self) -> list[Firing]:
        """The newest."""
        return sorted(self.firings, key=lambda one: one.at, reverse=True)[:SHOWN]

    @property
    def by_day(self) -> list[int]:
        """How often on each day, the oldest first."""
        end = timezone.now()
        counts = [0] * DAYS
        for one in self.firings:
            counts[max(0, DAYS - 1 - (end - one.at).days)] += 1
        return counts


def replay(wanted: rules.Wanted, *, user: User, now: datetime | None = None) -> Tried:
    """When the rule would have fired in the last fourteen days, on what this person may see. Raises RuleRefused."""
    rules.check_condition(wanted.scope, wanted.condition)
    now = now or timezone.now()
    tried = Tried(since=now - timedelta(days=DAYS))
    try:
        if wanted.scope == "run":
            _over_runs(wanted, tried, user, now)
        else:
            _over_counts(wanted, tried, user, now)
    except ExpressionError as problem:
        tried.problem = str(problem)
    return tried


def _over_runs(wanted: rules.Wanted, tried: Tried, user: User, now: datetime) -> None:
    """Each run as it ended, along the index of ended runs: a run fires once."""
    mine = permissions.visible_workflows(user).order_by().values_list("pk", flat=True)
    ended = Run.objects.filter(ended_at__gte=tried.since, ended_at__lte=now, workflow__in=list(mine))
    if wanted.subject:
        ended = ended.filter(workflow__name=wanted.subject)
    columns = ("pk", "status", "workflow__name", "started_at", "ended_at", "total", "remaining", "failed")
    rows = list(ended.order_by("-ended_at").values_list(*columns)[: MOST_RUNS + 1])
    tried.is_cut = len(rows) > MOST_RUNS
    memory: dict[Any, bool] = {}
    used = runs.used_of([row[0] for row in rows]) if _names_budget(wanted) else {}
    for pk, status, workflow, started, over, *counts in rows[:MOST_RUNS]:
        seen = runs.values(
            pk, status, workflow=workflow, started=started, ended=over, counts=tuple(counts), used=used.get(pk, 0.0)
        )
        tried.looked += 1
        if _holds(wanted, seen.values, memory):
            tried.firings.append(Firing(workflow, over, over, seen.values, pk))


def _names_budget(wanted: rules.Wanted) -> bool:
    return bool(rules.named_in(wanted.condition, "run") & {"budget_used", "budget_remaining"})


def _over_counts(wanted: rules.Wanted, tried: Tried, user: User, now: datetime) -> None:
    sigmas = rules.named_in(wanted.condition, wanted.scope) & SCOPES[wanted.scope].metrics.keys()
    seconds = HOUR if sigmas or wanted.window > 120 else MINUTE
    before = timedelta(days=anomalies.DAYS) if sigmas else timedelta(minutes=wanted.window)
    past = _past(wanted, tried, user, seconds=seconds, since=tried.since - before)
    deadline = monotonic() + SECONDS
    memory: dict[Any, bool] = {}
    for subject, times in past.items():
        if monotonic() > deadline:
            tried.is_cut = True
            return
        tried.looked += 1
        moments = _moments(wanted, times, tried.since, now, seconds=seconds, sigmas=frozenset(sigmas))
        tried.firings += _episodes(wanted, subject, moments, memory, step=timedelta(seconds=seconds))


def _past(
    wanted: rules.Wanted, tried: Tried, user: User, *, seconds: int, since: datetime
) -> dict[str, dict[datetime, Amounts]]:
    rows = AlertCount.objects.filter(seconds=seconds, scope=wanted.scope, at__gte=since).order_by("-at")
    if wanted.subject:
        rows = rows.filter(subject=wanted.subject)
    if (seen := _seen(wanted.scope, user)) is not None:
        rows = rows.filter(subject__in=seen)
    found: dict[str, dict[datetime, Amounts]] = defaultdict(dict)
    for count, (subject, at, numbers) in enumerate(rows.values_list("subject", "at", "numbers")[:MOST_ROWS]):
        found[subject][at.astimezone(UTC)] = numbers
        if count == MOST_ROWS - 1:
            tried.is_cut, tried.since = True, max(tried.since, at)
    return found


def _seen(scope: str, user: User) -> list[str] | None:
    """The things of a scope that this person may see; None for all."""
    if scope == "workflow":
        return list(permissions.visible_workflows(user).order_by().values_list("name", flat=True))
    if scope == "queue":
        return list(permissions.visible_queues(user).order_by().values_list("name", flat=True))
    return promising.visible(user) if scope == "promise" else None


def _moments(
    wanted: rules.Wanted,
    times: Mapping[datetime, Amounts],
    since: datetime,
    now: datetime,
    *,
    seconds: int,
    sigmas: frozenset[str],
) -> Iterator[tuple[datetime, Amounts]]:
    """The numbers of each moment at which they may have changed: where something was counted, or left the window."""
    step = timedelta(seconds=seconds)
    wide = max(1, wanted.window * 60 // seconds)
    changes = set(times) | {at + step * wide for at in times}
    gauges = GAUGES.get(wanted.scope, frozenset())
    changes |= {at + step for at in times} if gauges else set()
    for at in sorted(one for one in changes if since <= one <= now):
        numbers: dict[str, float] = defaultdict(float)
        for back in range(wide):
            for name, value in times.get(at - step * back, {}).items():
                if name not in gauges:
                    numbers[name] += value
                elif back == 0:
                    numbers[name] = value
        for name in sigmas:
            numbers[name] = _sigma(SCOPES[wanted.scope].metrics[name], times, at)
        yield at, numbers


def _sigma(counted: str, times: Mapping[datetime, Amounts], at: datetime) -> float:
    """How far an hour was from what was usual then, by what had been until then."""
    known = sorted(
        (when, numbers) for when, numbers in times.items() if at - timedelta(days=anomalies.DAYS) <= when < at
    )
    value = baselines.value_of(times.get(at, {}), counted)
    if value is None:
        return 0.0
    return anomalies.usual_at(at.hour, baselines.series(known, counted, until=at)).sigma(value)


def _episodes(
    wanted: rules.Wanted,
    subject: str,
    moments: Iterator[tuple[datetime, Amounts]],
    memory: dict[Any, bool],
    *,
    step: timedelta,
) -> Iterator[Firing]:
    """From each moment at which it becomes true to the one from which it is false: as one alert."""
    began: tuple[datetime, Mapping[str, Value]] | None = None
    last = None
    for at, numbers in moments:
        values = SCOPES[wanted.scope].values(numbers)
        is_true = _holds(wanted, values, memory)
        if is_true and began is None:
            began = (at, values)
        elif not is_true and began is not None and (last is None or at - last >= min(CALM, step)):
            yield Firing(subject, began[0], at, began[1])
            began = None
        last = at if is_true else last
    if began is not None:
        yield Firing(subject, began[0], None, began[1])


def _holds(wanted: rules.Wanted, values: Mapping[str, Value], memory: dict[Any, bool]) -> bool:
    """The same numbers give the same answer: each is worked out once."""
    key = tuple(values.items())
    if key not in memory:
        memory[key] = rules.holds(wanted.condition, wanted.scope, values)
    return memory[key]
