"""Orders for runs: an input checked against its workflow, ready for the engine to start."""

import secrets
from collections.abc import Mapping
from typing import Any

import jsonschema_rs
import orjson

from agents import tracing
from agents.cleaning import clean
from agents.errors import OutputRejected
from agents.types import Json
from orchestrator.db import RunOrder
from orchestrator.definitions import expressions
from orchestrator.definitions.plan import Plan
from orchestrator.engine.plans import plan_of
from orchestrator.errors import IdempotencyConflict, InvalidInput, WorkflowNotFound, WorkflowNotPublished
from orchestrator.models import Run, Workflow


def find_workflow(name: str) -> Workflow:
    """The workflow by its name. Raises WorkflowNotFound, and WorkflowNotPublished when it has no version to run."""
    workflow = Workflow.objects.filter(name=name).first()
    if workflow is None:
        raise WorkflowNotFound(name=name)
    if workflow.current_version_id is None:
        raise WorkflowNotPublished(name=name)
    return workflow


def draw_up(
    workflow: Workflow,
    given: Mapping[str, Any],
    *,
    user: int | None,
    title: str,
    key: str | None,
    correlation: str,
    priority: int | None,
    actor: str,
    version: int | None = None,
) -> RunOrder:
    """An order for one run of a version, by default the current one. Raises InvalidInput naming the field."""
    version = version or workflow.current_version_id
    assert version is not None
    plan = plan_of(version)
    cleaned = _valid_input(plan, given)
    return RunOrder(
        workflow=workflow.pk,
        version=version,
        title=(title or _title(plan, cleaned) or workflow.title)[:300],
        input_json=orjson.dumps(cleaned).decode(),
        user=user,
        key=key,
        correlation=correlation or _trace() or secrets.token_hex(16),
        priority=plan.priority if priority is None else priority,
        weight=workflow.weight or max(plan.weight, 1),
        actor=actor,
    )


def _trace() -> str:
    """The trace of the request that asks for the run: its id is the run's correlation id."""
    trace = tracing.current()
    return trace.trace_id if trace else ""


def input_of(order: RunOrder) -> dict[str, Json]:
    """The cleaned input that the order carries."""
    given: dict[str, Json] = orjson.loads(order.input_json)
    return given


def started_before(order: RunOrder) -> Run | None:
    """The run that this idempotency key has started. Raises IdempotencyConflict when its input was another."""
    run = Run.objects.filter(workflow_id=order.workflow, idempotency_key=order.key).first()
    if run is not None and run.input != orjson.loads(order.input_json):
        raise IdempotencyConflict(key=order.key)
    return run


def _valid_input(plan: Plan, given: Mapping[str, Any]) -> dict[str, Json]:
    try:
        cleaned = clean(dict(given)).value
    except OutputRejected as problem:
        raise InvalidInput(name=plan.name, path="the top", problem=str(problem)) from problem
    if plan.input_schema:
        error = next(jsonschema_rs.validator_for(plan.input_schema).iter_errors(cleaned), None)
        if error is not None:
            path = ".".join(map(str, error.instance_path)) or "the top"
            raise InvalidInput(name=plan.name, path=path, problem=error.message)
    assert isinstance(cleaned, dict)
    return cleaned


def _title(plan: Plan, given: dict[str, Json]) -> str:
    try:
        return expressions.render_text(plan.title, {"input": given})
    except expressions.ExpressionError:
        return ""
