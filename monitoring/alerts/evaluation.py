"""The tick: once a second, count what is new, measure what stands, hold every rule against it, and tell people.

What changed is looked at in each tick, everything every fifteen seconds, promises in each minute of the clock. A tick
that is lost is made up for by the next; two at once are one, for the cursor's row is locked.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db import transaction
from django.utils import timezone

from monitoring.alerts import baselines, counting, measuring, oncall, promising, raising, rules, runs, shipped, store
from monitoring.alerts.findings import Finding, Findings
from monitoring.alerts.inputs import BY_MINUTE, COUNTED, HOUR, MEASURED_ONLY, MINUTE, SCOPES
from monitoring.alerts.raising import Open
from monitoring.alerts.store import Amounts, Key
from monitoring.models import Alert, AlertCursor, AlertRule
from orchestrator import ledger
from orchestrator.definitions.expressions import ExpressionError

FULL_EVERY: Final = timedelta(seconds=15)
FINE: Final = 120  # minutes: longer windows are added up from hours

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Look:
    """One tick's view: what was measured, what changed, and what is open."""

    now: datetime
    measured: Mapping[Key, Amounts]
    touched: set[Key]
    is_full: bool
    open_ones: Open
    is_sample: bool = False
    targets: Mapping[Key, Amounts] = field(default_factory=dict)  # known of whatever is looked at; no reason to look
    hours: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)  # by scope: the last sixty minutes

    def subjects(self, scope: str) -> set[str] | None:
        """Which things of a scope to look at; None for all that there is anything about."""
        if self.is_full:
            return None
        changed = {subject for kind, subject in {*self.touched, *self.measured} if kind == scope}
        return changed | self.watched(scope)

    def watched(self, scope: str) -> set[str]:
        """What there is an open alert about."""
        return {alert.subject for alert in self.open_ones.values() if alert.scope == scope}

    def hour(self, scope: str) -> dict[str, dict[str, float]]:
        """What each thing's last sixty minutes came to."""
        if scope not in self.hours:
            self.hours[scope] = store.window(scope, since=_begin(self.now, 60), subjects=self.subjects(scope))
        return self.hours[scope]


def tick(now: datetime | None = None) -> list[Alert]:
    """Look once; the alerts that were raised. Nothing if another process looks just now."""
    with transaction.atomic():
        cursor = _take_cursor()
        if cursor is None:
            return []
        return _look(cursor, now or timezone.now())


def _take_cursor() -> AlertCursor | None:
    AlertCursor.objects.bulk_create([AlertCursor(pos=ledger.head())], ignore_conflicts=True)
    return AlertCursor.objects.select_for_update(skip_locked=True).first()


def _look(cursor: AlertCursor, now: datetime) -> list[Alert]:
    wanted = _rules()
    news = counting.read_log(cursor)
    measured = measuring.measure(now)
    is_full = cursor.full_at is None or now - cursor.full_at >= FULL_EVERY
    if is_full:
        news.touched |= measuring.copy_health(now)
        cursor.full_at = now
    targets = measuring.against_targets()
    is_sample = cursor.sampled_at is None or _minute(now) > _minute(cursor.sampled_at)
    if is_sample:
        measured |= promising.measure(now)
        store.keep_highest(
            now, {key: {**measured.get(key, {}), **targets.get(key, {})} for key in {*measured, *targets}}
        )
        cursor.sampled_at = now
    look = Look(now, measured, news.touched, is_full, raising.open_alerts(), is_sample, targets)
    raised = raising.settle(_find(wanted, look, news.runs), look.open_ones, now)
    if is_full:
        raising.close_left_over(look.open_ones, (rule.pk for rule in wanted), now)
    oncall.pass_on(now)
    cursor.save(update_fields=["pos", "full_at", "sampled_at"])
    return raised


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _rules() -> list[AlertRule]:
    every = list(AlertRule.objects.order_by("pk"))
    if not {one.name for one in shipped.RULES} <= {rule.name for rule in every}:
        shipped.seed()
        every = list(AlertRule.objects.order_by("pk"))
    return [rule for rule in every if rule.enabled]


def _find(wanted: Sequence[AlertRule], look: Look, changed_runs: set[int]) -> Findings:
    found = Findings()
    for scope in COUNTED:
        if scope in BY_MINUTE and not look.is_sample:
            continue
        by_window: dict[int, list[AlertRule]] = defaultdict(list)
        for rule in wanted:
            if rule.scope == scope:
                by_window[rule.window].append(rule)
        for window, group in by_window.items():
            _look_at_window(scope, window, group, look, found)
    about_runs = [rule for rule in wanted if rule.scope == "run"]
    if about_runs:
        seen = {run.pk: run for run in runs.these(changed_runs | _open_runs(look), look.now)}
        if look.is_full:
            seen |= {run.pk: run for run in runs.oldest(look.now)}
        runs.look(seen.values(), about_runs, found)
    _note_problems(wanted, found)
    return found


def _open_runs(look: Look) -> set[int]:
    """Runs that alerts are open about, so that they are found to be over."""
    if not look.is_full:
        return set()
    return {alert.run_id for alert in look.open_ones.values() if alert.run_id and alert.cleared_at is None}


def _look_at_window(scope: str, window: int, group: Iterable[AlertRule], look: Look, found: Findings) -> None:
    wanted = look.subjects(scope)
    if wanted is not None and not wanted:
        return
    seconds = MINUTE if window <= FINE else HOUR
    sums: dict[str, dict[str, float]] = {}
    if scope not in MEASURED_ONLY:
        sums = store.window(scope, since=_begin(look.now, window), seconds=seconds, subjects=wanted)
    measured = {subject: numbers for (kind, subject), numbers in look.measured.items() if kind == scope}
    aimed = {subject for kind, subject in look.targets if kind == scope}
    for subject in sorted({*sums, *measured, *aimed, *look.watched(scope)} if wanted is None else wanted):
        numbers = {**sums.get(subject, {}), **measured.get(subject, {}), **look.targets.get((scope, subject), {})}
        for rule in group:
            if not rule.subject or rule.subject == subject:
                _hold(rule, subject, numbers, look, found)


def _begin(now: datetime, window: int) -> datetime:
    """Where a window begins: on a whole minute or hour, this one included."""
    if window <= FINE:
        return _minute(now) - timedelta(minutes=window - 1)
    return now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=max(round(window / 60), 1) - 1)


def _hold(rule: AlertRule, subject: str, numbers: Amounts, look: Look, found: Findings) -> None:
    scope = SCOPES[rule.scope]
    usual: dict[str, float] = {}
    sigmas = rules.named_in(rule.condition, rule.scope) & scope.metrics.keys()
    if sigmas:
        told = baselines.distances(
            rule.scope, subject, frozenset(sigmas), look.hour(rule.scope).get(subject, {}), now=look.now
        )
        numbers = {**numbers, **{name: value for name, value in told.items() if name in sigmas}}
        usual = {name.removesuffix("_usual"): value for name, value in told.items() if name.endswith("_usual")}
    values = scope.values(numbers)
    try:
        is_true = rules.holds(rule.condition, rule.scope, values)
    except ExpressionError as problem:
        found.problems[rule.pk] = str(problem)
        return
    if not is_true:
        found.calm[rule.pk].add(subject)
        return
    usual |= _usual_errors(rule, subject, look.now)
    workflow = subject if rule.scope == "workflow" else ""
    found.true.append(Finding(rule, subject, values, usual, workflow=workflow))


def _usual_errors(rule: AlertRule, subject: str, now: datetime) -> dict[str, float]:
    """How many of a tool's calls usually fail in such a window: a number alone says little."""
    if rule.scope != "tool":
        return {}
    what = baselines.usual("tool", subject, "errors", now=now)
    return {"errors": what.level * rule.window / 60} if what.is_known else {}


def _note_problems(wanted: Iterable[AlertRule], found: Findings) -> None:
    """What cannot be worked out is neither true nor false: the page of rules says so until it can."""
    for rule in wanted:
        problem = found.problems.get(rule.pk, "")[:300]
        if problem != rule.problem and (problem or rule.pk in found.calm):
            AlertRule.objects.filter(pk=rule.pk).update(problem=problem)
            log.warning("alert_rule.problem", rule=rule.name, problem=problem)
