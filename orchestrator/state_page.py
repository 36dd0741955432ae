"""What the tab State of a run's page shows. Bounded however long the run is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from agents.types import Json
from orchestrator import state_queries, unbiased
from orchestrator.errors import OrchestratorError
from orchestrator.models import Checkpoint, Conflict, Run, StateEntry, Task

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


def state(run: Run, given: Mapping[str, str], *, hidden: frozenset[int] = frozenset()) -> dict[str, Any]:
    """Keys, and beside them one key's history with the difference of two versions.

    `hidden`: tasks that the reader is yet to judge (`unbiased`).
    """
    search = given.get("q", "").strip()[:200]
    entries = unbiased.entries(state_queries.newest(run.pk, search=search), hidden)
    context: dict[str, Any] = {
        "search": search,
        "rows": rows_of(entries),
        "found": [one for one in state_queries.results(run.pk, search) if one.task_id not in hidden],
        "checkpoints": unbiased.checkpoints(
            Checkpoint.objects.filter(run=run).order_by("-number")[:CHECKPOINTS], hidden
        ),
        "conflicts": list(Conflict.objects.filter(run=run).order_by("-id")[:CONFLICTS]),
    }
    if key := given.get("key", "")[:200]:
        context |= _history(run, key, given, hidden)
    return context


def _history(run: Run, key: str, given: Mapping[str, str], hidden: frozenset[int]) -> dict[str, Any]:
    try:
        versions = unbiased.entries(state_queries.history(run.pk, key), hidden)
    except OrchestratorError:
        return {}
    newest = versions[0].version
    new = _number(given.get("new", ""), newest) or newest
    old = _number(given.get("old", ""), newest)
    old = new - 1 if old is None else old
    try:
        changes = [_shown(change) for change in state_queries.diff(run.pk, key, old, new, hidden=hidden)]
    except OrchestratorError:
        changes = []
    return {"key": key, "versions": rows_of(versions), "old": old, "new": new, "changes": changes}


def _number(text: str, most: int) -> int | None:
    return min(int(text), most) if text.isdecimal() and len(text) < 10 else None


def _shown(change: state_queries.Change) -> dict[str, str]:
    return {"path": change.path, "before": _text(change.before), "after": _text(change.after)}


def rows_of(entries: list[StateEntry]) -> list[Row]:
    """As a table shows them."""
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
