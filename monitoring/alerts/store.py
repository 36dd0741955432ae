"""The rows that hold what was counted: minutes for fifteen days, hours for ninety. Written by the tick alone."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q
from django.utils import timezone

from monitoring.alerts.inputs import GAUGES, HOUR, MINUTE
from monitoring.models import AlertCount

KEPT: Final = {MINUTE: timedelta(days=15), HOUR: timedelta(days=90)}
_BATCH: Final = 5_000

type Key = tuple[str, str]  # scope, subject
type Amounts = Mapping[str, float]
type Tally = Mapping[Key, Mapping[datetime, dict[str, float]]]  # by minute
type _Place = tuple[int, str, datetime, str]  # seconds, scope, at, subject
type _Merge = Callable[[Amounts, Amounts], dict[str, float]]


def add(tally: Tally) -> None:
    """Add sums to their minutes and hours."""
    found: dict[_Place, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for (scope, subject), minutes in tally.items():
        for minute, numbers in minutes.items():
            for seconds, at in _places(minute):
                for name, value in numbers.items():
                    found[seconds, scope, at, subject][name] += float(value)
    _write(found, _sum)


def keep_highest(at: datetime, measured: Mapping[Key, Amounts]) -> None:
    """Note what was measured at a moment; of a minute or an hour the highest stays."""
    minute = at.replace(second=0, microsecond=0)
    places = {
        (seconds, scope, start, subject): numbers
        for (scope, subject), numbers in measured.items()
        if any(numbers.values())
        for seconds, start in _places(minute)
    }
    _write(places, _highest)


def put(seconds: int, tally: Tally) -> None:
    """Let these numbers stand as they are told: another table has added them up."""
    places = {
        (seconds, scope, at, subject): numbers
        for (scope, subject), times in tally.items()
        for at, numbers in times.items()
    }
    _write(places, _replaced)


def window(
    scope: str, *, since: datetime, seconds: int = MINUTE, subjects: Collection[str] | None = None
) -> dict[str, dict[str, float]]:
    """What was counted of each thing of a scope from a moment on, added up. What is measured at moments is left out."""
    rows = AlertCount.objects.filter(seconds=seconds, scope=scope, at__gte=since).order_by()
    if subjects is not None:
        rows = rows.filter(subject__in=subjects)
    sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    gauges = GAUGES.get(scope, frozenset())
    for subject, numbers in rows.values_list("subject", "numbers"):
        for name, value in numbers.items():
            if name not in gauges:
                sums[subject][name] += value
    return {subject: dict(found) for subject, found in sums.items()}


def history(scope: str, subject: str, *, since: datetime, seconds: int = HOUR) -> list[tuple[datetime, Amounts]]:
    """One thing's minutes or hours, in order."""
    rows = AlertCount.objects.filter(seconds=seconds, scope=scope, subject=subject, at__gte=since)
    return list(rows.order_by("at").values_list("at", "numbers"))


def forget_old() -> int:
    """Delete a batch of what is too old; how many rows that were."""
    gone = 0
    for seconds, kept in KEPT.items():
        old = AlertCount.objects.filter(seconds=seconds, at__lt=timezone.now() - kept).order_by()
        gone += AlertCount.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:_BATCH])).delete()[0]
    return gone


def _places(minute: datetime) -> tuple[tuple[int, datetime], tuple[int, datetime]]:
    return (MINUTE, minute), (HOUR, minute.replace(minute=0))


def _write(found: Mapping[_Place, Amounts], merge: _Merge) -> None:
    if not found:
        return
    rows = AlertCount.objects.filter(_any(found)).order_by()
    old = {(row.seconds, row.scope, row.at, row.subject): row.numbers for row in rows}
    fresh = {place: merge(old.get(place, {}), numbers) for place, numbers in found.items()}
    changed = {place: numbers for place, numbers in fresh.items() if numbers != old.get(place)}
    AlertCount.objects.bulk_create(
        [
            AlertCount(seconds=seconds, scope=scope, at=at, subject=subject, numbers=numbers)
            for (seconds, scope, at, subject), numbers in sorted(changed.items(), key=lambda one: one[0])
        ],
        update_conflicts=True,
        unique_fields=["seconds", "scope", "at", "subject"],
        update_fields=["numbers"],
    )


def _any(places: Iterable[_Place]) -> Q:
    groups: dict[tuple[int, str, datetime], list[str]] = defaultdict(list)
    for seconds, scope, at, subject in places:
        groups[seconds, scope, at].append(subject)
    pieces = (
        Q(seconds=seconds, scope=scope, at=at, subject__in=names) for (seconds, scope, at), names in groups.items()
    )
    return Q(*pieces, _connector=Q.OR)


def _sum(old: Amounts, new: Amounts) -> dict[str, float]:
    return {name: old.get(name, 0.0) + new.get(name, 0.0) for name in {*old, *new}}


def _highest(old: Amounts, new: Amounts) -> dict[str, float]:
    return {name: max(old.get(name, 0.0), new.get(name, 0.0)) for name in {*old, *new}}


def _replaced(old: Amounts, new: Amounts) -> dict[str, float]:
    return {**old, **new}
