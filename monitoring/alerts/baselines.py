"""What is usual for a thing, by its hours: read once an hour for each, and kept in this process meanwhile."""

from datetime import UTC, datetime, timedelta
from typing import Final

from monitoring.alerts import anomalies, store
from monitoring.alerts.anomalies import Usual
from monitoring.alerts.inputs import SCOPES, share
from monitoring.alerts.store import Amounts

_MOST: Final = 5_000
_known: dict[tuple[str, str, str], tuple[datetime, Usual]] = {}


def usual(scope: str, subject: str, counted: str, *, now: datetime) -> Usual:
    """What an hour like the one that ends now usually comes to, of what is `counted` (`a/b` is a mean)."""
    # The last sixty minutes lie in two hours of the clock; they are held against the one that holds more of them.
    centre = (now - timedelta(minutes=30)).astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    key = (scope, subject, counted)
    found = _known.get(key)
    if found is None or found[0] != centre:
        if len(_known) >= _MOST:
            _known.clear()
        found = _known[key] = (centre, _read(scope, subject, counted, centre))
    return found[1]


def _read(scope: str, subject: str, counted: str, centre: datetime) -> Usual:
    past = store.history(scope, subject, since=centre - timedelta(days=anomalies.DAYS))
    return anomalies.usual_at(centre.hour, series(past, counted, until=centre))


def series(past: list[tuple[datetime, Amounts]], counted: str, *, until: datetime) -> dict[datetime, float]:
    """Each hour's value up to a moment. An hour of which nothing is known had none of it, but no mean either."""
    part, _, whole = counted.partition("/")
    known = {at.astimezone(UTC): numbers for at, numbers in past if at < until}
    if not known:
        return {}
    if whole:
        return {
            at: share(numbers.get(part, 0.0), numbers.get(whole, 0.0))
            for at, numbers in known.items()
            if numbers.get(whole)
        }
    hours = int((until - min(known)).total_seconds() // 3600)
    starts = [min(known) + timedelta(hours=n) for n in range(hours)]
    return {at: known[at].get(part, 0.0) if at in known else 0.0 for at in starts}


def value_of(numbers: Amounts, counted: str) -> float | None:
    """The same of the numbers of one window; None where there is no mean."""
    part, _, whole = counted.partition("/")
    if not whole:
        return numbers.get(part, 0.0)
    return share(numbers.get(part, 0.0), numbers[whole]) if numbers.get(whole) else None


def distances(scope: str, subject: str, wanted: frozenset[str], hour: Amounts, *, now: datetime) -> dict[str, float]:
    """Each wanted `*_sigma` of a thing, by what its last sixty minutes came to; and what would be usual."""
    found: dict[str, float] = {}
    for name, counted in SCOPES[scope].metrics.items():
        if name not in wanted:
            continue
        value, what = value_of(hour, counted), usual(scope, subject, counted, now=now)
        found[name] = what.sigma(value) if value is not None else 0.0
        found[name.removesuffix("_sigma") + "_usual"] = what.level
    return found


def forget() -> None:
    """Read anew: for tests, whose history is another each time."""
    _known.clear()
