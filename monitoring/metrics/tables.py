"""The tables below the tiles: by workflow, agent, pattern and team; where time goes; golden signals. Bounded."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.auth.models import Group
from django.db.models import Count, DurationField, ExpressionWrapper, F, Min, Sum
from django.db.models.functions import Coalesce, Greatest, Least
from django.utils import timezone

from agents.models import ModelCall, ToolUse
from approvals.able.figures import Rate
from monitoring.metrics import reading
from monitoring.metrics.kpis import TRIES
from monitoring.metrics.reading import RUN_ENDS, Scope, Span
from monitoring.metrics.reading import Sum as Counted
from monitoring.metrics.spreads import FEWEST, Spread
from orchestrator.models import PatternChoice, Shift, Task, Workflow, WorkflowVersion
from orchestrator.states import TaskStatus
from orchestrator.workflow_queries import latency_budgets

MOST_ROWS: Final = 100
MOST_COUNTED: Final = 10_000
SIGNALS: Final = (*RUN_ENDS, "run_started", "alone", "cost", "tokens", *TRIES, "overridden", "gate_opened")
IDLE_BELOW: Final = 0.05  # calls at once per worker process, over the span: the pool has little to do
ALLOWED_OVER: Final = 0.05  # of tries over their step's budget: then its 95th percentile is over it
FULL_ABOVE: Final = 0.8  # of its capacity


@dataclass(slots=True)
class Row:
    """One workflow, pattern or team."""

    key: str
    title: str
    counts: Mapping[str, Counted]
    times: Mapping[str, Spread] = field(default_factory=dict)
    workflows: int = 1

    @property
    def ended(self) -> int:
        """Runs that ended."""
        return sum(self.counts[name].n for name in RUN_ENDS)

    @property
    def well(self) -> Rate:
        """Of them with a result."""
        return Rate(self.counts["run_succeeded"].n + self.counts["run_partial"].n, self.ended)

    @property
    def alone(self) -> Rate:
        """Of them that needed nobody."""
        return Rate(self.counts["alone"].n, self.ended)

    @property
    def tries(self) -> Rate:
        """Of tries that succeeded."""
        return Rate(self.counts["try_succeeded"].n, sum(self.counts[name].n for name in TRIES))

    @property
    def is_said(self) -> bool:
        """Whether shares of runs are said."""
        return self.ended >= FEWEST

    @property
    def says_tries(self) -> bool:
        """Whether shares of tries are said."""
        return self.tries.n >= FEWEST

    @property
    def per_call(self) -> float | None:
        """Money of one call."""
        paid = self.counts["cost"]
        return paid.total / paid.n if paid.n else None

    @property
    def spread(self) -> Spread:
        """Start to result."""
        return self.times.get("completion", Spread())


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """One step, and the time that it took in all: for a worker (queue), of a worker (work), for people (human)."""

    workflow: Workflow | None
    step: str
    queue: Spread
    work: Spread
    human: Spread
    share: float = 0.0  # of all time of all steps
    budget_ms: float = 0.0  # in which 95 of 100 tries are to be done, as the current version says; 0: it does not

    @property
    def is_over(self) -> bool:
        """Whether the 95th percentile of its tries is surely over that, and enough of them speak."""
        return bool(self.budget_ms) and self.work.n >= FEWEST and self.over_share > ALLOWED_OVER

    @property
    def over_share(self) -> float:
        """The share of tries that surely took longer: whose whole bucket lies beyond."""
        return self.work.beyond(self.budget_ms) / self.work.n if self.work.n else 0.0

    @property
    def machine_ms(self) -> float:
        """Wait and work together."""
        return self.queue.total + self.work.total

    @property
    def total_ms(self) -> float:
        """All of it."""
        return self.machine_ms + self.human.total

    @property
    def parts(self) -> list[tuple[str, float]]:
        """As a bar's parts, in seconds."""
        return [("idle", self.queue.total), ("running", self.work.total), ("waiting", self.human.total)]


def by_workflow(span: Span, scope: Scope) -> list[Row]:
    """Each workflow with anything to say, the busiest first."""
    counts = reading.sums_by(SIGNALS, "workflow", span, scope)
    times = reading.spreads_by(("completion", "queue", "work", "human"), ("workflow",), span, scope)
    named = Workflow.objects.only("name", "title").in_bulk([pk for pk in counts if pk])
    rows = [Row(named[pk].name, named[pk].title, one, times.get(pk, {})) for pk, one in counts.items() if pk in named]
    return _busiest(rows)


def by_agent(span: Span, scope: Scope) -> list[Row]:
    """Each agent, the busiest first: tries, work, money."""
    counts = reading.sums_by(SIGNALS, "agent", span, scope)
    times = reading.spreads_by(("work", "queue"), ("agent",), span, scope)
    rows = [Row(name, name, one, times.get(name, {})) for name, one in counts.items() if name]
    return sorted(rows, key=lambda row: (-row.tries.n, row.key))[:MOST_ROWS]


def by_pattern(span: Span, scope: Scope) -> list[Row]:
    """Workflows put together by the pattern that people chose, or else the one that their definition names."""
    rows = by_workflow(span, scope)
    patterns = patterns_of(row.key for row in rows)
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[patterns.get(row.key, "")].append(row)
    return _busiest([_joined(name, together) for name, together in groups.items()])


def by_team(span: Span, scope: Scope) -> list[Row]:
    """By who pays: the team of whoever started a run, or else of its workflow's owner."""
    counts = reading.sums_by(SIGNALS, "team", span, scope)
    times = reading.spreads_by(("completion",), ("team",), span, scope)
    named = Group.objects.in_bulk([pk for pk in counts if pk])
    return _busiest(
        [
            Row(str(pk), named[pk].name if pk in named else "", one, times.get(pk, {}))
            for pk, one in counts.items()
            if any(one[name].n for name in (*RUN_ENDS, "run_started", "cost"))
        ]
    )


def patterns_of(names: Iterable[str]) -> dict[str, str]:
    """Each workflow's pattern: the newest choice, or the first step of its current version that is a pattern."""
    wanted = list(names)
    chosen = PatternChoice.objects.filter(workflow__name__in=wanted).order_by("workflow_id", "-id")
    found = dict(chosen.distinct("workflow_id").values_list("workflow__name", "pattern"))
    rest = [name for name in wanted if name not in found]
    plans = WorkflowVersion.objects.filter(workflow__name__in=rest, workflow__current_version=F("pk"))
    for name, steps in plans.values_list("workflow__name", "plan__steps"):
        pattern = next((step.get("pattern") for step in steps or () if step.get("kind") == "pattern"), None)
        if isinstance(pattern, dict):
            pattern = pattern.get("name")
        if isinstance(pattern, str) and pattern:
            found[name] = pattern
    return found


def bottlenecks(span: Span, scope: Scope) -> list[Bottleneck]:
    """Steps by the time that they took in all, the longest first."""
    found = reading.spreads_by(("queue", "work", "human"), ("workflow", "step"), span, scope)
    named = Workflow.objects.only("name", "title", "current_version").in_bulk([pk for pk, _step in found if pk])
    rows = [
        Bottleneck(named.get(workflow), step, one["queue"], one["work"], one["human"])
        for (workflow, step), one in found.items()
        if step
    ]
    whole = sum(row.total_ms for row in rows) or 1.0
    rows.sort(key=lambda row: (-row.total_ms, row.step))
    budgets = latency_budgets(row.workflow for row in rows[:MOST_ROWS] if row.workflow)
    return [
        replace(row, share=row.total_ms / whole, budget_ms=budgets.get((getattr(row.workflow, "pk", 0), row.step), 0.0))
        for row in rows[:MOST_ROWS]
    ]


@dataclass(frozen=True, slots=True)
class Saturation:
    """What is ready and waits for a worker now. `capped`: there is more."""

    ready: int
    oldest_at: datetime | None
    running: int

    @property
    def capped(self) -> bool:
        """Whether counting stopped."""
        return max(self.ready, self.running) >= MOST_COUNTED


def saturation(workflow: Workflow) -> Saturation:
    """One workflow's ready and running tasks."""
    ready = Task.objects.filter(workflow=workflow, status=TaskStatus.READY).order_by()
    running = Task.objects.filter(workflow=workflow, status=TaskStatus.RUNNING).order_by()
    oldest = ready.values("ready_at")[:MOST_COUNTED].aggregate(at=Min("ready_at"))["at"]
    return Saturation(ready.values("pk")[:MOST_COUNTED].count(), oldest, running.values("pk")[:MOST_COUNTED].count())


@dataclass(frozen=True, slots=True)
class Utilisation:
    """Worker processes over the last day at most: how much they worked of how much they were there."""

    seconds: float  # that worker processes were there
    slots: float  # the same, times what they can do at once
    busy: float  # seconds of tries

    @property
    def at_once(self) -> float | None:
        """Calls under way at once in a worker process, on average."""
        return self.busy / self.seconds if self.seconds else None

    @property
    def share(self) -> float | None:
        """The share of capacity that was used."""
        return self.busy / self.slots if self.slots else None

    @property
    def advice(self) -> str:
        """`idle` or `full`, where the figures say so; empty otherwise."""
        if self.at_once is None or self.share is None:
            return ""
        if self.share > FULL_ABOVE:
            return "full"
        return "idle" if self.at_once < IDLE_BELOW else ""


def utilisation(*, now: datetime | None = None) -> Utilisation:
    """Over the last 24 hours, of all workflows together: workers are everybody's."""
    until = now or timezone.now()
    since = until - timedelta(hours=24)
    there = Shift.objects.filter(renewed_at__gt=since, started_at__lt=until).annotate(
        ends=Least(Coalesce("ended_at", "renewed_at"), until), begins=Greatest("started_at", since)
    )
    length = ExpressionWrapper(F("ends") - F("begins"), output_field=DurationField())
    slots = ExpressionWrapper((F("ends") - F("begins")) * F("capacity"), output_field=DurationField())
    found = there.aggregate(seconds=Sum(length), slots=Sum(slots))
    work = reading.spreads(("work",), reading.span_of("24h", now=until), Scope(None))["work"]
    return Utilisation(_seconds(found["seconds"]), _seconds(found["slots"]), work.total / 1000)


@dataclass(frozen=True, slots=True)
class Talk:
    """How agents and models communicate: messages, calls of models, calls of tools."""

    sent: int
    dead: int
    refused: int
    expired: int
    prompts: int
    tools: int
    tools_failed: int
    tries: int

    @property
    def prompts_per_try(self) -> float | None:
        """Model calls for each try of an agent."""
        return self.prompts / self.tries if self.tries >= FEWEST else None

    @property
    def tool_errors(self) -> Rate:
        """Calls of tools that failed."""
        return Rate(self.tools_failed, self.tools)

    @property
    def says_tools(self) -> bool:
        """Whether enough speak for a share of them."""
        return self.tools >= FEWEST

    @property
    def undelivered(self) -> Rate:
        """Messages that reached nobody."""
        return Rate(self.dead + self.refused + self.expired, self.sent)


def talk(span: Span) -> Talk:
    """Of everything together: messages and tools belong to agents, which work for all workflows."""
    kinds = ("message_sent", "message_dead_lettered", "message_refused", "message_expired")
    found = reading.sums((*kinds, *TRIES), span, Scope(None))
    tools = ToolUse.objects.filter(hour__gte=span.since, hour__lt=span.until).order_by()
    used = dict(tools.values_list("decision").annotate(n=Sum("calls")))
    prompts = ModelCall.objects.filter(at__gte=span.since, at__lt=span.until).aggregate(n=Count("pk"))["n"]
    sent, dead, refused, expired = (found[name].n for name in kinds)
    called = used.get("allowed", 0) + used.get("failed", 0)
    tries = sum(found[name].n for name in TRIES)
    return Talk(sent, dead, refused, expired, prompts, called, used.get("failed", 0), tries)


def _joined(pattern: str, rows: list[Row]) -> Row:
    counts = {
        name: Counted(sum(row.counts[name].n for row in rows), sum(row.counts[name].total for row in rows))
        for name in SIGNALS
    }
    spread = Spread()
    for row in rows:
        spread += row.spread
    return Row(pattern, pattern, counts, {"completion": spread}, len(rows))


def _busiest(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (-row.ended, row.title))[:MOST_ROWS]


def _seconds(value: Any) -> float:
    return value.total_seconds() if value is not None else 0.0
