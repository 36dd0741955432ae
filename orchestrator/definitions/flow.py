"""Does what one step hands over fit what the next one takes? Types are compared where both sides promise one.

Only a value that is one reference (`"${steps.triage.score}"`) has a type that is known before a run; anything that is
computed is checked by the agent's contract when it runs.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from agents.types import Json
from orchestrator.definitions import expressions
from orchestrator.definitions.expressions import ExpressionError

type Schema = Mapping[str, Any]
type SchemaOf = Callable[[str], Schema | None]  # a step's key, or "" for the run's input

_ALL = frozenset({"string", "number", "boolean", "array", "object", "null"})


def misfits(inputs: Mapping[str, Json], wanted: Schema, schema_of: SchemaOf) -> Iterator[tuple[str, str, str]]:
    """Inputs that can never be right, as (field, what is wrong, remedy)."""
    for name, value in inputs.items():
        taken = wanted.get("properties", {}).get(name)
        given = _given(value, schema_of) if isinstance(taken, Mapping) else None
        if given is None or not isinstance(taken, Mapping):
            continue
        what, types = given
        accepted = types_of(taken)
        if not types & accepted:
            yield (
                f"inputs.{name}",
                f'"{what}" is {_named(types)}, but {_named(accepted)} is wanted',
                "convert it in the expression or read another field",
            )


def types_of(schema: Schema) -> frozenset[str]:
    """The JSON types that a schema lets through, as far as it says so plainly; integers count as numbers."""
    if "const" in schema:
        return frozenset({_type(schema["const"])})
    if isinstance(schema.get("enum"), list):
        return frozenset(_type(value) for value in schema["enum"])
    for word in ("anyOf", "oneOf"):
        if isinstance(schema.get(word), list) and schema[word]:
            return frozenset().union(*(types_of(part) if isinstance(part, Mapping) else _ALL for part in schema[word]))
    written = schema.get("type")
    names = [written] if isinstance(written, str) else written if isinstance(written, list) else []
    found = frozenset("number" if name == "integer" else str(name) for name in names)
    return found & _ALL or _ALL


def _given(value: Json, schema_of: SchemaOf) -> tuple[str, frozenset[str]] | None:
    """What a value refers to and the types it may have; None if it is no reference or its type is not promised."""
    if not isinstance(value, str) or not value.strip().startswith("${"):
        return None
    try:
        source = expressions.check(expressions.unwrap(value))
    except ExpressionError:
        return None
    if not source.is_path or len(source.references) != 1:
        return None
    reference = source.references[0]
    key, path = (reference.step, reference.path[1:]) if reference.root == "steps" else ("", reference.path)
    if reference.root not in ("steps", "input") or not path:
        return None
    schema: Any = schema_of(key)
    for part in path:
        schema = schema.get("properties", {}).get(part) if isinstance(schema, Mapping) else None
    return (str(reference), types_of(schema)) if isinstance(schema, Mapping) else None


def _type(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def _named(types: frozenset[str]) -> str:
    names = {"array": "a list", "object": "a mapping", "null": "nothing", "boolean": "true or false"}
    return " or ".join(names.get(name, f"a {name}") for name in sorted(types))
