"""Agents' health: counted in memory by each shift, added to one row per agent and minute, read by pages."""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Count, OuterRef, Q, Subquery, Sum
from django.utils import timezone

from agents.lifecycle.histogram import bucket_of
from agents.models import Agent, AgentHealth, VersionMinute

WINDOW: Final = timedelta(minutes=5)
DEGRADED_SHARE: Final = 0.05
FAILING_SHARE: Final = 0.5
LEAST_CALLS: Final = 3  # fewer do not make an agent failing


@dataclass(slots=True)
class VersionCount:
    """The part of one version in it; `buckets` count latencies as `agents.lifecycle.histogram` says."""

    calls: int = 0
    failures: int = 0
    buckets: Counter[int] = field(default_factory=Counter)


@dataclass(slots=True)
class HealthRow:
    """What one shift saw of one agent in one minute since it last told the database."""

    agent: str
    minute: datetime
    calls: int = 0
    failures: int = 0
    total_ms: float = 0.0
    seen_at: datetime | None = None
    versions: dict[int, VersionCount] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Health:
    """One agent over the last five minutes and this one. `mean_ms` is None without calls; `seen_at` is its last call.

    `per_minute` is the mean of the whole minutes with calls.
    """

    calls: int
    failures: int
    mean_ms: float | None
    seen_at: datetime | None
    per_minute: float

    @property
    def failure_share(self) -> float | None:
        """The share of failed calls; None without calls."""
        return self.failures / self.calls if self.calls else None

    @property
    def status(self) -> str:
        """The word for it. Few calls prove little: one failure of two is degraded, not failing."""
        share = self.failure_share
        if share is None:
            return "idle"
        if share >= FAILING_SHARE and self.calls >= LEAST_CALLS:
            return "failing"
        return "degraded" if share > DEGRADED_SHARE else "healthy"


class HealthMeter:
    """A shift's counters. `record` is cheap enough for every call; `drain` may run in another thread."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, datetime], HealthRow] = {}
        self._lock = threading.Lock()

    def record(self, agent: str, *, ms: float, failed: bool, version: int = 0) -> None:
        """Count one call that ended now; `version` 0 if nobody knows which it was."""
        now = timezone.now()
        minute = now.replace(second=0, microsecond=0)
        with self._lock:
            row = self._rows.get((agent, minute))
            if row is None:
                row = self._rows[agent, minute] = HealthRow(agent, minute)
            row.calls += 1
            row.failures += failed
            row.total_ms += ms
            row.seen_at = now
            if version:
                own = row.versions.get(version)
                if own is None:
                    own = row.versions[version] = VersionCount()
                own.calls += 1
                own.failures += failed
                own.buckets[bucket_of(ms)] += 1

    def drain(self) -> list[HealthRow]:
        """Everything counted since the last time, and start again from nothing."""
        with self._lock:
            rows, self._rows = self._rows, {}
        return list(rows.values())


@transaction.atomic
def record_health(rows: Sequence[HealthRow]) -> int:
    """Add the rows to the table and return how many minutes of agents were touched. Unknown agents are left out.

    1. Make sure each (agent, minute) exists, in a fixed order, so that two shifts cannot deadlock.
    2. Lock them in the same order and add: another shift may have counted the same minute.
    """
    ids = dict(Agent.objects.filter(name__in={row.agent for row in rows}).values_list("name", "id"))
    news = {(ids[row.agent], row.minute): row for row in rows if row.agent in ids}
    if not news:
        return 0
    empty = [AgentHealth(agent_id=agent, minute=minute, seen_at=minute) for agent, minute in sorted(news)]
    AgentHealth.objects.bulk_create(empty, ignore_conflicts=True)
    wanted = Q(*(Q(agent=agent, minute=minute) for agent, minute in news), _connector=Q.OR)
    stored = list(AgentHealth.objects.filter(wanted).order_by("agent_id", "minute").select_for_update())
    for sums in stored:
        new = news[sums.agent_id, sums.minute]
        sums.calls += new.calls
        sums.failures += new.failures
        sums.total_ms += new.total_ms
        sums.seen_at = max(sums.seen_at, new.seen_at or new.minute)
    _record_versions(news)
    return AgentHealth.objects.bulk_update(stored, ["calls", "failures", "total_ms", "seen_at"])


def _record_versions(news: Mapping[tuple[int, datetime], HealthRow]) -> None:
    """The same by version: the locks on the agents' minutes keep two shifts apart here too."""
    new = {
        (agent, minute, number): one for (agent, minute), row in news.items() for number, one in row.versions.items()
    }
    empty = [VersionMinute(agent_id=agent, minute=minute, version=number) for agent, minute, number in sorted(new)]
    if not empty:
        return
    VersionMinute.objects.bulk_create(empty, ignore_conflicts=True)
    wanted = Q(*(Q(agent=agent, minute=minute) for agent, minute in news), _connector=Q.OR)
    touched = []
    for row in VersionMinute.objects.filter(wanted).order_by("pk"):
        if one := new.get((row.agent_id, row.minute, row.version)):
            row.calls += one.calls
            row.failures += one.failures
            row.buckets = dict(Counter(row.buckets) + Counter({str(key): n for key, n in one.buckets.items()}))
            touched.append(row)
    VersionMinute.objects.bulk_update(touched, ["calls", "failures", "buckets"])


def health_by_agent(ids: Iterable[int]) -> dict[int, Health]:
    """The last minutes of these agents, by their ids; the source of the watch floor and of the agents' pages.

    Two queries however many agents there are; both read the newest rows of each agent only, never its history.
    """
    ids = list(ids)
    this_minute = timezone.now().replace(second=0, microsecond=0)
    whole = Q(minute__lt=this_minute)
    sums = (
        AgentHealth.objects.filter(agent_id__in=ids, minute__gte=this_minute - WINDOW, calls__gt=0)
        .order_by()
        .values("agent_id")
        .annotate(
            now_calls=Sum("calls"),
            now_failures=Sum("failures"),
            now_ms=Sum("total_ms"),
            whole_calls=Sum("calls", filter=whole, default=0),
            whole_minutes=Count("pk", filter=whole),
        )
    )
    recent = {row["agent_id"]: row for row in sums}
    newest = AgentHealth.objects.filter(agent=OuterRef("pk")).order_by("-minute").values("seen_at")[:1]
    seen = Agent.objects.filter(pk__in=ids).order_by().annotate(seen=Subquery(newest)).values_list("pk", "seen")
    return {pk: _health(recent.get(pk), seen_at) for pk, seen_at in seen}


def per_minute(counts: Sequence[int]) -> float:
    """The mean of whole minutes with calls; `counts` ends with this minute, which counts only if it is alone.

    Minutes without calls are left out: the rate says how fast work goes while there is any.
    """
    busy = [count for count in counts[:-1] if count]
    return sum(busy) / len(busy) if busy else float(counts[-1])


def _health(row: Mapping[str, Any] | None, seen_at: datetime | None) -> Health:
    if row is None:
        return Health(0, 0, None, seen_at, 0.0)
    calls, minutes = row["now_calls"], row["whole_minutes"]
    rate = row["whole_calls"] / minutes if minutes else float(calls)
    return Health(calls, row["now_failures"], row["now_ms"] / calls, seen_at, rate)
