"""A run as it was at any place of the ledger, rebuilt from its events. Reads only; a fixed number of queries.

Queries: the graph of its version (once a process), the facts, the keys of spawned tasks where there are any, and, only
where they are asked for, the values of its state. Facts are applied in the order of their ids, which is the order
in which they were written under the run's lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from orchestrator import ledger
from orchestrator.engine import run_state
from orchestrator.engine.plans import plan_of
from orchestrator.errors import EventNotInRun, SnapshotTooLarge
from orchestrator.models import Event, LedgerEntry, Run, StateEntry, Step, Task, task_id
from orchestrator.replay import STEP_MASK, Fact, RunState, first_version, replay

MOST_EVENTS: Final = 200_000


@dataclass(frozen=True, slots=True)
class Happened:
    """One event of a run with its place: `number` counts the run's own events from 1."""

    number: int
    id: int
    pos: int | None
    kind: str
    task_id: int | None
    at: datetime
    actor: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole state of a run just after one of its events."""

    run: Run
    event: int
    state: RunState
    facts: int  # how many events it was rebuilt from
    version: int  # the version that it had then

    @property
    def statuses(self) -> list[str]:
        """Of each task, by its place in the run."""
        return [self.state.status_of(index) for index in range(len(self.state.tasks))]

    def keys_of_tasks(self) -> list[str]:
        """Of each task: from the plan, and for spawned ones from their rows."""
        return _keys(self.run, self.version, len(self.state.tasks))

    def values(self) -> dict[str, StateEntry]:
        """The run's shared state as it was; keys that were gone are left out."""
        alive = {key: found.version for key, found in self.state.keys.items() if not found.deleted}
        return run_state.at_versions(self.run.pk, alive)


def at_pos(run: Run, pos: int) -> Snapshot:
    """The run after everything of it that lies at or before this place of the ledger.

    A place after the newest is as the newest. Raises EventNotInRun where the run had not begun, and SnapshotTooLarge.
    """
    facts = ledger.facts_up_to(run.pk, pos, limit=MOST_EVENTS + 1)
    if not facts:
        raise EventNotInRun(pos=pos, run_id=run.pk)
    return _snapshot(run, facts)


def at_event(run: Run, event: int) -> Snapshot:
    """The run just after one of its events, sealed or not. Raises SnapshotTooLarge and EventNotInRun."""
    facts = ledger.facts_up_to_event(run.pk, event, limit=MOST_EVENTS + 1)
    if len(facts) <= MOST_EVENTS and (not facts or facts[-1][0] != event):
        raise EventNotInRun(pos=event, run_id=run.pk)
    return _snapshot(run, facts)


def _snapshot(run: Run, facts: Sequence[tuple[int, Fact]]) -> Snapshot:
    if len(facts) > MOST_EVENTS:
        raise SnapshotTooLarge(run_id=run.pk, most=MOST_EVENTS)
    happened = [fact for _, fact in facts]
    version = first_version(happened, run.version_id)
    dependencies, needs = graph_of(version)
    state = replay(dependencies, happened, needs=needs, graph_of=graph_of)
    moves = [int(str(fact.data["version"])) for fact in happened if fact.kind == "run.migrated"]
    return Snapshot(run, facts[-1][0], state, len(facts), version=moves[-1] if moves else version)


def event_number(run_id: int, number: int) -> Happened | None:
    """The run's event with this number, counted from 1."""
    columns = ("id", "kind", "task_id", "at", "actor")
    row = Event.objects.filter(run_id=run_id).order_by("id").values_list(*columns)[number - 1 : number].first()
    if row is None:
        return None
    pos = LedgerEntry.objects.filter(event_id=row[0]).values_list("pos", flat=True).first()
    return Happened(number, row[0], pos, *row[1:])


def events_around(run_id: int, number: int, *, length: int) -> list[Happened]:
    """A stretch of the run's events with the given one in its middle."""
    first = max(1, number - length // 2)
    columns = ("id", "kind", "task_id", "at", "actor")
    rows = list(
        Event.objects.filter(run_id=run_id).order_by("id").values_list(*columns)[first - 1 : first - 1 + length]
    )
    places = dict(LedgerEntry.objects.filter(event_id__in=[row[0] for row in rows]).values_list("event_id", "pos"))
    return [Happened(first + at, row[0], places.get(row[0]), *row[1:]) for at, row in enumerate(rows)]


@lru_cache(maxsize=256)
def graph_of(version_id: int) -> tuple[list[list[int]], list[int]]:
    """For each step those before it, and its join rule."""
    steps = list(
        Step.objects.filter(version_id=version_id).order_by("index").values_list("index", "successors", "need")
    )
    before: list[list[int]] = [[] for _ in steps]
    for index, successors, _ in steps:
        for successor in successors:
            before[successor].append(index)
    return before, [need for _, _, need in steps]


def _keys(run: Run, version: int, count: int) -> list[str]:
    keys = [step.key for step in plan_of(version).steps]
    if count > len(keys):
        spawned = Task.objects.filter(pk__gte=task_id(run.pk, len(keys)), pk__lt=task_id(run.pk, count))
        found: dict[int, Any] = {pk & STEP_MASK: key for pk, key in spawned.values_list("pk", "key")}
        keys += [found.get(index, str(index)) for index in range(len(keys), count)]
    return keys
