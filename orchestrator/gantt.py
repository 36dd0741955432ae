"""Where one run's time went, read from its rows. Bounded however large the run is."""

from collections import defaultdict
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from django.utils import timezone

from orchestrator.crowds import TaskFact
from orchestrator.definitions.plan import PlanStep
from orchestrator.models import Attempt, Run, task_id
from orchestrator.ports import gatekeeper
from orchestrator.run_page import MAX_TASKS, task_facts
from orchestrator.run_steps import RunSteps
from orchestrator.timeline import Lived, Timeline, timeline

MAX_LIVED: Final = 2_000  # bars of the timeline


def of(run: Run) -> Timeline:
    """Where the run's time went."""
    tasks = [task for task in task_facts(run) if task.ready_at or task.started_at]
    tries: dict[int, list[tuple[datetime, datetime | None]]] = defaultdict(list)
    ranged = Attempt.objects.filter(task_id__gte=task_id(run.pk, 0), task_id__lt=task_id(run.pk + 1, 0))
    for owner, start, end in ranged.order_by("task_id", "number").values_list("task_id", "started_at", "ended_at")[
        :MAX_TASKS
    ]:
        if start is not None:
            tries[owner].append((start, end))
    human: dict[int, list[tuple[datetime, datetime | None]]] = defaultdict(list)
    for gate in gatekeeper().gates_of([run.pk], only_open=False):
        if gate.task_id is not None:
            human[gate.task_id].append((gate.opened_at, gate.settled_at))
    tasks = tasks[:MAX_LIVED]
    steps = RunSteps(run)
    steps.load([task.step_index for task in tasks])
    lived = [
        replace(
            _lived(task, steps[task.step_index], tries[task.id], human[task.id]),
            before=[steps[index].key for index in steps[task.step_index].dependencies],
            is_planned=task.parent is None,
        )
        for task in tasks
    ]
    return timeline(lived, start=run.started_at, end=run.ended_at or timezone.now())


def _lived(task: TaskFact, step: PlanStep, tries: list[Any], gates: list[Any]) -> Lived:
    if task.status == "running" and task.started_at:
        tries = [*tries, (task.started_at, None)]
    elif not tries and not gates and task.started_at:
        tries = [(task.started_at, task.ended_at)]
    times = (task.ready_at, task.ended_at, tuple(tries), tuple(gates))
    return Lived(step.key, step.title, task.status, *times, budget_s=step.p95_s)
