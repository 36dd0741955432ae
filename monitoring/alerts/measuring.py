"""Measures what stands at this moment: gates, lanes, budgets, workers, silence. Each look is a few short index scans.

None counts a table that grows with history: what is open, ready, live or not sealed is all that is looked at.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Count, Min, Q, Sum
from django.db.models.functions import TruncHour
from django.utils import timezone

from agents.lifecycle import targets
from agents.models import Agent, AgentHealth, QualityTarget
from approvals.models import Gate, GateStatus
from monitoring.alerts import db, store
from monitoring.alerts.inputs import HOUR, MINUTE
from monitoring.alerts.store import Amounts, Key
from monitoring.models import Outlet
from orchestrator import presence
from orchestrator.models import Breaker, Budget, Event, LedgerEntry, Shift

DEEPEST: Final = 10_000
MOST_BUDGETS: Final = 1_000
_STARTED: Final = timezone.now()  # a stack that was down seals first what had been left: that is no lag


def measure(now: datetime) -> dict[Key, Amounts]:
    """Everything that is measured at a moment, by what it is measured of."""
    # Workers that start, or start again, take up what waits within their lease.
    depths = db.depths(late=now - timedelta(seconds=settings.LEASE_SECONDS), most=DEEPEST)
    return {
        **_system(now, late=sum(depth.late for depth in depths.values())),
        **{("lane", name): {"depth": float(depth.ready)} for name, depth in depths.items()},
        **_queues(now),
        **_budgets(),
        **_agents(),
    }


def _system(now: datetime, *, late: int) -> dict[Key, Amounts]:
    sealed = LedgerEntry.objects.order_by("-pos").values_list("event_id", flat=True).first() or 0
    oldest = Event.objects.filter(pk__gt=sealed).order_by("pk").values_list("at", flat=True).first()
    lag = max(0.0, (now - max(oldest, _STARTED)).total_seconds()) if oldest else 0.0
    workers = Shift.objects.filter(ended_at=None, lease_until__gt=now).count()
    return {("system", ""): {"lag_s": lag, "workers": float(workers), "ready": float(late), **_outlets(now)}}


def _outlets(now: datetime) -> dict[str, float]:
    """For how long the outlet that has failed the longest has done so."""
    if not settings.OUTLETS:
        return {}
    since = Outlet.objects.filter(pk__in=settings.OUTLETS).aggregate(since=Min("failing_since"))["since"]
    return {"export_failing_s": (now - since).total_seconds() if since else 0.0}


def _queues(now: datetime) -> dict[Key, Amounts]:
    """Along the index of the inbox. Approved gates that only wait to go out need nobody."""
    waiting = Gate.objects.filter(status=GateStatus.OPEN, releases_at=None).order_by()
    overdue = Count("pk", filter=Q(deadline_at__lte=now))
    grave = Count("pk", filter=Q(risk="critical", approvals__gt=1))
    found = waiting.values_list("queue__name")
    rows = found.annotate(count=Count("pk"), late=overdue, grave=grave, since=Min("opened_at"))
    return {
        ("queue", name): {
            "open": float(count), "overdue": float(late), "grave": float(gravest),
            "oldest_s": (now - since).total_seconds(),
        }
        for name, count, late, gravest, since in rows
    }  # fmt: skip


def _budgets() -> dict[Key, Amounts]:
    """The standing ones, along their unique index. A run's own budget is a number of the run (`runs`)."""
    standing = [Budget.Scope.AGENT, Budget.Scope.WORKFLOW, Budget.Scope.TEAM]
    rows = Budget.objects.filter(scope__in=standing, spent__gt=0, limit__gt=0).order_by()
    return {
        ("budget", str(pk)): {"used": spent / limit}
        for pk, spent, limit in rows.values_list("pk", "spent", "limit")[:MOST_BUDGETS]
    }


def _agents() -> dict[Key, Amounts]:
    found: dict[Key, dict[str, float]] = defaultdict(dict)
    names = dict(Agent.objects.filter(pk__in=presence.silent_since()).values_list("pk", "name"))
    for name in names.values():
        found["agent", name]["silent"] = 1.0
    broken = Breaker.objects.exclude(state=Breaker.State.CLOSED).values_list("agent__name", flat=True)
    for name in broken:
        found["agent", name]["broken"] = 1.0
    return dict(found)


def against_targets() -> dict[Key, Amounts]:
    """What agents came to, as last measured, beside what is asked of them: where there is enough work to prove it.

    Kept as what is wrong, so that of a minute's and an hour's numbers the worst stays.
    """
    rows = QualityTarget.objects.exclude(measured={}).select_related("agent")
    found = {
        ("agent", row.agent.name): _told([one for one in targets.held(row) if one.status != "unproven"]) for row in rows
    }
    return {key: numbers for key, numbers in found.items() if numbers}


def _told(proven: list[targets.Held]) -> Amounts:
    if not proven:
        return {}
    numbers = {"missed": float(sum(one.status == "missed" for one in proven))}
    for one in proven:
        actual = one.actual or 0.0
        match one.measure:
            case "accuracy":
                numbers |= {"inaccuracy": 1.0 - actual, "accuracy_target": one.target}
            case "success":
                numbers |= {"unsuccess": 1.0 - actual, "success_target": one.target}
            case "p95_ms":
                numbers |= {"p95_ms": actual, "p95_target_ms": one.target}
    return numbers


def copy_health(now: datetime, *, minutes: int = 2) -> set[Key]:
    """Take over agents' calls, which shifts add up themselves: the last minutes, and the hours that they lie in."""
    first = now.replace(second=0, microsecond=0) - timedelta(minutes=minutes - 1)
    names = dict(Agent.objects.values_list("pk", "name"))
    rows = AgentHealth.objects.filter(agent_id__in=list(names), minute__gte=first).order_by()
    fresh: dict[Key, dict[datetime, dict[str, float]]] = defaultdict(dict)
    for agent, minute, calls, failures, ms in rows.values_list("agent", "minute", "calls", "failures", "total_ms"):
        fresh["agent", names[agent]][minute] = _calls(calls, failures, ms)
    store.put(MINUTE, fresh)
    if fresh:
        _copy_hours({pk for pk, name in names.items() if ("agent", name) in fresh}, names, since=first)
    return set(fresh)


def _copy_hours(agents: Iterable[int], names: dict[int, str], *, since: datetime) -> None:
    hour = since.replace(minute=0)
    rows = AgentHealth.objects.filter(agent_id__in=list(agents), minute__gte=hour).order_by()
    whole: dict[Key, dict[datetime, dict[str, float]]] = defaultdict(dict)
    by_hour = rows.annotate(hour=TruncHour("minute", tzinfo=UTC)).values_list("agent", "hour")
    for agent, at, calls, failures, ms in by_hour.annotate(Sum("calls"), Sum("failures"), Sum("total_ms")):
        whole["agent", names[agent]][at] = _calls(calls, failures, ms)
    store.put(HOUR, whole)


def _calls(calls: int, failures: int, ms: float) -> dict[str, float]:
    return {"calls": float(calls), "failures": float(failures), "ms": float(ms)}
