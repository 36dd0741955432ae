"""Follows the log for each outlet: read a stretch, send it, then move the place up to which everything has gone.

1. One process sends for one outlet at a time, by a session lock; nothing is sent inside a transaction.
2. A stretch counts as gone when it was taken. Killed in between, the next process sends it again: at least once, and
   the same spans and places as before, so that whoever receives them can tell.
3. What is away is asked again after 1, 2, 4 ... 60 seconds. Nobody waits for it: work and pages know no outlets.
4. What is refused for what it is, is sent in halves; a single event that is still refused is counted as lost.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.conf import settings
from django.db.models import F
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from monitoring.models import Outlet
from monitoring.telemetry import db
from monitoring.telemetry.sending import Refused, Undelivered
from orchestrator import ledger

STRETCH: Final = 500  # places of the ledger that go out at once
FAR_BEHIND: Final = 1_000_000  # spans of what lies further back are not worth sending; events of the audit trail are
LONGEST_WAIT: Final = 60.0
MOST_TURNS: Final = 200  # at one call

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Way:
    """How one outlet's things go out. `send` sends a stretch and says how many were taken, and how many not."""

    name: str
    send: Callable[[int, int], tuple[int, int]]
    skips: bool  # what is too old is left out, and counted
    beside: Callable[[Outlet], tuple[int, int]] | None = None  # what the log does not tell


def run(ways: dict[str, Way]) -> int:
    """Send on for every outlet that settings name; how many things were taken."""
    return sum(_send_on(ways[name]) for name in settings.OUTLETS)


def _send_on(way: Way) -> int:
    taken = 0
    with db.alone(list(Outlet.Name.values).index(way.name)) as mine:
        if not mine:
            return 0
        for _ in range(MOST_TURNS):
            outlet = outlet_of(way.name)
            if outlet.retry_at is not None and outlet.retry_at > timezone.now():
                break
            found = _turn(way, outlet)
            taken += found or 0
            if found is None:
                break
    return taken


def outlet_of(name: str) -> Outlet:
    """Its row. A new outlet begins at the end of the log: what was before it is exported from the audit page."""
    found = Outlet.objects.filter(pk=name).first()
    if found is None:
        Outlet.objects.bulk_create([Outlet(pk=name, pos=ledger.head())], ignore_conflicts=True)
        found = Outlet.objects.get(pk=name)
    return found


def _turn(way: Way, outlet: Outlet) -> int | None:
    """One stretch; how many things were taken, or None when nothing is left or it failed."""
    head = ledger.head()
    _skip(way, outlet, head)
    last = min(head, outlet.pos + STRETCH)
    try:
        taken, lost = _halving(way, outlet.pos, last) if last > outlet.pos else (0, 0)
        beside, lost_beside = way.beside(outlet) if way.beside else (0, 0)
    except Undelivered as problem:
        _note_failure(outlet, problem)
        return None
    except Exception as problem:
        log.exception("telemetry.failed", outlet=way.name)
        _note_failure(outlet, Undelivered(f"it failed on our side ({type(problem).__name__}); the log says more"))
        return None
    moved = last > outlet.pos
    if moved or beside or lost_beside or outlet.failing_since:
        _note_success(outlet, last, taken + beside, lost + lost_beside)
    return taken + beside if moved or beside else None


def _halving(way: Way, after: int, until: int) -> tuple[int, int]:
    try:
        return way.send(after, until)
    except Refused as problem:
        if until - after == 1:
            log.warning("telemetry.refused", outlet=way.name, pos=until, problem=str(problem))
            return 0, 1
    middle = (after + until) // 2
    first, second = _halving(way, after, middle), _halving(way, middle, until)
    return first[0] + second[0], first[1] + second[1]


def _skip(way: Way, outlet: Outlet, head: int) -> None:
    if way.skips and head - outlet.pos > FAR_BEHIND:
        gone = head - FAR_BEHIND - outlet.pos
        outlet.pos = head - FAR_BEHIND
        Outlet.objects.filter(pk=outlet.pk).update(pos=outlet.pos, lost=F("lost") + gone)
        log.warning("telemetry.skipped", outlet=way.name, events=gone)


def _note_success(outlet: Outlet, pos: int, taken: int, lost: int) -> None:
    if outlet.failing_since is not None:
        log.info("telemetry.works_again", outlet=outlet.pk)
    news = {"sent_at": Now()} if taken else {}
    Outlet.objects.filter(pk=outlet.pk).update(
        pos=pos, sent=F("sent") + taken, lost=F("lost") + lost, failing_since=None, problem="", failures=0,
        retry_at=None, **news,
    )  # fmt: skip


def _note_failure(outlet: Outlet, problem: Undelivered) -> None:
    wait = max(problem.wait, min(LONGEST_WAIT, 2.0 ** min(outlet.failures, 6)))
    if outlet.failing_since is None:
        log.warning("telemetry.fails", outlet=outlet.pk, problem=str(problem))
    Outlet.objects.filter(pk=outlet.pk).update(
        failing_since=Coalesce("failing_since", Now()), problem=str(problem)[:300], failures=F("failures") + 1,
        retry_at=_later(wait),
    )  # fmt: skip


def _later(seconds: float) -> datetime:
    return timezone.now() + timedelta(seconds=seconds)
