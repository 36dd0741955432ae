"""What the tab Time machine of a run's page shows: the run just after any of its events. Bounded however long it is."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils import timezone

from orchestrator import drawing, narrative, snapshots, unbiased
from orchestrator.definitions.graph import Node
from orchestrator.errors import OrchestratorError
from orchestrator.happenings import Entry
from orchestrator.models import Event, LedgerEntry, Run, Task, task_id
from orchestrator.queries import layout_of
from orchestrator.replay import STEP_MASK
from orchestrator.snapshots import Happened, Snapshot
from orchestrator.state_page import rows_of

AROUND: Final = 9  # events listed beside the slider
OF_STEP: Final = 60  # of one step
STATE: Final = 200  # keys


@dataclass(frozen=True, slots=True)
class Then:
    """A box of the graph as it was: its status, or how many of its tasks had which; and what happened to it."""

    key: str
    title: str
    counts: tuple[tuple[str, int], ...]
    attempt: int
    events: tuple[tuple[Happened, Entry], ...]
    is_folded: bool


def past(run: Run, given: Mapping[str, str], *, hidden: frozenset[int] = frozenset()) -> dict[str, Any]:
    """The run just after one of its events: by its number `n`, by a place `pos` of the ledger, or the newest.

    `hidden`: tasks that the reader is yet to judge (`unbiased`).
    """
    count = Event.objects.filter(run_id=run.pk).count()
    number = max(1, min(_number(run, given) or count, count))
    happened = snapshots.event_number(run.pk, number)
    if happened is None:
        return {"count": 0}
    context: dict[str, Any] = {"count": count, "number": number, "happened": happened}
    around = snapshots.events_around(run.pk, number, length=AROUND)
    context["around"] = narrative.events_told(run, around, hidden=hidden)
    try:
        found = snapshots.at_event(run, happened.id)
    except OrchestratorError as problem:
        return context | {"problem": str(problem)}
    entries = unbiased.entries((entry for _, entry in sorted(found.values().items())), hidden)
    return context | {
        "picture": picture(found),
        "status": found.state.status,
        "counts": sorted(Counter(found.statuses).items()),
        "rows": rows_of(entries[:STATE]),
        "open_gates": sum(not gate.verdict for gate in found.state.gates.values()),
        "then": _then(found, given.get("task", "")[:200]),
    }


def _number(run: Run, given: Mapping[str, str]) -> int | None:
    """The number asked for; of a place of the ledger, that of the run's last event at or before it."""
    if (pos := _whole(given.get("pos", ""))) is None:
        return _whole(given.get("n", ""))
    sealed = LedgerEntry.objects.filter(pos__lte=pos).order_by("-pos").values_list("event_id", flat=True).first()
    return Event.objects.filter(run_id=run.pk, pk__lte=sealed).count() or 1 if sealed is not None else 1


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def picture(found: Snapshot) -> drawing.Picture:
    """The run's graph, coloured as it was."""
    state, statuses, asked = found.state, found.statuses, _asked(found)
    spawned: dict[int, Counter[str]] = defaultdict(Counter)
    parents = Task.objects.filter(pk__gte=task_id(found.run.pk, 0), pk__lt=task_id(found.run.pk, len(statuses)))
    if len(statuses) > len(snapshots.graph_of(found.version)[0]):
        for pk, parent in parents.filter(parent__isnull=False).values_list("id", "parent"):
            assert parent is not None
            spawned[parent & STEP_MASK][statuses[pk & STEP_MASK]] += 1
    marked = {
        index: drawing.Mark(
            status=status,
            wait_for="gate" if index in asked else "retry" if state.tasks[index].retrying else "",
            attempt=state.tasks[index].attempt,
            spawned=spawned.get(index),
        )
        for index, status in enumerate(statuses)
    }
    return drawing.picture(layout_of(found.version), marked, now=timezone.now())


def _asked(found: Snapshot) -> set[int]:
    """Tasks with an open gate."""
    open_gates = [gate.task_id for gate in found.state.gates.values() if not gate.verdict]
    return {task & STEP_MASK for task in open_gates if task is not None}


def _then(found: Snapshot, key: str) -> Then | None:
    """The box of the graph with this key (see `drawing.Box.key`), as it was."""
    wanted = key.removeprefix("~")
    node = next((node for node in layout_of(found.version).nodes if node.key == wanted), None)
    if node is None or node.is_folded != key.startswith("~"):
        return None
    statuses = [found.statuses[index] for index in node.indexes if index < len(found.state.tasks)]
    counts = tuple(sorted(Counter(statuses).items()))
    attempt = 0 if node.is_folded else found.state.tasks[node.indexes[0]].attempt
    events = () if node.is_folded else _events_of(found.run, node)
    return Then(key, node.title, counts, attempt, events, node.is_folded)


def _events_of(run: Run, node: Node) -> tuple[tuple[Happened, Entry], ...]:
    """Everything that happened to one step, early and late, with the numbers that lead there."""
    task = task_id(run.pk, node.indexes[0])
    every = Event.objects.filter(run_id=run.pk).order_by("id").values_list("id", "task_id")[: snapshots.MOST_EVENTS]
    numbers = {pk: number for number, (pk, owner) in enumerate(every, start=1) if owner == task}
    rows = Event.objects.filter(run_id=run.pk, pk__in=list(numbers)[:OF_STEP]).order_by("id")
    places = dict(LedgerEntry.objects.filter(event_id__in=list(numbers)[:OF_STEP]).values_list("event_id", "pos"))
    happened = [
        Happened(numbers[row[0]], row[0], places.get(row[0]), *row[1:])
        for row in rows.values_list("id", "kind", "task_id", "at", "actor")
    ]
    return tuple(narrative.events_told(run, happened))
