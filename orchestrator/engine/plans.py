"""Plans of published versions, loaded once per process: a version never changes."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import structlog

from orchestrator.definitions.plan import Plan, PlanStep
from orchestrator.definitions.serialise import plan_from_json, step_from_json, step_to_json
from orchestrator.models import TASK_BITS, Task, WorkflowVersion

INDEX = (1 << TASK_BITS) - 1  # the part of a task's id that is its place in the run

log = structlog.get_logger(__name__)


@lru_cache(maxsize=256)
def plan_of(version_id: int) -> Plan:
    """The compiled plan of a workflow version."""
    return plan_from_json(WorkflowVersion.objects.values_list("plan", flat=True).get(pk=version_id))


def own_step(plan: Plan, pk: int, spec: Mapping[str, Any] | None) -> PlanStep:
    """The step that a task executes: its version's, with what people changed for this task, or a spawned task's own.

    `spec` is what the task's row says, any part of which may be missing: {"of": index of the plan step whose body it
    executes, "step": a step's fields as stored in plans, instead or beside that, "bind": names for its expressions}.
    """
    index = pk & INDEX
    if spec is None:
        return plan.steps[index]
    base = plan.steps[spec["of"]].body if "of" in spec else plan.steps[index] if index < len(plan.steps) else None
    changes = spec.get("step", {})
    if base is None:
        return step_from_json(changes)
    return step_from_json({**step_to_json(base), **changes}) if changes else base


def has_started_others(task: Task) -> bool:
    """Whether a task has spawned tasks and goes, or has gone, on with what they come to (see `await_spawned_v1`)."""
    return isinstance(task.state, dict) and "first" in task.state


def step_of(task: Task) -> PlanStep:
    """The step that a stored task executes."""
    return own_step(plan_of(task.version_id), task.pk, task.spec)


def step_in_trouble(task: Task) -> PlanStep:
    """The step of a task that people are to be asked about; known by its key alone if its plan cannot be read."""
    try:
        return step_of(task)
    except (LookupError, TypeError, ValueError):
        log.exception("plan_unreadable", version_id=task.version_id)
        return PlanStep(index=task.pk & INDEX, key=task.key, title=task.key, kind="automated")
