"""What agents' work is spent on, from the calls that were recorded."""

from datetime import timedelta

import pytest
from django.utils import timezone

from agents.models import Agent, AgentVersion, ModelCall, ToolCall
from orchestrator import inside
from orchestrator.models import Attempt, Run, Task
from tests import factories

pytestmark = pytest.mark.django_db


def worked(run: Run, index: int, agent: Agent, seconds: float) -> Task:
    """A task of this agent with one try of so many seconds."""
    task = factories.task(run, index)
    Task.objects.filter(pk=task.pk).update(agent=agent)
    began = timezone.now() - timedelta(minutes=5)
    Attempt.objects.create(
        task=task, number=1, status="succeeded", started_at=began, ended_at=began + timedelta(seconds=seconds)
    )
    return task


def called(run: Run, task: Task, *, model: float = 0, tool: float = 0) -> None:
    """Calls in milliseconds."""
    known = {"key": f"task-{task.pk}-0", "correlation_id": run.correlation_id}
    if model:
        ModelCall.objects.create(**known, attempt=1, agent="writer", model="m", ms=model)
    if tool:
        ToolCall.objects.create(**known, seal="s", given="{}", ms=tool, at=timezone.now())


def test_work_is_split_into_planning_models_tools_and_the_rest() -> None:
    run = factories.run(factories.workflow(), statuses=["succeeded"] * 3)
    writer, planner, other = factories.agent("writer"), factories.agent("planner"), factories.agent("other")
    AgentVersion.objects.filter(agent=planner).update(capabilities=["incidents.plan"])
    called(run, worked(run, 0, writer, 10), model=6000, tool=1500)
    called(run, worked(run, 1, planner, 4), model=3000)
    worked(run, 2, other, 60)  # nobody knows what it did

    found = inside.of(run)

    assert found is not None
    assert (found.planning, found.models, found.tools, found.tasks) == (4.0, 6.0, 1.5, 2)
    assert found.rest == pytest.approx(2.5)


def test_calls_of_another_run_with_the_same_correlation_id_are_left_out() -> None:
    run, other = (factories.run(factories.workflow(), correlation_id="case-7") for _ in range(2))
    writer = factories.agent("writer")
    worked(run, 0, writer, 5)
    called(other, worked(other, 0, writer, 5), model=1000)

    assert inside.of(run) is None
    assert inside.of(other) is not None
