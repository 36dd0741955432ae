"""Which version of an agent a real shift calls: the newest, the current one, or the canary for its share of tasks."""

from typing import Any

import pytest

from agents.budgets import AMPLE
from agents.lifecycle import routes
from agents.models import Agent, AgentRelease, AgentVersion, VersionMinute
from agents.registry import agent
from orchestrator.models import Attempt, Run
from tests.engine import OPEN, eventually, finished, publish, shift, start, statuses

pytestmark = pytest.mark.django_db(transaction=True)
RUNS = 12


@agent(name="test-versioned", version=1, title="Versioned", input=OPEN, output=OPEN, budget=AMPLE)
async def first(input: dict[str, Any], ctx: Any) -> dict[str, Any]:
    """The first version."""
    return {"did": 1}


@agent(name="test-versioned", version=2, title="Versioned", input=OPEN, output=OPEN, budget=AMPLE)
async def second(input: dict[str, Any], ctx: Any) -> dict[str, Any]:
    """The second version."""
    return {"did": 2}


def versions(runs: list[Run]) -> list[int]:
    return [Attempt.objects.get(task_id=run.pk << 20).agent_version for run in runs]


def worked(steps: str, **release: Any) -> list[Run]:
    publish(steps)
    if release:
        AgentRelease.objects.create(agent=Agent.objects.get(name="test-versioned"), **release)
    routes.view.forget()
    runs = [start() for _ in range(RUNS)]
    with shift():
        eventually(lambda: all(finished(run) for run in runs))
    assert all(set(statuses(run).values()) == {"succeeded"} for run in runs)
    return runs


STEP = "  - {key: a, type: automated, agent: test-versioned}"


def test_newest_version_works_while_nobody_has_promoted_one() -> None:
    assert versions(worked(STEP)) == [2] * RUNS


def test_current_version_works_although_a_newer_one_is_registered() -> None:
    assert versions(worked(STEP, current=1)) == [1] * RUNS


def test_canary_does_exactly_the_tasks_that_the_hash_says_and_attempts_tell_which() -> None:
    runs = worked(STEP, current=1, canary=2, share=50)

    wanted = [2 if routes.is_chosen("test-versioned", 2, run.pk << 20, share=50) else 1 for run in runs]
    assert versions(runs) == wanted
    counted = dict.fromkeys((1, 2), 0)
    for row in VersionMinute.objects.filter(agent__name="test-versioned"):
        counted[row.version] += row.calls
    assert counted == {number: wanted.count(number) for number in (1, 2)}


def test_version_that_a_definition_pins_is_left_alone() -> None:
    pinned = "  - {key: a, type: automated, agent: test-versioned@2}"

    assert versions(worked(pinned, current=1)) == [2] * RUNS
    assert AgentVersion.objects.filter(agent__name="test-versioned").count() == 2
