"""Checks a parsed file against the tables in `fields`: unknown, missing and wrongly filled fields, with their place."""

from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.definitions import contracts
from orchestrator.definitions.errors import Problems, did_you_mean
from orchestrator.definitions.fields import (
    AGENT,
    BODY_TYPES,
    KEY,
    LONGEST_WAIT,
    NAME,
    NOT_IN_BODY,
    POOL,
    RESERVED_KEYS,
    RISKS,
    SIGNAL,
    STEP_TYPES,
    Field,
    seconds,
)
from orchestrator.definitions.parse import Parsed

MAX_TEXT = 20_000
MAX_TITLE = 200

type Flaw = tuple[str, str] | None  # what is wrong, what to do


class Shape:
    """Walks one file and notes what does not fit the tables."""

    def __init__(self, parsed: Parsed, problems: Problems) -> None:
        self._parsed = parsed
        self._problems = problems

    def group(self, value: Any, fields: Mapping[str, Field], *, step: str = "", prefix: str = "") -> dict[str, Any]:
        """Check a mapping's fields; the result holds only those that are well formed."""
        if not isinstance(value, dict):
            self._problems.add("must be a mapping", step=step, field=prefix, remedy="write it as name: value pairs")
            return {}
        line = self._parsed.line(value)
        for name, field in fields.items():
            if field.required and name not in value:
                self._problems.add(
                    "is missing", step=step, field=_join(prefix, name), remedy=f"add it: {field.about}", line=line
                )
        return {name: checked for name, checked in self._fields(value, fields, step, prefix) if checked is not None}

    def _fields(self, value: dict[str, Any], fields: Mapping[str, Field], step: str, prefix: str) -> Any:
        line = self._parsed.line(value)
        for name, inner in value.items():
            if self._problems.is_full:
                return
            place = _join(prefix, name)
            if (field := fields.get(name)) is None:
                remedy = did_you_mean(name, list(fields)) or f"remove it; there are {', '.join(sorted(fields))}"
                self._problems.add("is not a field here", step=step, field=place, remedy=remedy, line=line)
            elif field.kind == "group":
                yield name, self.group(inner, field.fields, step=step, prefix=place)
            elif field.kind == "body":
                yield name, self._body(inner, step, place)
            elif field.kind == "list":
                yield name, self._list(inner, field, step, place)
            elif flaw := CHECKS[field.kind](inner, field):
                self._problems.add(flaw[0], step=step, field=place, remedy=flaw[1], line=line)
            else:
                yield name, inner

    def _list(self, value: Any, field: Field, step: str, place: str) -> list[dict[str, Any]]:
        if not isinstance(value, list) or not value:
            self._problems.add("must be a list with at least one entry", step=step, field=place, remedy=field.about)
            return []
        return [self.group(item, field.fields, step=step, prefix=f"{place}[{n}]") for n, item in enumerate(value)]

    def _body(self, value: Any, step: str, place: str) -> dict[str, Any] | None:
        """The step inside a map or loop: it has a type, but neither a key nor a place in the graph."""
        kind = value.get("type") if isinstance(value, dict) else None
        allowed = [name for name in STEP_TYPES if name in BODY_TYPES]
        if kind not in allowed:
            remedy = f"use one of {', '.join(allowed)}; for several steps, a subworkflow"
            self._problems.add(
                "must be a mapping with one of the types allowed here", step=step, field=place, remedy=remedy
            )
            return None
        fields = {name: field for name, field in STEP_TYPES[kind].items() if name not in NOT_IN_BODY}
        return self.group(value, fields, step=step, prefix=place)

    def step(self, value: Any, number: int) -> dict[str, Any]:
        """Check one step by its type's table; {} if its type is not known."""
        key = value.get("key") if isinstance(value, dict) else None
        name = key if isinstance(key, str) and key else f"number {number}"
        kind = value.get("type") if isinstance(value, dict) else None
        if isinstance(value, dict) and isinstance(kind, str) and kind in STEP_TYPES:
            return self.group(value, STEP_TYPES[kind], step=name)
        if not isinstance(value, dict):
            self._problems.add("must be a mapping", step=name, remedy="write key:, type: and the fields of that type")
        else:
            remedy = did_you_mean(str(kind), list(STEP_TYPES)) or f"use one of {', '.join(STEP_TYPES)}"
            message = "is missing" if kind is None else f"{kind!r:.60} is not a type of step"
            self._problems.add(message, step=name, field="type", remedy=remedy, line=self._parsed.line(value))
        return {}


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _text(value: Any, _: Field) -> Flaw:
    if not isinstance(value, str):
        return f"must be a text, not {_named(value)}", "put it in quotes"
    if not value.strip() or len(value) > MAX_TEXT:
        return f"must have 1 to {MAX_TEXT:,} characters", ""
    return None


def _texts(value: Any, field: Field) -> Flaw:
    if not isinstance(value, list) or len(value) > 50 or any(_text(item, field) for item in value):
        return "must be a list of at most 50 texts", "write [one, two]"
    return None


def _key(value: Any, _: Field) -> Flaw:
    if not isinstance(value, str) or not KEY.fullmatch(value):
        return f"{value!a:.60} is not a key", "use lower-case letters a-z, digits and _, a letter first, at most 100"
    if value in RESERVED_KEYS:
        return f'"{value}" is a word of CEL', "choose another key"
    return None


def _keys(value: Any, field: Field) -> Flaw:
    if not isinstance(value, list):
        return "must be a list of step keys", "write [first, second]"
    return next((flaw for item in value if (flaw := _key(item, field))), None)


def _name(value: Any, _: Field) -> Flaw:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        return f"{value!a:.60} is not a name", "use lower-case letters a-z, digits and -, a letter first"
    return None


def _pool(value: Any, _: Field) -> Flaw:
    if not isinstance(value, str) or not POOL.fullmatch(value):
        return f"{value!a:.60} is not a pool", "use at most 40 lower-case letters a-z, digits and -, a letter first"
    return None


def _agent(value: Any, _: Field) -> Flaw:
    if not isinstance(value, str) or not AGENT.fullmatch(value):
        return f"{value!a:.60} is not an agent", "write its name, or name@3 for version 3"
    return None


def _type(value: Any, _: Field) -> Flaw:
    return (
        None if value in STEP_TYPES else (f"{value!r:.60} is not a type of step", f"use one of {', '.join(STEP_TYPES)}")
    )


def _number(value: Any, field: Field) -> Flaw:
    low, high = field.low or 0, field.high or 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        return f"must be a number from {low:g} to {high:g}", ""
    return None


def _integer(value: Any, field: Field) -> Flaw:
    if isinstance(value, bool) or not isinstance(value, int) or _number(value, field):
        return f"must be a whole number from {field.low:g} to {field.high:g}", ""
    return None


def _duration(value: Any, _: Field) -> Flaw:
    if isinstance(value, bool) or not isinstance(value, str | int | float) or seconds(value) is None:
        return f"{value!r:.40} is not a duration", "write 30s, 5m, 12h, 7d or a number of seconds, at most 366d"
    return None


def _wait(value: Any, _: Field) -> Flaw:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return f"{value!r:.40} is not a duration", "write 30s, 5m, 12h, 90d or a number of seconds"
    if seconds(value, longest=LONGEST_WAIT) is None:
        return f"{value!r:.40} is not a duration up to ten years", "write 30s, 5m, 12h, 90d or a number of seconds"
    return None


def _span(value: Any, field: Field) -> Flaw:
    return None if isinstance(value, str) and value.startswith("${") else _wait(value, field)


def _signal(value: Any, _: Field) -> Flaw:
    if not isinstance(value, str) or not SIGNAL.fullmatch(value):
        return f"{value!a:.60} is not a signal's name", "use lower-case letters a-z, digits, . _ and -, a letter first"
    return None


def _condition(value: Any, field: Field) -> Flaw:
    if isinstance(value, bool):
        return None
    return (
        ("must be a CEL condition", 'write it in quotes, such as "confidence < 0.8"') if _text(value, field) else None
    )


def _choice(value: Any, field: Field) -> Flaw:
    if not isinstance(value, str) or value not in field.choices:
        return f"{value!r:.40} is not allowed", f"use one of {', '.join(field.choices)}"
    return None


def _verdicts(value: Any, field: Field) -> Flaw:
    if not isinstance(value, list) or not value or any(item not in field.choices for item in value):
        return "must be a list of verdicts", f"choose from {', '.join(field.choices)}"
    return None


def _choices(value: Any, field: Field) -> Flaw:
    if not isinstance(value, list) or not value or any(item not in field.choices for item in value):
        return "must be a list of names", f"choose from {', '.join(field.choices)}"
    return None


def _flag(value: Any, _: Field) -> Flaw:
    return None if isinstance(value, bool) else ("must be true or false", "")


def _rule(value: Any, _: Field) -> Flaw:
    if value in ("all", "any", "done") or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return None
    return f"{value!r:.40} is not a join", "use all, any, done, or how many must succeed"


def _risk(value: Any, _: Field) -> Flaw:
    if isinstance(value, str) and (value in RISKS or value.startswith("${")):
        return None
    return f"{value!r:.40} is not a risk", f"use one of {', '.join(RISKS)} or one ${{...}} that yields one"


def _mapping(value: Any, _: Field) -> Flaw:
    return None if isinstance(value, dict) else ("must be a mapping", "write it as name: value pairs")


def _schema(value: Any, _: Field) -> Flaw:
    return contracts.schema_flaw(value)


def _steps(value: Any, _: Field) -> Flaw:
    return None if isinstance(value, list) and value else ("must be a list with at least one step", "add a step")


def _dependencies(value: Any, field: Field) -> Flaw:
    if not isinstance(value, dict):
        return "must be a mapping", "write step: [steps that must end before it]"
    for key, sources in value.items():
        if _key(key, field) or _keys(sources, field):
            return f"{key!a:.60} must list step keys", "write step: [first, second]"
    return None


def _named(value: Any) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "a mapping"}
    return names.get(type(value), "nothing")


CHECKS: dict[str, Callable[[Any, Field], Flaw]] = {
    "text": _text,
    "texts": _texts,
    "template": _text,
    "expression": _text,
    "condition": _condition,
    "key": _key,
    "keys": _keys,
    "name": _name,
    "pool": _pool,
    "agent": _agent,
    "type": _type,
    "number": _number,
    "integer": _integer,
    "duration": _duration,
    "wait": _wait,
    "span": _span,
    "signal": _signal,
    "choice": _choice,
    "verdicts": _verdicts,
    "choices": _choices,
    "risk": _risk,
    "flag": _flag,
    "join": _rule,
    "mapping": _mapping,
    "schema": _schema,
    "steps": _steps,
    "dependencies": _dependencies,
}
