"""Each week some of what every agent did is drawn for people to look at: its transcripts and traces, one item an agent.

Gates show what somebody chose to ask about; a sample shows the rest. Who drew twice draws the same.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from random import Random
from typing import Final

from django.db import transaction
from django.utils import timezone

from agents.lifecycle import items
from agents.models import Agent
from agents.types import Json
from orchestrator.models import Task
from orchestrator.states import TaskStatus

WEEK: Final = timedelta(days=7)
DRAWN: Final = 5  # steps of each agent
MOST_AGENTS: Final = 200
_LOOKED_AT: Final = 20_000  # the newest steps, of which is drawn


def draw(now: datetime | None = None) -> int:
    """Open the week's items; how many."""
    now = now or timezone.now()
    year, week, _day = now.isocalendar()
    name = f"{year}-W{week:02}"
    return sum(_open(agent, name, tasks) for agent, tasks in _by_agent(now - WEEK).items())


def _by_agent(since: datetime) -> dict[int, list[int]]:
    ended = Task.objects.filter(agent__isnull=False, status=TaskStatus.SUCCEEDED, ended_at__gte=since)
    found: dict[int, list[int]] = defaultdict(list)
    for agent, task in ended.order_by("-pk").values_list("agent_id", "pk")[:_LOOKED_AT]:
        if agent in found or len(found) < MOST_AGENTS:
            found[agent].append(task)
    return found


@transaction.atomic
def _open(agent: int, week: str, tasks: list[int]) -> bool:
    row = Agent.objects.get(pk=agent)
    kind = f"review {week}"
    if row.items.filter(kind=kind).exists():  # closed by now, perhaps
        return False
    drawn = sorted(Random(f"{week} {row.name}").sample(tasks, min(DRAWN, len(tasks))))
    words = f"Look at {len(drawn)} of its {len(tasks)} steps of the week up to {week}: what it was asked, did and said."
    return items.open_once(row, kind, words, {"of": len(tasks), "steps": _steps(drawn)})


def _steps(tasks: Iterable[int]) -> list[Json]:
    rows = Task.objects.filter(pk__in=list(tasks)).order_by("pk").values_list("pk", "run_id", "key")
    return [{"task": task, "run": run, "step": key} for task, run, key in rows]
