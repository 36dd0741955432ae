"""A value that fits a JSON Schema, always the same: what a stub agent answers and a rehearsed person fills in."""

from typing import Any

from agents.types import Json

DEPTH = 12
_TEXTS = {
    "date-time": "2026-01-15T09:30:00Z",
    "date": "2026-01-15",
    "time": "09:30:00Z",
    "email": "someone@example.org",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
}


def sample(schema: Any, root: Any = None, depth: int = 0) -> Json:
    """A value for `schema`; references are followed within `root`. What it cannot read yields an empty object."""
    root = schema if root is None else root
    if not isinstance(schema, dict) or depth > DEPTH:
        return {}
    stated = [schema[word] for word in ("const", "default") if word in schema]
    stated += [schema[word][0] for word in ("examples", "enum") if schema.get(word)]
    if stated:
        first: Json = stated[0]
        return first
    if "$ref" in schema:
        return sample(_followed(schema["$ref"], root), root, depth + 1)
    for word in ("anyOf", "oneOf", "allOf"):
        if schema.get(word):
            return sample({**{k: v for k, v in schema.items() if k != word}, **schema[word][0]}, root, depth + 1)
    return _of_type(schema, root, depth)


def _of_type(schema: dict[str, Any], root: Any, depth: int) -> Json:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            wanted = schema.get("properties", {})
            return {name: sample(inner, root, depth + 1) for name, inner in wanted.items()}
        case "array":
            return [sample(schema.get("items", {}), root, depth + 1)] * max(1, int(schema.get("minItems", 1)))
        case "integer":
            return int(_number(schema))
        case "number":
            return _number(schema)
        case "boolean":
            return True
        case "null":
            return None
    return _text(schema)


def _number(schema: dict[str, Any]) -> float:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is not None and high is not None:
        return float(low + high) / 2
    return float(low + 1 if low is not None else high - 1 if high is not None else 1)


def _text(schema: dict[str, Any]) -> str:
    text = _TEXTS.get(schema.get("format", ""), "rehearsed")
    text = text.ljust(int(schema.get("minLength", 0)), ".")
    return text[: int(schema["maxLength"])] if "maxLength" in schema else text


def _followed(reference: str, root: Any) -> Any:
    found = root
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, dict) else {}
    return found
