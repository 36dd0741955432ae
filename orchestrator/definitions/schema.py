"""The published JSON Schema of definitions, made from the tables in `fields`, for editors.

`python -m orchestrator.definitions.schema > static/schema/workflow-v1.json` writes it; a test compares the two.
"""

import json
import sys
from collections.abc import Mapping
from typing import Any

from orchestrator.definitions.fields import (
    AGENT,
    BODY_TYPES,
    DOCUMENT,
    DURATION,
    KEY,
    LONGEST,
    LONGEST_WAIT,
    NAME,
    NOT_IN_BODY,
    POOL,
    RISKS,
    SIGNAL,
    STEP_TYPES,
    Field,
)
from orchestrator.definitions.load import MAX_STEPS

ADDRESS = "/static/schema/workflow-v1.json"


def workflow_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of a definition file. It checks the form; publishing checks the sense as well."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ADDRESS,
        "title": "Watchkeeper workflow",
        **_object(DOCUMENT),
        "$defs": {
            "key": {"type": "string", "pattern": f"^{KEY.pattern}$"},
            "name": {"type": "string", "pattern": f"^{NAME.pattern}$"},
            "agent": {"type": "string", "pattern": f"^{AGENT.pattern}$"},
            "duration": _duration(LONGEST),
            "wait": _duration(LONGEST_WAIT),
            "steps": {"type": "array", "minItems": 1, "maxItems": MAX_STEPS, "items": {"$ref": "#/$defs/step"}},
            "step": {
                "type": "object",
                "required": ["key", "type"],
                "properties": {"type": {"enum": list(STEP_TYPES)}},
                "allOf": [_when_type(kind, fields) for kind, fields in STEP_TYPES.items()],
            },
            "body": {
                "type": "object",
                "required": ["type"],
                "properties": {"type": {"enum": [kind for kind in STEP_TYPES if kind in BODY_TYPES]}},
                "allOf": [_when_type(kind, _inner(kind)) for kind in STEP_TYPES if kind in BODY_TYPES],
            },
        },
    }


def _inner(kind: str) -> dict[str, Field]:
    """The fields of a step inside a map or loop."""
    return {name: field for name, field in STEP_TYPES[kind].items() if name not in NOT_IN_BODY}


def _duration(longest: float) -> dict[str, Any]:
    return {
        "anyOf": [
            {"type": "string", "pattern": f"^{DURATION.pattern}$"},
            {"type": "number", "exclusiveMinimum": 0, "maximum": longest},
        ]
    }


def _when_type(kind: str, fields: Mapping[str, Field]) -> dict[str, Any]:
    return {"if": {"properties": {"type": {"const": kind}}, "required": ["type"]}, "then": _object(fields)}


def _object(fields: Mapping[str, Field]) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: {"description": field.about, **_field(field)} for name, field in fields.items()},
        "additionalProperties": False,
    }
    if required := [name for name, field in fields.items() if field.required]:
        schema["required"] = required
    return schema


def _field(field: Field) -> dict[str, Any]:
    match field.kind:
        case "group":
            return _object(field.fields)
        case "list":
            return {"type": "array", "minItems": 1, "items": _object(field.fields)}
        case "choice":
            return {"enum": list(field.choices)}
        case "verdicts" | "choices":
            return {"type": "array", "minItems": 1, "items": {"enum": list(field.choices)}}
        case "integer" | "number":
            return {"type": field.kind, "minimum": field.low, "maximum": field.high}
        case kind:
            return _PLAIN[kind]


_TEXT = {"type": "string", "minLength": 1}
_KEYS = {"type": "array", "items": {"$ref": "#/$defs/key"}}
_PLAIN: dict[str, dict[str, Any]] = {
    "text": _TEXT,
    "template": _TEXT,
    "expression": _TEXT,
    "texts": {"type": "array", "maxItems": 50, "items": _TEXT},
    "condition": {"anyOf": [_TEXT, {"type": "boolean"}]},
    "key": {"$ref": "#/$defs/key"},
    "keys": _KEYS,
    "name": {"$ref": "#/$defs/name"},
    "pool": {"type": "string", "pattern": f"^{POOL.pattern}$"},
    "agent": {"$ref": "#/$defs/agent"},
    "duration": {"$ref": "#/$defs/duration"},
    "wait": {"$ref": "#/$defs/wait"},
    "span": {"anyOf": [{"$ref": "#/$defs/wait"}, {"type": "string", "pattern": "^\\$\\{"}]},
    "signal": {"type": "string", "pattern": f"^{SIGNAL.pattern}$"},
    "steps": {"$ref": "#/$defs/steps"},
    "type": {"enum": list(STEP_TYPES)},
    "risk": {"anyOf": [{"enum": list(RISKS)}, {"type": "string", "pattern": "^\\$\\{"}]},
    "flag": {"type": "boolean"},
    "join": {"anyOf": [{"enum": ["all", "any", "done"]}, {"type": "integer", "minimum": 1}]},
    "body": {"$ref": "#/$defs/body"},
    "mapping": {"type": "object"},
    "schema": {"type": "object"},
    "dependencies": {"type": "object", "propertyNames": {"$ref": "#/$defs/key"}, "additionalProperties": _KEYS},
}


def schema_text() -> str:
    """The file as it is published."""
    return json.dumps(workflow_schema(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
