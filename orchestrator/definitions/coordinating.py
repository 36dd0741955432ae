"""Steps that spawn tasks: map, loop and patterns, and the joins that wait for several ways."""

from collections.abc import Iterator
from typing import Any

from orchestrator.definitions import contracts, expressions
from orchestrator.definitions.load import StepSource
from orchestrator.definitions.plan import LoopSpec, MapSpec
from orchestrator.definitions.references import condition

type Flaw = tuple[str, str, str]  # field, what is wrong, what to do


def map_of(step: StepSource) -> MapSpec | None:
    """A map step's settings."""
    if step.type != "map":
        return None
    fields = step.fields
    named = {name: fields[name] for name in ("batch", "at_once", "tolerate", "most") if name in fields}
    return MapSpec(over=f"${{{expressions.unwrap(fields['over'])}}}", **named)


def loop_of(step: StepSource) -> LoopSpec | None:
    """A loop step's settings."""
    if step.type != "loop":
        return None
    fields = step.fields
    return LoopSpec(until=condition(fields["until"]), most=fields["most"], on_bound=fields.get("on_bound", "ask"))


def need_of(step: StepSource, before: int) -> int:
    """A join as the number that the engine counts to."""
    rule: Any = step.fields.get("join", "all")
    return {"all": 0, "any": 1, "done": -1}.get(rule, rule if isinstance(rule, int) and before else 0)


def join_flaws(step: StepSource, before: int) -> Iterator[Flaw]:
    """What would make a join wait for ever, or not be one."""
    rule = step.fields.get("join")
    if rule not in (None, "all") and not before:
        yield "join", "no step comes before it", "leave join out"
    if isinstance(rule, int) and rule > before > 0:
        yield "join", f"{rule} steps must succeed, but only {before} come before it", "ask for fewer"
    if step.fields.get("cancel_rest") and rule in (None, "all", "done"):
        yield "cancel_rest", "nothing is left to cancel when all have ended", "use join: any or a number"


def option_flaws(options: dict[str, Any], schema: dict[str, Any]) -> Iterator[Flaw]:
    """What in a pattern's options does not fit its schema; values with expressions are checked when they are known."""
    for path, message in contracts.violations(schema, options):
        if not _is_expression(options, path):
            yield f"options.{path}" if path else "options", message, ""


def _is_expression(options: Any, path: str) -> bool:
    value = options
    for part in path.split(".") if path else ():
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, dict):
            value = value.get(part)
    return isinstance(value, str) and "${" in value
