"""`/metrics`: what is counted and what stands just now, in Prometheus' words, by a few short queries.

Everything comes from the database: each web process says the same, and none keeps figures of its own. The names of
`prompt_latency_seconds`, `tool_call_error_rate`, `memory_read_count`, `token_budget_remaining` and
`policy_violation_attempts` are those of the specification, letter by letter; all others begin with `watchkeeper_`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import timedelta
from math import ceil
from typing import Final

from django.conf import settings
from django.db.models import Count, Sum
from django.utils import timezone
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from agents.counted import BOUNDS, MEMORY_READS, PROMPT_SECONDS
from agents.models import Agent, Counted
from monitoring.alerts import measuring, store
from monitoring.alerts.inputs import share
from monitoring.models import Outlet
from monitoring.telemetry import business, tallies
from orchestrator import ledger
from orchestrator.models import Budget, Shift, Task, Workflow
from orchestrator.states import TaskStatus

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
WINDOW: Final = timedelta(minutes=10)  # of rates
MOST_BUDGETS: Final = 1_000
FULL: Final = 0.8  # of its capacity: more than that, and another worker is wanted
_BLOCKING_ROOM: Final = 8  # tasks that hold a thread, a worker: see ADR 7


def text() -> bytes:
    """All of it."""
    tallies.asked()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Everything())
    return generate_latest(registry)


class _Everything(Collector):
    def collect(self) -> Iterator[Metric]:
        """The families, in a fixed order."""
        yield from _calls(list(Counted.objects.order_by("name", "agent", "what", "bucket")))
        yield _tool_error_rate()
        yield _budgets()
        yield from _counters()
        yield from _standing()
        yield from _outlets()


def _calls(rows: list[Counted]) -> Iterator[Metric]:
    latency = HistogramMetricFamily(
        "prompt_latency_seconds", "From asking a language model to its answer.", labels=["agent", "model"]
    )
    found: dict[tuple[str, str], dict[int, Counted]] = defaultdict(dict)
    for row in rows:
        if row.name == PROMPT_SECONDS:
            found[row.agent, row.what][row.bucket] = row
    for key, buckets in found.items():
        total, cumulative = 0, []
        for index, bound in enumerate([*map(str, BOUNDS), "+Inf"]):
            total += buckets[index].n if index in buckets else 0
            cumulative.append((bound, total))
        latency.add_metric(list(key), cumulative, sum(row.total for row in buckets.values()))
    yield latency
    reads = _verbatim("memory_read_count", "Reads of agents' memory and of runs' shared state.")
    for row in rows:
        if row.name == MEMORY_READS:
            reads.add_sample(reads.name, {"agent": row.agent}, row.n)
    yield reads


def _verbatim(name: str, words: str) -> Metric:
    """A counter whose name is given: of the type counter, the library would put `_total` behind it."""
    return Metric(name, words, "unknown")


def _tool_error_rate() -> Metric:
    rate = GaugeMetricFamily(
        "tool_call_error_rate", "Failed calls among all of the last ten minutes, by tool.", labels=["tool"]
    )
    for tool, numbers in sorted(store.window("tool", since=timezone.now() - WINDOW).items()):
        rate.add_metric([tool], share(numbers.get("errors", 0), numbers.get("calls", 0)))
    return rate


def _budgets() -> Metric:
    left = GaugeMetricFamily(
        "token_budget_remaining", "Of each standing budget of tokens, the share that is left (0 to 1).",
        labels=["scope", "name"],
    )  # fmt: skip
    standing = [Budget.Scope.AGENT, Budget.Scope.WORKFLOW, Budget.Scope.TEAM]
    rows = list(Budget.objects.filter(scope__in=standing, resource=Budget.Resource.TOKENS, limit__gt=0)[:MOST_BUDGETS])
    agents = dict(Agent.objects.filter(pk__in=_refs(rows, "agent")).values_list("pk", "name"))
    workflows = dict(Workflow.objects.filter(pk__in=_refs(rows, "workflow")).values_list("pk", "name"))
    known = {"agent": agents, "workflow": workflows}
    for row in rows:
        name = known.get(row.scope, {}).get(row.ref, str(row.ref))
        left.add_metric([row.scope, name], max(0.0, 1 - row.spent / row.limit))
    return left


def _refs(rows: Iterable[Budget], scope: str) -> list[int]:
    return [row.ref for row in rows if row.scope == scope]


# What is counted: name of the tally, of the metric, its words, its labels.
_FAMILIES: Final = (
    ("violations", "policy_violation_attempts", "Calls that a policy refused or a guardrail stopped.", ("agent",)),
    ("tool_calls", "watchkeeper_tool_calls_total", "Calls of tools.", ("tool",)),
    ("tool_errors", "watchkeeper_tool_call_errors_total", "Calls of tools that failed.", ("tool",)),
    ("runs", "watchkeeper_runs_total", "Runs that started and ended, by how.", ("workflow", "status")),
    ("tasks", "watchkeeper_tasks_total", "Tasks that ended, were tried again or lost.", ("workflow", "status")),
    ("gates", "watchkeeper_gates_total", "Gates that opened, and people's verdicts.", ("workflow", "verdict")),
    ("alerts", "watchkeeper_alerts_total", "Alerts that were raised.", ("rule", "severity")),
)


def _counters() -> Iterator[Metric]:
    rows = tallies.rows()
    for tally, name, words, labels in _FAMILIES:
        family = (
            _verbatim(name, words)
            if not name.endswith("_total")
            else Metric(name.removesuffix("_total"), words, "counter")
        )
        for row in rows:
            if row.name == tally:
                family.add_sample(name, dict(zip(labels, (row.label, row.word), strict=False)), row.n)
        yield family
    for name in sorted({row.label for row in rows if row.name == business.TALLY}):
        family = _verbatim(name, "Reported from outside: see docs/telemetry.md.")
        for row in rows:
            if row.name == business.TALLY and row.label == name:
                family.add_sample(name, {"workflow": row.word}, row.total)
        yield family


def _standing() -> Iterator[Metric]:
    measured = measuring.measure(timezone.now())
    system = measured["system", ""]
    yield _gauge("watchkeeper_sequencer_lag_seconds", "Age of the oldest event that is not sealed.", system["lag_s"])
    yield _gauge("watchkeeper_ledger_position", "Events that were sealed.", ledger.head())
    for key, name, words in (
        ("open", "watchkeeper_gates_open", "Decisions that wait."),
        ("overdue", "watchkeeper_gates_overdue", "Of these, how many are past their deadline."),
        ("oldest_s", "watchkeeper_gates_oldest_seconds", "How long the oldest has waited."),
    ):
        family = GaugeMetricFamily(name, words, labels=["queue"])
        for (scope, queue), numbers in sorted(measured.items()):
            if scope == "queue":
                family.add_metric([queue], numbers[key])
        yield family
    lanes = {name: numbers["depth"] for (scope, name), numbers in measured.items() if scope == "lane"}
    ready = GaugeMetricFamily(
        "watchkeeper_ready_tasks", "Tasks that wait for a worker, counted to 10,000.", labels=["lane", "pool"]
    )
    for lane, depth in sorted(lanes.items()):
        ready.add_metric([lane, pool_of(lane)], depth)
    yield ready
    yield from _workers(lanes)


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=value)


def _workers(lanes: dict[str, float]) -> Iterator[Metric]:
    live = Shift.objects.filter(ended_at=None, lease_until__gt=timezone.now()).order_by()
    pools = {row["pool"]: row for row in live.values("pool").annotate(count=Count("pk"), capacity=Sum("capacity"))}
    running = dict(
        Task.objects.filter(status=TaskStatus.RUNNING).order_by().values_list("lane").annotate(count=Count("pk"))
    )
    now = GaugeMetricFamily("watchkeeper_workers", "Shifts at work.", labels=["pool"])
    room = GaugeMetricFamily("watchkeeper_worker_capacity", "Tasks that they may run at once.", labels=["pool"])
    wanted = GaugeMetricFamily(
        "watchkeeper_workers_wanted", "Shifts that what runs and waits would fill, for autoscalers.", labels=["pool"]
    )
    everywhere = {settings.POOL, *settings.POOLS, *pools, *map(pool_of, {*lanes, *running})}
    for pool in sorted(everywhere):
        found = pools.get(pool, {"count": 0, "capacity": 0})
        now.add_metric([pool], found["count"])
        room.add_metric([pool], found["capacity"] or 0)
        wanted.add_metric([pool], workers_wanted(pool, lanes, running))
    yield from (now, room, wanted)


def workers_wanted(pool: str, ready: dict[str, float], running: dict[str, int]) -> int:
    """Shifts that a pool's ready and running tasks would fill to four fifths; one that holds threads takes eight."""
    plain = sum(count for lane, count in [*ready.items(), *running.items()] if lane == pool)
    holding = sum(count for lane, count in [*ready.items(), *running.items()] if lane != pool and pool_of(lane) == pool)
    return max(ceil(plain / (settings.SHIFT_CAPACITY * FULL)), ceil(holding / (_BLOCKING_ROOM * FULL)))


def pool_of(lane: str) -> str:
    """The pool whose lane this is: `eu` and `eu.blocking` are those of eu, `blocking` is the default pool's."""
    return "default" if lane == "blocking" else lane.removesuffix(".blocking")


def _outlets() -> Iterator[Metric]:
    head = ledger.head()
    rows = list(Outlet.objects.filter(pk__in=settings.OUTLETS).order_by("pk"))
    failing = GaugeMetricFamily("watchkeeper_export_failing", "1 while it cannot be delivered.", labels=["outlet"])
    behind = GaugeMetricFamily("watchkeeper_export_behind", "Events that have not gone out.", labels=["outlet"])
    sent = Metric("watchkeeper_export_sent", "Spans or events that were taken.", "counter")
    lost = Metric("watchkeeper_export_lost", "Those that never went out.", "counter")
    for row in rows:
        failing.add_metric([row.pk], float(row.failing_since is not None))
        behind.add_metric([row.pk], max(0, head - row.pos))
        sent.add_sample("watchkeeper_export_sent_total", {"outlet": row.pk}, row.sent)
        lost.add_sample("watchkeeper_export_lost_total", {"outlet": row.pk}, row.lost)
    yield from (failing, behind, sent, lost)
