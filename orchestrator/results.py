"""A run's result: what its definition's `outputs` say, worked out from what its steps gave."""

from collections.abc import Iterator
from typing import Any

from agents.types import Json
from orchestrator.definitions import expressions
from orchestrator.definitions.references import in_values
from orchestrator.engine.delivery import unpack
from orchestrator.engine.plans import plan_of
from orchestrator.models import Run, Task
from orchestrator.states import TaskStatus


def result_of(run: Run) -> dict[str, Json]:
    """The result of a run that succeeded; {} if its workflow names no outputs. Raises ExpressionError."""
    outputs = plan_of(run.version_id).outputs
    if not outputs:
        return {}
    wanted = sorted(set(_steps_read(outputs)))
    steps = Task.objects.of_run(run.pk).filter(key__in=wanted, status=TaskStatus.SUCCEEDED, parent=None)
    context: dict[str, Any] = {"input": run.input, "steps": {task.key: unpack(task.output) for task in steps}}
    resolved = expressions.resolve(dict(outputs), context)
    assert isinstance(resolved, dict)
    return resolved


def _steps_read(outputs: dict[str, Json]) -> Iterator[str]:
    for _, text in in_values(outputs, ""):
        yield from (reference.step for reference in expressions.check(text).references if reference.step)
