"""What a definition leaves to defaults: shown when it is published, never a reason to refuse it."""

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.definitions.errors import DefinitionProblem
from orchestrator.definitions.load import Definition, StepSource
from orchestrator.definitions.plan import Plan, PlanStep

MAX_ADVICE = 50


def advice(definition: Definition, plan: Plan) -> tuple[DefinitionProblem, ...]:
    """One line for each default that an author should know of: timeouts, failures, deadlines, a missing way out."""
    planned = {step.key: step for step in plan.steps}
    found = [
        DefinitionProblem(definition.file, source.key, field, message, remedy, source.line)
        for source in definition.steps
        for field, message, remedy in _defaults(definition, source, planned[source.key])
    ]
    found += [
        DefinitionProblem(definition.file, "", field, message, remedy, 0) for field, message, remedy in _whole(plan)
    ]
    return tuple(found[:MAX_ADVICE])


def _whole(plan: Plan) -> Iterator[tuple[str, str, str]]:
    undone = [step.key for step in plan.steps if step.compensate]
    if plan.on_failure == "compensate" and not undone:
        yield "error_handling.on_failure", "says compensate, but no step has one", "add compensate to steps that act"
    if undone and plan.on_failure != "compensate":
        keys = ", ".join(undone[:5])
        message = f"is not set; {keys} are undone after business errors and on request only"
        yield "error_handling.on_failure", message, "say compensate to undo them after every failure"
    if undone and not plan.business_queue:
        yield "error_handling.business_queue", "is not set; nobody is told of what is undone", "name a queue"


def _defaults(definition: Definition, source: StepSource, step: PlanStep) -> Iterator[tuple[str, str, str]]:
    errors, configuration = definition.error_handling, definition.configuration
    if source.type == "automated":
        yield from _of_call(source, errors, step)
    own = {*source.fields, *source.fields.get("gate", {})}
    if step.gate and "deadline" not in own and "deadline" not in configuration:
        days = step.gate.deadline_s / 86400
        yield "gate.deadline", f"is not set; {days:g} days are used", "set it here or in configuration.deadline"
    if source.type in {"wait_event", "wait_callback"} and "deadline" not in source.fields and step.wait:
        days = step.wait.deadline_s / 86400
        yield "deadline", f"is not set; {days:g} days are used, then the run fails", "set deadline and on_deadline"
    if step.kind == "manual" and "on_timeout" not in own:
        yield "on_timeout", "is not set; people are asked again for ever", "say reject to time it out at its deadline"
    if source.type == "conditional" and "default" not in source.fields:
        yield "default", "is not set; if no branch holds, all of them are skipped", "name the steps that run then"


def _of_call(source: StepSource, errors: Mapping[str, Any], step: PlanStep) -> Iterator[tuple[str, str, str]]:
    if "timeout" not in source.fields and "timeout" not in errors:
        yield "timeout", f"is not set; {step.timeout:g} s is used", "set it here or in error_handling.timeout"
    if not {"on_error", "optional"} & source.fields.keys() and "on_error" not in errors:
        message = "is not set; after the last try people are asked, and what trying cannot mend fails the run"
        yield "on_error", message, "set it here or in error_handling.on_error"
    if "retry" not in source.fields and "retry" not in errors:
        message = f"is not set; a failed try is repeated up to {step.retry.attempts - 1} times"
        yield "retry", message, "set it here or in error_handling.retry"
    if step.optional and not step.impact:
        yield "impact", "is not set; nobody learns what the result lacks without it", "say it in one sentence"
