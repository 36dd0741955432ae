"""Plans of published versions, loaded once per process: a version never changes."""

from functools import lru_cache

import structlog

from orchestrator.definitions.plan import Plan, PlanStep
from orchestrator.definitions.serialise import plan_from_json
from orchestrator.models import TASK_BITS, Task, WorkflowVersion

log = structlog.get_logger(__name__)


@lru_cache(maxsize=256)
def plan_of(version_id: int) -> Plan:
    """The compiled plan of a workflow version."""
    return plan_from_json(WorkflowVersion.objects.values_list("plan", flat=True).get(pk=version_id))


def step_in_trouble(task: Task) -> PlanStep:
    """The step of a task that people are to be asked about; known by its key alone if its plan cannot be read."""
    index = task.pk & ((1 << TASK_BITS) - 1)
    try:
        return plan_of(task.version_id).steps[index]
    except (LookupError, TypeError, ValueError):
        log.exception("plan_unreadable", version_id=task.version_id)
        return PlanStep(index=index, key=task.key, title=task.key, kind="automated")
