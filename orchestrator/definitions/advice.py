"""What a definition leaves to defaults: shown when it is published, never a reason to refuse it."""

from collections.abc import Iterator

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
    return tuple(found[:MAX_ADVICE])


def _defaults(definition: Definition, source: StepSource, step: PlanStep) -> Iterator[tuple[str, str, str]]:
    errors, configuration = definition.error_handling, definition.configuration
    if source.type == "automated":
        if "timeout" not in source.fields and "timeout" not in errors:
            yield "timeout", f"is not set; {step.timeout:g} s is used", "set it here or in error_handling.timeout"
        if "on_error" not in source.fields and "on_error" not in errors:
            yield (
                "on_error",
                "is not set; the run fails after the last try",
                "set it here or in error_handling.on_error",
            )
    own = {*source.fields, *source.fields.get("gate", {})}
    if step.gate and "deadline" not in own and "deadline" not in configuration:
        days = step.gate.deadline_s / 86400
        yield "gate.deadline", f"is not set; {days:g} days are used", "set it here or in configuration.deadline"
    if source.type in {"wait_event", "wait_callback"} and "deadline" not in source.fields and step.wait:
        days = step.wait.deadline_s / 86400
        yield "deadline", f"is not set; {days:g} days are used, then the run fails", "set deadline and on_deadline"
    if source.type == "conditional" and "default" not in source.fields:
        yield "default", "is not set; if no branch holds, all of them are skipped", "name the steps that run then"
