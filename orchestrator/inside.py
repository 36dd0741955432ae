"""What agents' work in a run was spent on: planning, models, tools and what comes after, as far as calls were recorded.

A planner's work is planning, whatever it calls; of other agents only tries with a recorded call of a model or a tool
are looked into, for of the others nobody knows. Calls within one try may overlap: then the rest is not below nothing.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.db.models import QuerySet

from agents.models import AgentVersion, ModelCall, ToolCall
from orchestrator.models import Attempt, Run, task_id

MOST: Final = 10_000  # calls and tries of one run that are looked at
PLANS: Final = frozenset({"plan", "planning", "decompose"})
_TASK: Final = re.compile(r"task-(\d+)")


@dataclass(frozen=True, slots=True)
class Inside:
    """Seconds; and of how many tasks."""

    planning: float
    models: float
    tools: float
    rest: float
    tasks: int


def of(run: Run) -> Inside | None:
    """Where the time of a run's agents went; None where no call was recorded and nobody planned."""
    work = _work(run)
    planners = _planners({agent for _, agent in work})
    models = _by_task(run, ModelCall.objects.filter(correlation_id=run.correlation_id, ms__isnull=False))
    tools = _by_task(run, ToolCall.objects.filter(correlation_id=run.correlation_id))
    planning = model = tool = rest = 0.0
    tasks = 0
    for (task, agent), seconds in work.items():
        if agent in planners:
            planning += seconds
        elif task in models or task in tools:
            model += models[task]
            tool += tools[task]
            rest += max(0.0, seconds - models[task] - tools[task])
        else:
            continue
        tasks += 1
    return Inside(planning, model, tool, rest, tasks) if tasks else None


def _work(run: Run) -> dict[tuple[int, str], float]:
    """Seconds of all tries that have ended, by task and agent."""
    first, end = task_id(run.pk, 0), task_id(run.pk + 1, 0)
    ended = Attempt.objects.filter(
        task_id__gte=first, task_id__lt=end, started_at__isnull=False, ended_at__isnull=False, task__agent__isnull=False
    )
    found: dict[tuple[int, str], float] = defaultdict(float)
    rows = ended.order_by("task_id").values_list("task_id", "task__agent__name", "started_at", "ended_at")
    for task, agent, began, ended_at in rows[:MOST]:
        if began and ended_at:
            found[task, agent] += (ended_at - began).total_seconds()
    return found


def _planners(agents: Iterable[str]) -> set[str]:
    stated = AgentVersion.objects.filter(agent__name__in=list(agents)).values_list("agent__name", "capabilities")
    return {name for name, able in stated if any(one.rpartition(".")[2] in PLANS for one in able)}


def _by_task(run: Run, calls: QuerySet[ModelCall] | QuerySet[ToolCall]) -> dict[int, float]:
    """Seconds of calls by task: other runs may share the correlation id."""
    found: dict[int, float] = defaultdict(float)
    first, end = task_id(run.pk, 0), task_id(run.pk + 1, 0)
    for key, ms in calls.order_by("pk").values_list("key", "ms")[:MOST]:
        named = _TASK.match(key)
        if named and first <= int(named[1]) < end:
            found[int(named[1])] += (ms or 0.0) / 1000
    return found
