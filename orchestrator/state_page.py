"""What the tabs State and Time machine of a run's page show. Bounded however long the run is."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from django.utils import timezone

from agents.types import Json
from orchestrator import drawing, run_page, snapshots, state_queries
from orchestrator.errors import OrchestratorError
from orchestrator.models import Checkpoint, Conflict, Event, Run, StateEntry, Task, task_id
from orchestrator.queries import layout_of
from orchestrator.replay import STEP_MASK
from orchestrator.snapshots import Snapshot

AROUND: Final = 9  # events listed beside the slider
CHECKPOINTS: Final = 100
CONFLICTS: Final = 100
SHORT: Final = 160  # characters of a value in a table


@dataclass(frozen=True, slots=True)
class Row:
    """One version of a key as a table shows it."""

    entry: StateEntry
    text: str
    step: str  # of the task that wrote it


@dataclass(frozen=True, slots=True)
class Mark:
    """A checkpoint on the timeline, at `x` per cent."""

    number: int
    name: str
    x: float


def state(run: Run, given: Mapping[str, str]) -> dict[str, Any]:
    """Keys, and beside them one key's history with the difference of two versions."""
    search = given.get("q", "").strip()[:200]
    entries = state_queries.newest(run.pk, search=search)
    context: dict[str, Any] = {
        "search": search,
        "rows": _rows(entries),
        "found": state_queries.results(run.pk, search),
        "checkpoints": list(Checkpoint.objects.filter(run=run).order_by("-number")[:CHECKPOINTS]),
        "conflicts": list(Conflict.objects.filter(run=run).order_by("-id")[:CONFLICTS]),
    }
    if key := given.get("key", "")[:200]:
        context |= _history(run, key, given)
    return context


def _history(run: Run, key: str, given: Mapping[str, str]) -> dict[str, Any]:
    try:
        versions = state_queries.history(run.pk, key)
    except OrchestratorError:
        return {}
    newest = versions[0].version
    new = _number(given.get("new", ""), newest) or newest
    old = _number(given.get("old", ""), newest)
    old = new - 1 if old is None else old
    try:
        changes = [_shown(change) for change in state_queries.diff(run.pk, key, old, new)]
    except OrchestratorError:
        changes = []
    return {"key": key, "versions": _rows(versions), "old": old, "new": new, "changes": changes}


def _number(text: str, most: int) -> int | None:
    return min(int(text), most) if text.isdecimal() and len(text) < 10 else None


def _shown(change: state_queries.Change) -> dict[str, str]:
    return {"path": change.path, "before": _text(change.before), "after": _text(change.after)}


def _rows(entries: list[StateEntry]) -> list[Row]:
    tasks = Task.objects.filter(pk__in={entry.task for entry in entries if entry.task is not None})
    keys = dict(tasks.values_list("id", "key"))
    return [Row(entry, _short(entry.value), keys.get(entry.task or 0, "")) for entry in entries]


def _text(value: Json) -> str:
    return "" if value is None else value if isinstance(value, str) else orjson.dumps(value).decode()


def _short(value: Json) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= SHORT else text[: SHORT - 1] + "…"


def marks(run: Run, *, seconds: float) -> list[Mark]:
    """The run's checkpoints on its timeline."""
    made = Checkpoint.objects.filter(run=run).order_by("number").values_list("number", "name", "created_at")
    return [
        Mark(number, name, round(min(100.0, max(0.0, (at - run.started_at).total_seconds() / seconds * 100)), 2))
        for number, name, at in made[:CHECKPOINTS]
    ]


def past(run: Run, wanted: str) -> dict[str, Any]:
    """The run just after one of its events, by number; the newest if none is named."""
    count = Event.objects.filter(run_id=run.pk).count()
    number = max(1, min(_number(wanted, count) or count, count))
    happened = snapshots.event_number(run.pk, number)
    if happened is None:
        return {"count": 0}
    context: dict[str, Any] = {"count": count, "number": number, "happened": happened}
    context["around"] = run_page.events_told(run, snapshots.events_around(run.pk, number, length=AROUND))
    try:
        found = snapshots.at_event(run, happened.id)
    except OrchestratorError as problem:
        return context | {"problem": str(problem)}
    entries = [entry for _, entry in sorted(found.values().items())]
    return context | {
        "picture": picture(found),
        "status": found.state.status,
        "counts": sorted(Counter(found.statuses).items()),
        "rows": _rows(entries[:200]),
        "open_gates": sum(not gate.verdict for gate in found.state.gates.values()),
    }


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
