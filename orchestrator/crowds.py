"""Tasks that say what a run waits for: those of a short run, and of a long one a few that stand for the rest.

A list of runs is read often, and a run may have a million tasks: of a long one each way to wait, or to be at work, is
counted in the database, and its first and last task are read.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Final, NamedTuple

from django.db.models import Count, F, Max, Min, Q, QuerySet

from orchestrator.engine.lanes import DEFAULT
from orchestrator.models import TASK_BITS, Run, Task, task_id
from orchestrator.states import TASK_TERMINAL, TaskStatus

SHORT: Final = 300  # tasks: all that are live of such a run are read
LONG: Final = 20_000  # a longer run's tasks are not even counted for a list: its counters say enough
_INDEX_MASK: Final = (1 << TASK_BITS) - 1


class TaskFact(NamedTuple):
    """The columns of a task that the sentence and the graph are made of."""

    id: int
    status: str
    wait_for: str
    limited: bool
    agent_id: int | None
    attempt: int
    ready_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    parent: int | None = None
    lane: str = DEFAULT

    @property
    def step_index(self) -> int:
        """Its step's place in the plan."""
        return self.id & _INDEX_MASK


def live_tasks(runs: Sequence[Run]) -> dict[int, list[TaskFact]]:
    """What is ready, running or waiting of each of these runs."""
    found: dict[int, list[TaskFact]] = defaultdict(list)
    if short := [run for run in runs if run.total <= SHORT]:
        for row in _live(short).values_list(*TaskFact._fields):
            found[row[0] >> TASK_BITS].append(TaskFact(*row))
    if long := [run for run in runs if SHORT < run.total <= LONG]:
        found |= _crowds(long)
    return found


def _live(runs: Sequence[Run]) -> QuerySet[Task]:
    ranges = reduce(or_, (Q(id__gte=task_id(run.pk, 0), id__lt=task_id(run.pk + 1, 0)) for run in runs))
    return Task.objects.filter(ranges).exclude(status__in=[*TASK_TERMINAL, TaskStatus.BLOCKED])


def _crowds(runs: Sequence[Run]) -> dict[int, list[TaskFact]]:
    """Each crowd as often as it has members: its first, and for all others its last."""
    number = F("id").bitrightshift(TASK_BITS)
    rows = _live(runs).order_by().annotate(of=number).values_list("of", "status", "wait_for")
    counted = list(rows.annotate(count=Count("id"), first=Min("id"), last=Max("id")))
    ends = {pk for *_of, first, last in counted for pk in (first, last)}
    facts = {row[0]: TaskFact(*row) for row in Task.objects.filter(pk__in=ends).values_list(*TaskFact._fields)}
    found: dict[int, list[TaskFact]] = defaultdict(list)
    for run, _status, _wait_for, count, first, last in counted:
        if first in facts and last in facts:  # one may have gone on meanwhile
            found[run] += [facts[first], *[facts[last]] * (count - 1)]
    return found
