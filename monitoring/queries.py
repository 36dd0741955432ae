"""What the watch floor and the shell show. Every query is bounded: none counts a table that grows with history."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.auth.models import User
from django.db.models import Count, Min, Q, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agents.health import Health, health_by_agent, per_minute
from agents.models import Agent, AgentHealth
from approvals import permissions
from approvals.able import checks
from approvals.models import Decision, Gate, GateStatus
from orchestrator import presence
from orchestrator.models import Breaker, Run, Stop, Task, Workflow, task_id
from orchestrator.states import RUN_LIVE, RunStatus, TaskStatus

LIVE: Final = tuple(sorted(RUN_LIVE))
MINUTES: Final = 60
LATEST: Final = 1_000  # "finished today" and the bars of live work look at this many runs, the newest
COUNTED: Final = 10_000  # what is counted one by one is counted up to here


@dataclass(frozen=True, slots=True)
class StopInForce:
    """A stop that has not been lifted, in words."""

    pk: int
    what: str
    by: str
    at: datetime
    reason: str
    effect: str
    may_lift: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for people, in the queues that the viewer may see."""

    count: int
    oldest_at: datetime | None
    next_deadline_at: datetime | None
    overdue: int


@dataclass(frozen=True, slots=True)
class Finished:
    """Runs that ended today. `capped`: there were more, and the rest is said of `seen`, the last to end."""

    count: int
    seen: int
    failed: int
    without_person: int
    capped: bool

    @property
    def counts(self) -> list[tuple[str, int]]:
        """The parts of the tile's bar."""
        return [
            ("good", self.without_person),
            ("waiting", self.seen - self.without_person - self.failed),
            ("failed", self.failed),
        ]


@dataclass(frozen=True, slots=True)
class Flow:
    """One workflow's live runs, and the tasks of those among them that were looked at."""

    pk: int
    title: str
    name: str
    runs: int
    paused: int
    queued: int
    done: int
    running: int
    people: int
    retries: int
    failed: int
    rest: int

    @property
    def waiting(self) -> int:
        """Tasks that wait for a person or for another try."""
        return self.people + self.retries

    @property
    def counts(self) -> list[tuple[str, int]]:
        """The parts of the progress bar."""
        parts = [("good", self.done), ("running", self.running), ("waiting", self.waiting), ("failed", self.failed)]
        return [*parts, ("idle", self.rest)]

    @property
    def total(self) -> int:
        """Tasks of the live runs."""
        return self.done + self.running + self.waiting + self.failed + self.rest

    @property
    def is_partial(self) -> bool:
        """Whether there are more live runs than the bar tells of."""
        return self.runs > LATEST


@dataclass(frozen=True, slots=True)
class AgentState:
    """One agent's last minutes."""

    name: str
    title: str
    status: str
    per_minute: float
    failure_share: float | None


@dataclass(slots=True)
class Pulse:
    """Calls to agents, minute by minute over the last hour, and each agent's last five minutes."""

    calls: list[int] = field(default_factory=lambda: [0] * MINUTES)
    failures: list[int] = field(default_factory=lambda: [0] * MINUTES)
    agents: list[AgentState] = field(default_factory=list)

    @property
    def per_minute(self) -> float:
        """How fast agents were called in the last five minutes, or in this one if there is none before."""
        return per_minute(self.calls[-6:])

    @property
    def busy(self) -> list[AgentState]:
        """Those that were called lately, or that something holds."""
        return [agent for agent in self.agents if agent.status != "idle"]

    @property
    def idle(self) -> list[AgentState]:
        """Those of which nothing is to be said."""
        return [agent for agent in self.agents if agent.status == "idle"]

    @property
    def whole(self) -> list[int]:
        """The minutes for a line: without this one, which would always end it in a fall, unless it is alone."""
        return self.calls[:-1] if any(self.calls[:-1]) else self.calls

    @property
    def is_quiet(self) -> bool:
        """Whether nothing was called in the last five minutes."""
        return not any(self.calls[-6:])

    @property
    def in_hour(self) -> int:
        """Calls of the last hour."""
        return sum(self.calls)

    @property
    def failure_share(self) -> float | None:
        """The share of failed calls in the last hour."""
        return sum(self.failures) / self.in_hour if self.in_hour else None


def running_count(user: User) -> int:
    """How many runs are live, among those the user may see; no further than it is worth counting."""
    return _live_runs(user).order_by().values("pk")[:COUNTED].count()


def stops_in_force(*, may_lift: bool) -> list[StopInForce]:
    """Every stop that has not been lifted, newest first."""
    # Who is terminated is no emergency that every page has to tell of: the agents' pages do.
    stops = list(_wide_stops().filter(retires=False).select_related("stopped_by").order_by("-id")[:20])
    workflows = Workflow.objects.in_bulk([stop.ref for stop in stops if stop.scope == Stop.Scope.WORKFLOW])
    agents = Agent.objects.in_bulk([stop.ref for stop in stops if stop.scope == Stop.Scope.AGENT])
    found = []
    for stop in stops:
        names: Mapping[int, Any] = workflows if stop.scope == Stop.Scope.WORKFLOW else agents
        by = stop.stopped_by.get_full_name() or stop.stopped_by.username if stop.stopped_by else _("engine")
        what = _stopped(stop, names)
        found.append(StopInForce(stop.pk, what, by, stop.stopped_at, stop.reason, effect_words(stop.effect), may_lift))
    return found


def effect_words(effect: Mapping[str, Any]) -> str:
    """What a stop did, as measured; empty before the first shift has answered."""
    parts = []
    if (returned := effect.get("returned")) is not None:
        words = ngettext("%(count)s task returned", "%(count)s tasks returned", returned)
        parts.append(words % {"count": f"{returned:,}"})
    if (last_start := effect.get("last_start_ms")) is not None:
        late = _("last start after %(ms).0f ms") % {"ms": last_start}
        parts.append(late if last_start > 0 else _("nothing started after it"))
    if (cancelled := effect.get("all_cancelled_ms")) is not None:
        parts.append(_("all cancelled after %(ms).0f ms") % {"ms": cancelled})
    return " · ".join(parts)


def waiting(user: User) -> Waiting:
    """The tile "waiting for people"."""
    now = timezone.now()
    found = Gate.objects.filter(status=GateStatus.OPEN, releases_at=None, queue__in=_queue_ids(user)).aggregate(
        count=Count("pk"),
        oldest_at=Min("opened_at"),
        next_deadline_at=Min("deadline_at", filter=Q(deadline_at__gt=now)),
        overdue=Count("pk", filter=Q(deadline_at__lte=now)),
    )
    found["count"] += len(checks.open_before(user))  # before them alone; see docs/reviewers.md
    return Waiting(**found)


def finished_today(user: User) -> Finished:
    """The tile "finished today", along the index of ended runs; who decided is asked of the last ones only."""
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    ended = Run.objects.filter(ended_at__gte=midnight, workflow__in=_workflow_ids(user)).order_by("-ended_at")
    seen = dict(ended.values_list("pk", "status")[:LATEST])
    decided = Decision.objects.filter(decided_by__isnull=False, gate__run__in=list(seen)).order_by()
    people = set(decided.values_list("gate__run_id", flat=True))
    failed = sum(status == RunStatus.FAILED for status in seen.values())
    alone = sum(status != RunStatus.FAILED and pk not in people for pk, status in seen.items())
    count = len(seen)
    if count == LATEST:
        count = ended.values("pk")[:COUNTED].count()
    return Finished(count, len(seen), failed, alone, capped=count == COUNTED)


def flows(user: User) -> list[Flow]:
    """Live work by workflow, the busiest first: runs counted along an index, tasks summed over the newest runs."""
    live = _live_runs(user).order_by()
    runs: dict[int, dict[str, int]] = defaultdict(dict)
    for workflow, status, count in live.values_list("workflow_id", "status").annotate(count=Count("pk")):
        runs[workflow][status] = count
    first = _latest(live) if sum(sum(counts.values()) for counts in runs.values()) > LATEST else 0
    newest = live.filter(pk__gte=first).values("workflow_id")
    sums = newest.annotate(all_tasks=Sum("total"), left=Sum("remaining"), lost=Sum("failed"))
    by_workflow: dict[int, Mapping[str, Any]] = {row["workflow_id"]: row for row in sums}
    live_tasks = _live_tasks(first)
    workflows = Workflow.objects.only("name", "title").in_bulk(list(runs))
    found = [
        _flow(workflows[pk], counts, by_workflow.get(pk, _NO_TASKS), live_tasks[pk]) for pk, counts in runs.items()
    ]
    return sorted(found, key=lambda flow: (-flow.runs, flow.title))


def together(found: Sequence[Flow]) -> Flow:
    """All live work as one."""
    sums = {name: sum(getattr(flow, name) for flow in found) for name in _SUMMED}
    return Flow(pk=0, title="", name="", **sums)


def pulse() -> Pulse:
    """The last hour of all agents together, and each one's last minutes."""
    first = timezone.now().replace(second=0, microsecond=0) - timedelta(minutes=MINUTES - 1)
    agents = list(Agent.objects.order_by("name").only("pk", "name", "title")[:500])
    ids = [agent.pk for agent in agents]
    minutes = AgentHealth.objects.filter(agent_id__in=ids, minute__gte=first).order_by().values_list("minute")
    found = Pulse()
    for minute, calls, failures in minutes.annotate(all_calls=Sum("calls"), all_failures=Sum("failures")):
        index = int((minute - first).total_seconds() // 60)
        if 0 <= index < MINUTES:
            found.calls[index], found.failures[index] = calls, failures
    health = health_by_agent(ids)
    held = dict.fromkeys(
        Breaker.objects.exclude(state=Breaker.State.CLOSED).values_list("agent", flat=True), "out_of_service"
    )
    held |= dict.fromkeys(presence.silent_since(), "silent")
    held |= dict.fromkeys(_stopped_agents(), "stopped")
    found.agents = [_agent_state(agent, health[agent.pk], held=held.get(agent.pk, "")) for agent in agents]
    found.agents.sort(key=lambda state: (_ORDER[state.status], -state.per_minute, state.name))
    return found


_SUMMED: Final = ("runs", "paused", "queued", "done", "running", "people", "retries", "failed", "rest")
_NO_TASKS: Final = {"all_tasks": 0, "left": 0, "lost": 0}
_ORDER: Final = {"stopped": 0, "silent": 1, "out_of_service": 1, "failing": 2, "degraded": 3, "healthy": 4, "idle": 5}


def _agent_state(agent: Agent, health: Health, *, held: str) -> AgentState:
    return AgentState(
        name=agent.name,
        title=agent.title,
        status=held or health.status,
        per_minute=health.per_minute,
        failure_share=health.failure_share,
    )


def _stopped_agents() -> set[int]:
    stops = list(_wide_stops().exclude(scope=Stop.Scope.WORKFLOW).values_list("scope", "ref"))
    if any(scope == Stop.Scope.EVERYTHING for scope, _ref in stops):
        return set(Agent.objects.values_list("pk", flat=True))
    return {ref for _scope, ref in stops if ref is not None}


def _flow(
    workflow: Workflow, runs: Mapping[str, int], sums: Mapping[str, Any], tasks: Mapping[tuple[str, str], int]
) -> Flow:
    running = tasks[TaskStatus.RUNNING, ""]
    people, retries = tasks[TaskStatus.WAITING, "gate"], tasks[TaskStatus.WAITING, "retry"]
    return Flow(
        pk=workflow.pk,
        title=workflow.title,
        name=workflow.name,
        runs=sum(runs.values()),
        paused=runs.get(RunStatus.PAUSED, 0),
        queued=runs.get(RunStatus.PENDING, 0),
        done=max(sums["all_tasks"] - sums["left"] - sums["lost"], 0),
        running=running,
        people=people,
        retries=retries,
        failed=sums["lost"],
        rest=max(sums["left"] - running - people - retries, 0),
    )


def _live_tasks(first_run: int) -> dict[int, Counter[tuple[str, str]]]:
    """Tasks at work or waiting, by workflow, status and what for; along partial indexes that hold only these."""
    found: dict[int, Counter[tuple[str, str]]] = defaultdict(Counter)
    for status in (TaskStatus.RUNNING, TaskStatus.WAITING):
        tasks = Task.objects.filter(status=status, id__gte=task_id(first_run, 0)).order_by()
        for workflow, wait_for, count in tasks.values_list("workflow_id", "wait_for").annotate(count=Count("pk")):
            found[workflow][status, wait_for] = count
    return found


def _latest(live: QuerySet[Run]) -> int:
    """Where the newest live runs begin. Asked only if there are enough: else all of history would be searched."""
    return live.order_by("-pk").values_list("pk", flat=True)[LATEST - 1 : LATEST].first() or 0


def _live_runs(user: User) -> QuerySet[Run]:
    return Run.objects.filter(status__in=LIVE, workflow__in=_workflow_ids(user))


def _wide_stops() -> QuerySet[Stop]:
    """Stops and pauses that concern more than one run; those of a step or a run are shown on the run's page."""
    return Stop.objects.filter(lifted_at=None).exclude(scope__in=[Stop.Scope.RUN, Stop.Scope.TASK])


def _stopped(stop: Stop, names: Mapping[int, Any]) -> str:
    if stop.scope == Stop.Scope.EVERYTHING:
        return _("Everything is paused") if stop.lets_finish else _("Everything is stopped")
    named = names.get(stop.ref or 0)
    if stop.scope == Stop.Scope.WORKFLOW:
        words = _("Workflow %(name)s is paused") if stop.lets_finish else _("Workflow %(name)s is stopped")
        return words % {"name": named.title if named else stop.ref}
    words = _("Agent %(name)s is paused") if stop.lets_finish else _("Agent %(name)s is stopped")
    return words % {"name": named.name if named else stop.ref}


def _workflow_ids(user: User) -> list[int]:
    return list(permissions.visible_workflows(user).order_by().values_list("pk", flat=True))


def _queue_ids(user: User) -> list[int]:
    return list(permissions.visible_queues(user).order_by().values_list("pk", flat=True))
