"""How agents stand: in service or held, by whom and why; when heard; what they have in hand; and who works outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db.models import Count, Max, Min, Q, QuerySet
from django.utils import timezone

from agents.adapters import external
from agents.health import Health, health_by_agent
from agents.models import Agent, AgentVersion
from orchestrator import presence
from orchestrator.engine import remote
from orchestrator.models import Breaker, Presence, RemoteCall, Shift, Stop, Task
from orchestrator.states import TaskStatus

WORKERS: Final = 200  # on the page
CALLS: Final = 200
SHOWN: Final = 50  # agents named as terminated or silent on the list


@dataclass(frozen=True, slots=True)
class InHand:
    """What an agent has to do now."""

    running: int = 0
    ready: int = 0
    outside: int = 0  # calls that wait for an answer from outside
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """One agent as it stands."""

    agent: Agent
    state: str  # in_service, paused, stopped, terminated, out_of_service or silent
    health: Health
    heard_at: datetime | None  # its heartbeat: its workers', or for agents that run here, their workers'
    in_hand: InHand
    stop: Stop | None = None
    silent_since: datetime | None = None
    workers: int = 0  # external, heard within their bound


def standing_of(agent: Agent) -> Standing:
    """Read now."""
    stop = Stop.objects.select_related("stopped_by").filter(scope="agent", ref=agent.pk, lifted_at=None).first()
    silent = presence.silent_since([agent.pk]).get(agent.pk)
    own = Presence.objects.filter(agent=agent)
    return Standing(
        agent=agent,
        state=_state(agent, stop, silent),
        health=health_by_agent([agent.pk])[agent.pk],
        heard_at=_heard_at(agent, own.aggregate(at=Max("heard_at"))["at"]),
        in_hand=_in_hand(agent),
        stop=stop,
        silent_since=silent,
        workers=own.filter(silent_since=None, heard_at__gte=timezone.now() - presence.bound()).count(),
    )


def _state(agent: Agent, stop: Stop | None, silent: datetime | None) -> str:
    if stop is not None:
        return "terminated" if stop.retires else "paused" if stop.lets_finish else "stopped"
    if Breaker.objects.filter(agent=agent).exclude(state=Breaker.State.CLOSED).exists():
        return "out_of_service"
    return "silent" if silent else "in_service"


def _heard_at(agent: Agent, by_workers: datetime | None) -> datetime | None:
    if by_workers is not None or _is_external(agent):
        return by_workers
    newest = Shift.objects.order_by("-pk").values_list("pk", flat=True)[: settings.SHIFTS]
    renewed = Shift.objects.filter(pk__in=list(newest)).order_by("-renewed_at")
    return renewed.values_list("renewed_at", flat=True).first()


def _is_external(agent: Agent) -> bool:
    return AgentVersion.objects.filter(agent=agent, kind=external.KIND).exists()


def _in_hand(agent: Agent) -> InHand:
    waits = Q(status=TaskStatus.WAITING)
    found = Task.objects.filter(agent=agent).exclude(status__in=("succeeded", "skipped", "failed", "cancelled"))
    counts = found.order_by().aggregate(
        running=Count("pk", filter=Q(status=TaskStatus.RUNNING)),
        ready=Count("pk", filter=Q(status=TaskStatus.READY)),
        outside=Count("pk", filter=waits & Q(wait_for=remote.WAITS)),
        retries=Count("pk", filter=waits & Q(wait_for="retry")),
    )
    return InHand(**counts)


def terminated() -> list[tuple[Agent, Stop]]:
    """Terminations in force, the newest first."""
    found = Stop.objects.select_related("stopped_by").filter(retires=True, lifted_at=None).order_by("-pk")[:SHOWN]
    agents = Agent.objects.in_bulk([stop.ref for stop in found if stop.ref is not None])
    return [(agents[stop.ref], stop) for stop in found if stop.ref in agents]


def silent() -> list[tuple[Agent, datetime]]:
    """Agents for whose work nobody is heard of, the longest silence first."""
    since = sorted(presence.silent_since().items(), key=lambda one: one[1])[:SHOWN]
    agents = Agent.objects.in_bulk([pk for pk, _at in since])
    return [(agents[pk], at) for pk, at in since if pk in agents]


# Workers outside


@dataclass(frozen=True, slots=True)
class Outside:
    """One external worker of one agent."""

    presence: Presence
    holds: int
    oldest_at: datetime | None  # since when it has the oldest of them
    lease_until: datetime | None  # the first lease to end

    @property
    def state(self) -> str:
        """The word for it: whether it was heard within its bound, and whether it has work."""
        if self.presence.silent_since or self.presence.heard_at < timezone.now() - presence.bound():
            return "silent"
        return "running" if self.holds else "idle"


def workers() -> list[Outside]:
    """External workers and remote agents, those that are silent first, then by agent."""
    rows = list(Presence.objects.select_related("agent", "holder").order_by("-heard_at")[:WORKERS])
    held = {
        (agent, holder, worker): facts
        for agent, holder, worker, *facts in _open()
        .filter(leased_at__isnull=False, pulled=True)
        .order_by()
        .values_list("agent_id", "holder_id", "worker")
        .annotate(count=Count("pk"), oldest=Min("leased_at"), lease=Min("lease_until"))
    }
    found = []
    for row in rows:
        holds, oldest, lease = held.get((row.agent_id, row.holder_id, row.worker), (0, None, None))
        found.append(Outside(row, holds, oldest, lease))
    return sorted(found, key=lambda one: (one.state != "silent", one.presence.agent.name, one.presence.worker))


def calls() -> Sequence[RemoteCall]:
    """Calls that wait for an answer from outside: those that somebody has, then those that nobody has fetched."""
    found = _open().select_related("agent", "task__run__workflow", "holder")
    return list(found.order_by("lease_until", "due_at", "pk")[:CALLS])


def call_of(task: Task) -> RemoteCall | None:
    """The open call of a task that waits for an answer."""
    if task.wait_for != remote.WAITS:
        return None
    return _open().select_related("holder", "agent").filter(task_id=task.pk, attempt=task.attempt).first()


def _open() -> QuerySet[RemoteCall]:
    return RemoteCall.objects.filter(answered_at=None, ended_at=None)
