"""The form that starts a run, made from the workflow's input schema. Pure: a schema in, fields and a document out."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import orjson
from django.utils.translation import gettext as _

from agents.types import Json

type FieldKind = Literal["line", "text", "date", "number", "integer", "yes_no", "choice", "json"]

LONG_TEXT: Final = 200  # a string that may be longer gets several lines
PREFIX: Final = "input."
WORDS: Final = "x-words"  # what people call each option: beside an `enum` of ours, or the whole numbers to choose from
CODE: Final = "x-code"  # a text in a language for machines
NAMED: Final = "x-named"  # what a link says which it is: not shown, unless there is no such link


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the form, with what was typed into it and what is wrong with that."""

    name: str
    title: str
    kind: FieldKind
    help: str
    required: bool
    options: tuple[str, ...] = ()
    value: str = ""
    problem: str = ""
    words: Mapping[str, str] = dataclasses.field(default_factory=dict)
    is_named: bool = False
    is_code: bool = False
    is_whole: bool = False

    @property
    def is_hidden(self) -> bool:
        """Whether it only says what this is about, which the page says in words."""
        return self.is_named and bool(self.value) and not self.problem

    @property
    def choices(self) -> list[tuple[str, str]]:
        """The options, with what people call them."""
        return [(option, self.words.get(option, option)) for option in self.options]

    @property
    def control(self) -> str:
        """Its name in the form."""
        return PREFIX + self.name


@dataclass(frozen=True, slots=True)
class Answer:
    """What was typed: the fields as they were filled in and, if every one could be read, the document."""

    fields: tuple[Field, ...]
    document: dict[str, Json]

    @property
    def is_readable(self) -> bool:
        """Whether every field could be read."""
        return not any(one.problem for one in self.fields)

    @property
    def is_unfinished(self) -> bool:
        """Whether nothing is wrong with it but that something is still missing."""
        wrong = [one for one in self.fields if one.problem]
        return bool(wrong) and not any(one.value.strip() for one in wrong)


def choice(title: str, words: Mapping[str, object]) -> dict[str, Any]:
    """The schema of a choice: what is stored, and what people call it."""
    said = {option: str(one) for option, one in words.items()}
    return {"type": "string", "enum": list(said), "title": title, WORDS: said}


def yes_or_no(title: str) -> dict[str, Any]:
    """The schema of a question."""
    return choice(title, {"yes": _("Yes"), "no": _("No")})


def fields_of(schema: Mapping[str, Any]) -> tuple[Field, ...]:
    """One field for each property of a flat object; none if the schema names no properties: then JSON is typed."""
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return ()
    required = set(schema.get("required", ()))
    fields = (
        _field(name, spec if isinstance(spec, dict) else {}, name in required) for name, spec in properties.items()
    )
    return tuple(sorted(fields, key=lambda field: not field.required))  # stored JSON keeps no order of its own


def read(fields: tuple[Field, ...], posted: Mapping[str, str]) -> Answer:
    """Read a filled-in form. An empty field that is not required is left out of the document."""
    answered: list[Field] = []
    document: dict[str, Json] = {}
    for field in fields:
        text = posted.get(field.control, "")
        value, problem = _value(field, text)
        answered.append(replace(field, value=text, problem=problem))
        if value is not None:
            document[field.name] = value
    return Answer(tuple(answered), document)


def as_sent(fields: tuple[Field, ...]) -> dict[str, str]:
    """What a browser sends for a form that nobody has touched."""
    return {
        field.control: ("on" if field.value in ("on", "true") else "") if field.kind == "yes_no" else field.value
        for field in fields
    }


def read_json(text: str) -> tuple[dict[str, Json], str]:
    """The document in a text of JSON, or what is wrong with it."""
    try:
        found = orjson.loads(text or "{}")
    except orjson.JSONDecodeError as error:
        return {}, _("This is not JSON: %(problem)s.") % {"problem": error}
    return (found, "") if isinstance(found, dict) else ({}, _("A JSON object is needed: {…}."))


def _field(name: str, spec: Mapping[str, Any], required: bool) -> Field:
    title = str(spec.get("title") or name.replace("_", " ").capitalize())
    only = [spec["const"]] if "const" in spec else spec.get("enum", ())
    options = tuple(option for option in only if isinstance(option, str))
    default = spec.get("default", spec.get("const", "") if required else "")
    value = default if isinstance(default, str) else orjson.dumps(default).decode()
    known = spec.get(WORDS)
    words = {str(option): str(said) for option, said in known.items()} if isinstance(known, dict) else {}
    kind = _kind(spec, options or tuple(words))
    told = (str(spec.get("description", "")), _bounds(spec) if kind in ("integer", "number") else "")
    help_text = " ".join(filter(None, told))
    field = Field(name, title, kind, help_text, required, options or tuple(words), value, words=words)
    is_code = kind == "json" or spec.get(CODE) is True
    return replace(field, is_named=spec.get(NAMED) is True, is_code=is_code, is_whole=spec.get("type") == "integer")


def _bounds(spec: Mapping[str, Any]) -> str:
    """Which numbers fit, said before one is refused."""
    least, most = spec.get("minimum"), spec.get("maximum")
    if not isinstance(least, int) or not isinstance(most, int):
        return ""
    return _("From %(least)s to %(most)s.") % {"least": f"{least:,}", "most": f"{most:,}"}


def _kind(spec: Mapping[str, Any], options: tuple[str, ...]) -> FieldKind:
    match spec.get("type"):
        case _ if options:
            return "choice"
        case "string" if spec.get("format") == "date":
            return "date"
        case "string":
            return "text" if spec.get("maxLength", LONG_TEXT + 1) > LONG_TEXT and "format" not in spec else "line"
        case "number":
            return "number"
        case "integer":
            return "integer"
        case "boolean":
            return "yes_no"
    return "json"


def _value(field: Field, text: str) -> tuple[Json, str]:
    """The value typed into one field, or what is wrong with it. None leaves it out."""
    if field.kind == "yes_no":
        return text == "on", ""
    if not text.strip():
        return None, _("Fill this in.") if field.required else ""
    try:
        match field.kind:
            case "integer" | "choice" if field.is_whole:
                return int(text), ""
            case "number":
                return float(text), ""
            case "json":
                return orjson.loads(text), ""
    except ValueError:
        kinds = {"integer": _("a whole number"), "number": _("a number"), "json": _("JSON")}
        return None, _("This is not %(kind)s.") % {"kind": kinds["integer" if field.is_whole else field.kind]}
    return text, ""
