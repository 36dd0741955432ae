"""A run's shared state for pages and programs: newest versions, history, what changed, and a search over results."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from django.db.models import Q, TextField
from django.db.models.functions import Cast

from agents.types import Json
from orchestrator import unbiased
from orchestrator.errors import StateNotFound
from orchestrator.models import StateEntry, Task
from orchestrator.states import TaskStatus

MOST: Final = 1000
HISTORY: Final = 500
MOST_CHANGES: Final = 500


class Change(NamedTuple):
    """One difference: where, what stood there, what stands there now (None where nothing did)."""

    path: str
    before: Json
    after: Json


class Found(NamedTuple):
    """A task whose result holds what was looked for."""

    task_id: int
    key: str
    excerpt: str


def newest(run_id: int, *, search: str = "") -> list[StateEntry]:
    """The newest version of each key, deleted ones left out; only those in whose key or value `search` occurs."""
    latest = StateEntry.objects.filter(run_id=run_id).order_by("key", "-version").distinct("key")
    found = StateEntry.objects.filter(pk__in=latest.values("pk"), deleted=False)
    if search:
        found = found.annotate(text=Cast("value", TextField())).filter(
            Q(key__icontains=search) | Q(text__icontains=search)
        )
    return list(found.order_by("key")[:MOST])


def history(run_id: int, key: str) -> list[StateEntry]:
    """Every version of a key, the newest first. Raises StateNotFound for a key that was never written."""
    found = list(StateEntry.objects.filter(run_id=run_id, key=key).order_by("-version")[:HISTORY])
    if not found:
        raise StateNotFound(run_id=run_id, key=key, version=1)
    return found


def diff(run_id: int, key: str, old: int, new: int, *, hidden: frozenset[int] = frozenset()) -> list[Change]:
    """What changed from one version of a key to another; version 0 is nothing. Raises StateNotFound.

    `hidden`: tasks that the reader is yet to judge (`unbiased`).
    """
    return list(changes(_value(run_id, key, old, hidden), _value(run_id, key, new, hidden)))[:MOST_CHANGES]


def _value(run_id: int, key: str, version: int, hidden: frozenset[int]) -> Json:
    if version == 0:
        return None
    found = StateEntry.objects.filter(run_id=run_id, key=key, version=version).first()
    if found is None:
        raise StateNotFound(run_id=run_id, key=key, version=version)
    value: Json = unbiased.entries([found], hidden)[0].value
    return value


def changes(before: Any, after: Any, path: str = "") -> Iterator[Change]:
    """The differences of two JSON values, down to the smallest parts that differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            yield from changes(before.get(name), after.get(name), f"{path}.{name}" if path else name)
    elif isinstance(before, list) and isinstance(after, list):
        for at in range(max(len(before), len(after))):
            old, new = (side[at] if at < len(side) else None for side in (before, after))
            yield from changes(old, new, f"{path}[{at}]")
    elif before != after or type(before) is not type(after):
        yield Change(path, before, after)


def results(run_id: int, search: str, *, limit: int = 50) -> list[Found]:
    """Tasks in whose output `search` occurs, each with the words around it."""
    if not search:
        return []
    tasks = Task.objects.of_run(run_id).filter(status=TaskStatus.SUCCEEDED)
    holding = tasks.annotate(text=Cast("output", TextField())).filter(text__icontains=search).order_by("id")
    return [Found(pk, key, _around(text, search)) for pk, key, text in holding.values_list("id", "key", "text")[:limit]]


def _around(text: str, search: str) -> str:
    at = max(0, text.lower().find(search.lower()))
    first = max(0, at - 60)
    return ("…" if first else "") + text[first : at + len(search) + 90].strip()
