"""JSON Schemas inside definitions: are they schemas, safe to run, and does a literal value satisfy one?"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jsonschema_rs
import orjson

from agents.types import Json

MAX_SCHEMA = 100_000  # bytes


def schema_flaw(schema: Any) -> tuple[str, str] | None:
    """What is wrong with a JSON Schema and what to do, or None. It may refer to itself only, never to an address."""
    if not isinstance(schema, dict):
        return "must be a JSON Schema", "write type: object and properties:"
    if len(orjson.dumps(schema)) > MAX_SCHEMA:
        return f"is larger than {MAX_SCHEMA:,} bytes", "make it smaller"
    if outside := _outside_reference(schema):
        return f'refers to "{outside:.80}"', 'use only references that start with "#"'
    try:
        _validator(orjson.dumps(schema))
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as problem:
        return f"is not a JSON Schema: {_first_line(problem)}", "see json-schema.org"
    return None


def violations(schema: Mapping[str, Json], value: Json) -> list[tuple[str, str]]:
    """Where and how `value` breaks `schema`, as (path, message) pairs."""
    validator = _validator(orjson.dumps(schema))
    return [
        (".".join(str(part) for part in error.instance_path), _first_line(error))
        for error in validator.iter_errors(value)
    ]


def properties(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The fields a schema knows, or None if it allows others too (then any name may be right)."""
    known = schema.get("properties")
    open_ended = schema.get("additionalProperties", False) is not False or "patternProperties" in schema
    combined = any(word in schema for word in ("$ref", "allOf", "anyOf", "oneOf", "if", "dependentSchemas"))
    return dict(known) if isinstance(known, dict) and known and not open_ended and not combined else None


@lru_cache(maxsize=512)
def _validator(schema: bytes) -> Any:
    return jsonschema_rs.validator_for(orjson.loads(schema), pattern_options=jsonschema_rs.RegexOptions())


def _outside_reference(schema: Any) -> str:
    waiting = [schema]
    while waiting:
        match waiting.pop():
            case dict() as mapping:
                for word in ("$ref", "$dynamicRef", "$schema", "$id"):
                    target = mapping.get(word)
                    allowed = word == "$schema" or not isinstance(target, str) or target.startswith("#")
                    if not allowed:
                        return str(target)
                waiting.extend(mapping.values())
            case list() as items:
                waiting.extend(items)
    return ""


def _first_line(problem: Exception) -> str:
    return (getattr(problem, "message", "") or str(problem)).splitlines()[0][:200]
