"""Reads the rollups for pages: sums and spreads over a span, of what the user may see. Bounded by the rollups."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from approvals import permissions
from monitoring.metrics import db
from monitoring.metrics.spreads import Spread
from orchestrator.models import Workflow

SPANS: Final[dict[str, tuple[int, str, str | Promise]]] = {
    "24h": (1, "h", _("24 hours")),
    "7d": (7, "h", _("7 days")),
    "30d": (30, "d", _("30 days")),
    "90d": (90, "d", _("90 days")),
}
USUAL: Final = "7d"
RUN_ENDS: Final = ("run_succeeded", "run_partial", "run_failed", "run_cancelled")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of whole hours or days up to now."""

    name: str
    since: datetime
    until: datetime
    grain: str

    @property
    def title(self) -> str | Promise:
        """In words."""
        return SPANS[self.name][2] if self.name in SPANS else self.name

    @property
    def hours(self) -> float:
        """Its length, up to now at most."""
        return max((min(self.until, timezone.now()) - self.since).total_seconds() / 3600, 1 / 60)

    @property
    def places(self) -> list[datetime]:
        """When each of its hours or days begins."""
        step = timedelta(hours=1) if self.grain == "h" else timedelta(days=1)
        return [self.since + i * step for i in range(int((self.until - self.since) / step))]


@dataclass(frozen=True, slots=True)
class Sum:
    """So many, and what they come to together."""

    n: int = 0
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose figures: workflows (None: all there are), and within them a step or an agent."""

    workflows: tuple[int, ...] | None
    step: str = ""
    agent: str = ""


def span_of(name: str, *, now: datetime | None = None) -> Span:
    """A span by its name; of an unknown one the usual."""
    name = name if name in SPANS else USUAL
    days, grain, _words = SPANS[name]
    now = (now or timezone.now()).astimezone(UTC)
    if grain == "h":
        until = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    else:
        until = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return Span(name, until - timedelta(days=days), until, grain)


def scope_of(user: User, *, workflow: Workflow | None = None, step: str = "", agent: str = "") -> Scope:
    """What the user may see of it: one workflow, or all of theirs."""
    if workflow is not None:
        return Scope((workflow.pk,), step, agent)
    if permissions.can(user, "see_runs"):
        return Scope(None, step, agent)
    return Scope(tuple(permissions.visible_workflows(user).values_list("pk", flat=True)), step, agent)


def sums(names: Sequence[str], span: Span, scope: Scope) -> dict[str, Sum]:
    """Of each name, all of it. What nothing was counted of is 0."""
    found = {name: Sum(n, float(total)) for name, n, total in _rows(names, (), span, scope)}
    return {name: found.get(name, Sum()) for name in names}


def sums_by(names: Sequence[str], by: str, span: Span, scope: Scope) -> dict[Any, dict[str, Sum]]:
    """The same for each value of a dimension."""
    found: dict[Any, dict[str, Sum]] = defaultdict(lambda: dict.fromkeys(names, Sum()))
    for name, key, n, total in _rows(names, (by,), span, scope):
        found[key][name] = Sum(n, float(total))
    return dict(found)


def spreads(names: Sequence[str], span: Span, scope: Scope) -> dict[str, Spread]:
    """The times of each name."""
    found: dict[str, tuple[dict[int, int], list[float]]] = {name: ({}, []) for name in names}
    for name, bucket, n, total in _rows(names, ("bucket",), span, scope):
        found[name][0][bucket] = n
        found[name][1].append(float(total))
    return {name: Spread(counts, sum(totals)) for name, (counts, totals) in found.items()}


def spreads_by(names: Sequence[str], by: Sequence[str], span: Span, scope: Scope) -> dict[Any, dict[str, Spread]]:
    """The same for each value of one dimension, or each tuple of several."""
    counts: dict[Any, dict[str, dict[int, int]]] = defaultdict(lambda: {name: {} for name in names})
    totals: dict[Any, dict[str, float]] = defaultdict(lambda: dict.fromkeys(names, 0.0))
    for name, *keys, bucket, n, total in _rows(names, (*by, "bucket"), span, scope):
        key = keys[0] if len(keys) == 1 else tuple(keys)
        counts[key][name][bucket] = n
        totals[key][name] += float(total)
    return {key: {name: Spread(one[name], totals[key][name]) for name in names} for key, one in counts.items()}


def _rows(names: Sequence[str], by: Sequence[str], span: Span, scope: Scope) -> list[tuple[Any, ...]]:
    return db.sums(
        names, by=by, grain=span.grain, since=span.since, until=span.until,
        workflows=scope.workflows, step=scope.step, agent=scope.agent,
    )  # fmt: skip
