"""The form in which a person edits an output or does manual work, made from a JSON Schema. Pure: values in and out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import orjson
from django.utils.translation import gettext as _

from agents.types import Json
from approvals.wording import spoken
from orchestrator import rendering

type Kind = Literal["line", "text", "lines", "number", "integer", "yes_no", "choice", "json"]

PREFIX: Final = "answer."
LONG: Final = 90  # a longer text gets several lines


@dataclass(frozen=True, slots=True)
class Field:
    """One field as it is shown: `text` is what it holds, `stored` what it holds when nobody touches it."""

    name: str
    title: str
    kind: Kind
    help: str
    required: bool
    options: tuple[str, ...]
    stored: str
    text: str
    problem: str = ""

    @property
    def control(self) -> str:
        """Its name in the form."""
        return PREFIX + self.name

    @property
    def hidden(self) -> int:
        """How many characters in it a reader would not see."""
        return rendering.hidden_characters(self.text)

    @property
    def is_folded(self) -> bool:
        """Whether it may stay out of sight: only who knows JSON changes it, and nothing is missing or wrong in it."""
        return self.kind == "json" and not self.problem and bool(self.text or not self.required)

    @property
    def is_plain(self) -> bool:
        """Whether people edit it without knowing JSON."""
        return self.kind != "json"


@dataclass(frozen=True, slots=True)
class Reading:
    """A filled-in form: its fields as typed, and what could be read of it."""

    fields: tuple[Field, ...]
    document: dict[str, Json]

    @property
    def is_readable(self) -> bool:
        """Whether every field could be read."""
        return not any(field.problem for field in self.fields)


def fields_of(schema: Mapping[str, Any], stored: Mapping[str, Json]) -> tuple[Field, ...]:
    """A field for each property of the schema and each value that is there; what needs JSON comes last.

    Stored JSON forgets the order of names but not that of lists: what is required comes first, in its author's order.
    """
    known = schema.get("properties")
    properties: Mapping[str, Any] = known if isinstance(known, dict) else {}
    required = [name for name in schema.get("required", ()) if isinstance(name, str)]
    known_names = [name for name in dict.fromkeys((*required, *properties)) if name in properties]
    names = [*known_names, *(name for name in stored if name not in properties)]
    found = [_field(name, _spec(properties.get(name)), stored, name in required) for name in names]
    return tuple(sorted(found, key=lambda field: not field.is_plain))


def with_values(fields: tuple[Field, ...], values: Mapping[str, Json]) -> tuple[Field, ...]:
    """The fields holding other values, a kept draft's for instance."""
    return tuple(
        replace(field, text=_shown(values[field.name], field.kind)) if field.name in values else field
        for field in fields
    )


def with_problem(fields: tuple[Field, ...], path: str, problem: str) -> tuple[Field, ...]:
    """The fields, the one that `path` (like `findings[2].title`) leads into marked with what is wrong there."""
    name = re.split(r"[.\[]", path, maxsplit=1)[0]
    return tuple(replace(field, problem=problem) if field.name == name else field for field in fields)


def is_filled(posted: Mapping[str, str]) -> bool:
    """Whether a form with fields of an answer was sent at all."""
    return any(name.startswith(PREFIX) for name in posted)


def read(
    fields: tuple[Field, ...], stored: Mapping[str, Json], posted: Mapping[str, str], *, is_work: bool = False
) -> Reading:
    """Read what was typed. A field that nobody touched keeps its stored value, to the last digit.

    Work (`is_work`) starts from a draft: a needed text that was emptied is missing. In an edit an empty text is a text.
    """
    answered: list[Field] = []
    document: dict[str, Json] = {}
    for field in fields:
        text = posted.get(field.control, "").replace("\r\n", "\n")
        value, problem = _value(field, text, stored)
        if is_work and field.required and value == "":
            problem = _("Fill this in.")
        answered.append(replace(field, text=text, problem=problem))
        if value is not None or (field.name in stored and stored[field.name] is None):
            document[field.name] = value
    return Reading(tuple(answered), document)


def _field(name: str, spec: Mapping[str, Any], stored: Mapping[str, Json], required: bool) -> Field:
    options = tuple(str(option) for option in spec.get("enum", ()) if isinstance(option, str))
    value = stored.get(name, spec.get("default"))
    kind = _kind(spec, options, value)
    text = _shown(value, kind)
    title = str(spec.get("title") or spoken(name))
    return Field(name, title, kind, str(spec.get("description") or ""), required, options, text, text)


def _spec(given: Any) -> Mapping[str, Any]:
    return given if isinstance(given, dict) else {}


def _kind(spec: Mapping[str, Any], options: tuple[str, ...], value: Json) -> Kind:
    if options:
        return "choice" if value is None or value in options else "json"
    declared = spec.get("type")
    if declared is None and not spec.keys() & {"anyOf", "oneOf", "allOf", "$ref", "const"}:
        declared = _type_of(value)
    fits = value is None or _type_of(value) == ("number" if declared == "integer" else declared)
    return _kind_of_type(declared, spec, value) if fits else "json"


def _kind_of_type(declared: Any, spec: Mapping[str, Any], value: Json) -> Kind:
    match declared:
        case "string":
            is_long = spec.get("maxLength", LONG + 1) > LONG and "format" not in spec
            return "text" if is_long and (value is None or len(str(value)) > LONG or "\n" in str(value)) else "line"
        case "number" | "integer" | "boolean":
            kinds: dict[Any, Kind] = {"number": "number", "integer": "integer", "boolean": "yes_no"}
            return kinds[declared]
        case "array" if _is_lines(_spec(spec.get("items")), value):
            return "lines"
    return "json"


def _is_lines(items: Mapping[str, Any], value: Json) -> bool:
    held = value if isinstance(value, list) else []
    return items.get("type") == "string" and "enum" not in items and all("\n" not in str(item) for item in held)


def _type_of(value: Json) -> str:
    match value:
        case bool():
            return "boolean"
        case str():
            return "string"
        case int() | float():
            return "number"
        case list():
            return "array"
    return "object"


def _shown(value: Json, kind: Kind) -> str:
    if value is None and kind != "json":
        return ""
    if kind == "yes_no":
        return "on" if value else ""
    if kind == "lines" and isinstance(value, list):
        return "\n".join(str(item) for item in value)
    if isinstance(value, str) and kind != "json":
        return value
    return "" if value is None else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _value(field: Field, text: str, stored: Mapping[str, Json]) -> tuple[Json, str]:
    """The value typed into one field, or what is wrong with it. None leaves it out."""
    if text == field.stored and field.name in stored:
        return stored[field.name], ""
    if not text and not field.stored and not field.required and stored:
        return None, ""  # editing: what was not there stays away
    if field.kind == "yes_no":
        return text == "on", ""
    if field.kind == "lines":
        return [line.strip() for line in text.split("\n") if line.strip()], ""
    if not text.strip():
        return _empty(field, stored)
    return _typed(field, text)


def _empty(field: Field, stored: Mapping[str, Json]) -> tuple[Json, str]:
    if isinstance(stored.get(field.name), str):
        return "", ""
    return None, _("Fill this in.") if field.required else ""


def _typed(field: Field, text: str) -> tuple[Json, str]:
    try:
        match field.kind:
            case "integer":
                return int(text), ""
            case "number":
                return _number(text), ""
            case "json":
                return orjson.loads(text), ""
    except ValueError:
        kinds = {"integer": _("a whole number"), "number": _("a number"), "json": _("JSON")}
        return None, _("This is not %(kind)s.") % {"kind": kinds[field.kind]}
    return text, ""


def _number(text: str) -> float:
    found = float(text)
    if found in {float("inf"), float("-inf")} or found != found:
        raise ValueError(text)
    return int(found) if found.is_integer() and "." not in text and "e" not in text.lower() else found
