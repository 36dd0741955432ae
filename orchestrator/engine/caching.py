"""Results that are used again: a step that says `cache: 1d` takes an agent's earlier output for the same input.

The key covers the agent, its version and the input as canonical JSON, so that a new version never serves an old output.
Nothing is taken or kept where a reviewer sent the work back, and nothing is kept where the call made a side effect or
read or wrote its run's state: that is another run's, perhaps another workflow's, secret. A gate looks at a cached
output like at any other.
"""

import hashlib
from datetime import timedelta
from typing import Final

import orjson
from django.db.models import F, Sum
from django.db.models.functions import Now

from agents.models import Agent
from agents.registry import find as registered
from agents.types import Completed, Json
from orchestrator import db
from orchestrator.engine.assignment import Assignment
from orchestrator.engine.lending import Loan
from orchestrator.models import CachedResult, CacheUse

LARGEST: Final = 1_000_000  # bytes of JSON; larger outputs are made again
DAYS: Final = 30  # that a page counts
PURGED: Final = 5_000  # rows deleted at a time


def key_of(agent: str, version: int, given: dict[str, Json]) -> str:
    """SHA-256 of agent, version and input."""
    return hashlib.sha256(orjson.dumps([agent, version, given], option=orjson.OPT_SORT_KEYS)).hexdigest()


def find(job: Assignment, given: dict[str, Json]) -> Completed | None:
    """The earlier output for this input, if there is one that is not too old."""
    key = _key(job, given)
    if key is None:
        return None
    found = CachedResult.objects.filter(key=key, expires_at__gt=Now()).first()
    _count(job.step.agent, hit=found is not None)
    if found is None:
        return None
    CachedResult.objects.filter(key=key).update(hits=F("hits") + 1)
    job.tell(cached=found.task)
    return Completed(output=found.output, confidence=found.confidence, version=_version(job) or 0)


def keep(job: Assignment, given: dict[str, Json], outcome: Completed, loan: Loan) -> None:
    """Keep an output for the next time, unless making it had a side effect or took what only this run knows."""
    key = _key(job, given)
    if key is None or loan.was_used or len(orjson.dumps(outcome.output)) > LARGEST:
        return
    CachedResult.objects.update_or_create(
        key=key,
        defaults={
            "agent": Agent.objects.get(name=job.step.agent),
            "output": outcome.output,
            "confidence": outcome.confidence,
            "task": job.claimed.id,
            "hits": 0,
            "created_at": Now(),
            "expires_at": Now() + timedelta(seconds=job.step.cache_s),
        },
    )


def purge() -> int:
    """Upkeep: forget what is too old to be used; return how much."""
    old = CachedResult.objects.filter(expires_at__lte=Now()).values("pk")[:PURGED]
    return CachedResult.objects.filter(pk__in=old).delete()[0]


def use_of(agent: str, *, days: int = DAYS) -> tuple[int, int]:
    """How often this agent's steps looked for an earlier result of late, and how often there was one."""
    since = db.clock().date() - timedelta(days=days - 1)
    rows = CacheUse.objects.filter(agent__name=agent, day__gte=since)
    found = rows.aggregate(asked=Sum("asked", default=0), hits=Sum("hits", default=0))
    return found["asked"], found["hits"]


def _count(agent: str, *, hit: bool) -> None:
    """One row for each agent and day; two that make it at once count both."""
    row = Agent.objects.filter(name=agent).values_list("pk", flat=True).first()
    if row is not None:
        day, _made = CacheUse.objects.get_or_create(agent_id=row, day=db.clock().date())
        CacheUse.objects.filter(pk=day.pk).update(asked=F("asked") + 1, hits=F("hits") + int(hit))


def _key(job: Assignment, given: dict[str, Json]) -> str | None:
    version = _version(job)
    if version is None or job.claimed.note:
        return None
    return key_of(job.step.agent, version, given)


def _version(job: Assignment) -> int | None:
    spec = registered(job.step.agent, job.step.agent_version)
    return spec.version if spec is not None else None
