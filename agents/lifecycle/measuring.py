"""What an agent's work came to within a window, of all its versions or of one. Reads only."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection
from django.db.models import Avg, Count, StdDev

from agents.lifecycle.histogram import quantile
from agents.models import Agent, Assessment
from agents.quality.outcomes import decisions

MOST_DECISIONS: Final = 200  # the newest: each carries its input and output

_CALLS: Final = """
SELECT coalesce(sum(calls), 0), coalesce(sum(failures), 0) FROM agents_versionminute
 WHERE agent_id = %(agent)s AND minute >= %(since)s AND (%(version)s::int IS NULL OR version = %(version)s)
"""
_BUCKETS: Final = """
SELECT b.key::int, sum(b.value::int) FROM agents_versionminute m, jsonb_each_text(m.buckets) AS b
 WHERE m.agent_id = %(agent)s AND m.minute >= %(since)s AND (%(version)s::int IS NULL OR m.version = %(version)s)
 GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """Counts, and what follows from them. Scores 0-100; `stood` are decisions that left the output as it was."""

    calls: int = 0
    failures: int = 0
    p95_ms: float | None = None
    scores: int = 0
    score: float | None = None
    score_spread: float | None = None
    decided: int = 0
    stood: int = 0

    @property
    def success(self) -> float | None:
        """The share of calls that did not fail; None without calls."""
        return 1 - self.failures / self.calls if self.calls else None

    @property
    def accuracy(self) -> float | None:
        """The share of decided outputs that stood; None without decisions."""
        return self.stood / self.decided if self.decided else None


def measure(agent: Agent, *, since: datetime, version: int | None = None) -> Measured:
    """Calls since the minute of `since`, assessments and decisions since then."""
    minute = since.replace(second=0, microsecond=0)
    asked: dict[str, int | datetime | None] = {"agent": agent.pk, "since": minute, "version": version}
    with connection.cursor() as cursor:
        cursor.execute(_CALLS, asked)
        calls, failures = cursor.fetchone() or (0, 0)
        cursor.execute(_BUCKETS, asked)
        p95 = quantile(dict(cursor.fetchall()), 0.95)
    found = Assessment.objects.filter(agent=agent.name, assessed_at__gte=since)
    if version is not None:
        found = found.filter(agent_version=version)
    scores = found.order_by().aggregate(n=Count("pk"), mean=Avg("score"), spread=StdDev("score", sample=True))
    stood, decided = _decisions(agent.name, since, version)
    return Measured(calls, failures, p95, scores["n"], scores["mean"], scores["spread"], decided, stood)


def _decisions(agent: str, since: datetime, version: int | None) -> tuple[int, int]:
    stood = decided = 0
    for one in decisions().judged(agent, limit=MOST_DECISIONS):
        if datetime.fromisoformat(str(one.provenance["at"])) < since:
            break
        if version in (None, one.agent_version):
            decided += 1
            stood += one.expected == one.output
    return stood, decided
