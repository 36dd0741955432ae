"""The context contract: which fields a JSON Schema names, and how they are tagged; the rest is stripped. No Django.

A schema that names no fields, or says `additionalProperties`, takes any; where branches (anyOf, oneOf, allOf, if)
differ, a field that one of them names is kept. The contract itself is checked afterwards.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agents.types import Json

X_TAGS: Final = "x-tags"
DEEPEST: Final = 12  # a schema that refers to itself is open below this
_BRANCHES: Final = ("allOf", "anyOf", "oneOf")
_SINGLES: Final = ("if", "then", "else")
_OPENING: Final = ("patternProperties", "unevaluatedProperties", "dependentSchemas", "$dynamicRef")


@dataclass(slots=True)
class Shape:
    """One place of a schema. `is_open`: any field may stand there."""

    fields: dict[str, "Shape"] = field(default_factory=dict)
    is_open: bool = True
    items: "Shape | None" = None
    tags: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    is_deep: bool = False  # something below the top closes or tags

    @property
    def matters(self) -> bool:
        """Whether a value may have to be changed here or below."""
        return not self.is_open or bool(self.tags) or self.is_deep


def shape_of(schema: Mapping[str, Any]) -> Shape:
    """The shape of a whole schema."""
    return _shape(schema, schema, 0)


def tags_in(shape: Shape, path: str = "") -> Iterator[tuple[str, frozenset[str]]]:
    """Every tagged place: `customer.ssn`, `orders[].card`."""
    if shape.tags:
        yield path, shape.tags
    for name, inner in shape.fields.items():
        yield from tags_in(inner, f"{path}.{name}" if path else name)
    if shape.items is not None:
        yield from tags_in(shape.items, f"{path}[]")


def _shape(root: Mapping[str, Any], schema: Any, depth: int) -> Shape:
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        return Shape()
    shape = Shape(tags=frozenset(map(str, schema.get(X_TAGS, ()))))
    for part in _parts(root, schema, 0):
        shape.tags |= frozenset(map(str, part.get(X_TAGS, ())))
        for name, inner in (part.get("properties") or {}).items():
            found = _shape(root, inner, depth + 1)
            shape.fields[name] = _both(shape.fields[name], found) if name in shape.fields else found
        if isinstance(part.get("items"), Mapping) and "prefixItems" not in part:
            found = _shape(root, part["items"], depth + 1)
            shape.items = _both(shape.items, found) if shape.items else found
    shape.is_open = _is_open(root, schema, shape)
    shape.names = frozenset(shape.fields)
    shape.is_deep = any(inner.matters for inner in shape.fields.values()) or bool(shape.items and shape.items.matters)
    return shape


def _both(one: Shape, other: Shape) -> Shape:
    """What either branch lets through; a tag of either counts."""
    fields = {**one.fields, **other.fields}
    for name in one.names & other.names:
        fields[name] = _both(one.fields[name], other.fields[name])
    items = _both(one.items, other.items) if one.items and other.items else one.items or other.items
    merged = Shape(fields, one.is_open or other.is_open, items, one.tags | other.tags, frozenset(fields))
    merged.is_deep = one.is_deep or other.is_deep
    return merged


def _parts(root: Mapping[str, Any], schema: Mapping[str, Any], depth: int) -> Iterator[Mapping[str, Any]]:
    """The schema with what it refers to and all its branches: one level of the value."""
    if depth > DEEPEST:
        return
    yield schema
    target = _target(root, schema.get("$ref"))
    inner = [
        target,
        *(part for key in _BRANCHES for part in schema.get(key) or ()),
        *(schema.get(key) for key in _SINGLES),
    ]
    for part in inner:
        if isinstance(part, Mapping):
            yield from _parts(root, part, depth + 1)


def _target(root: Mapping[str, Any], reference: object) -> Mapping[str, Any] | None:
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    found: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        if part:
            found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else None


def _is_open(root: Mapping[str, Any], schema: Mapping[str, Any], shape: Shape) -> bool:
    """Open if nothing is named, or any part says that other fields may come."""
    if not shape.fields:
        return not any(part.get("additionalProperties") is False for part in _parts(root, schema, 0))
    return any(
        part.get("additionalProperties", False) is not False or any(part.get(key) for key in _OPENING)
        for part in _parts(root, schema, 0)
    ) or any(_takes_any_object(root, part) for part in _alternatives(root, schema))


def _alternatives(root: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for part in _parts(root, schema, 0):
        for key in ("anyOf", "oneOf"):
            yield from (one for one in part.get(key) or () if isinstance(one, Mapping))


def _takes_any_object(root: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    """An alternative that is an object without named fields: whatever it holds was meant."""
    kind = schema.get("type", "object" if schema.keys() <= {"description", "title", X_TAGS} else "")
    is_object = kind == "object" or (isinstance(kind, list) and "object" in kind)
    return is_object and not any(part.get("properties") for part in _parts(root, schema, 0))


class Stripper:
    """One walk over one value: drops what the shape does not name and what is tagged beyond `sees`."""

    __slots__ = ("_sees", "names", "seen")

    def __init__(self, sees: frozenset[str]) -> None:
        self._sees = sees
        self.names: list[str] = []
        self.seen: dict[str, frozenset[str]] = {}  # tagged fields that stay

    def strip(self, value: Json, shape: Shape, path: str = "") -> Json:
        """The value without it; the very same object if nothing is dropped."""
        if isinstance(value, dict):
            return self._object(value, shape, path)
        if isinstance(value, list) and shape.items is not None and shape.items.matters:
            kept = [self.strip(item, shape.items, f"{path}[]") for item in value]
            return kept if any(new is not old for new, old in zip(kept, value, strict=True)) else value
        return value

    def _object(self, value: dict[str, Json], shape: Shape, path: str) -> Json:
        kept: dict[str, Json] = {}
        changed = False
        for name, item in value.items():
            inner = shape.fields.get(name)
            place = f"{path}.{name}" if path else name
            if (inner is None and not shape.is_open) or (inner is not None and not inner.tags <= self._sees):
                self.names.append(place)
                changed = True
                continue
            if inner is not None and inner.tags:
                self.seen[place] = inner.tags
            kept[name] = self.strip(item, inner, place) if inner is not None and inner.matters else item
            changed = changed or kept[name] is not item
        return kept if changed else value
