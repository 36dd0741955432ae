"""CEL conditions and `${...}` values: the only place that runs them. An error means *stop and ask*, never *false*."""

import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import cel

from agents.expressions.source import FUNCTIONS, VARIABLES, Reference, Source, SourceError, scan
from agents.types import Json

MAX_ITEMS = 1000  # of a list that a macro runs over
MAX_WORK = 5_000_000  # values copied by map and filter, which copy their result for each item: about 0.2 s
MAX_TEXT = 200_000  # characters of a rendered text
type Context = Mapping[str, Any]  # input, steps, output and what else stands in source.VARIABLES

_OPERATORS = frozenset(
    {"_+_", "_-_", "_*_", "_/_", "_%_", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "_&&_", "_||_", "_?_:_"}
    | {"_[_]", "!_", "-_", "@in", "@not_strictly_false"}
)
_MISSING = object()
_PARSE_NOISE = re.compile(r"^.*?ERROR: <input>:\d+:(\d+): (?:Syntax error: )?(.*?)(?:\n.*)?$", re.DOTALL)


class ExpressionError(Exception):
    """An expression gave no value. The engine stops and asks a person; it never reads this as false."""


class ExpressionInvalid(ExpressionError):
    """The expression is not allowed or not CEL; found when a definition is published."""


class ExpressionUndefined(ExpressionError):
    """The expression reads something that is not there."""


class ExpressionFailed(ExpressionError):
    """The expression cannot be worked out on these values: wrong types, a division by zero, a limit."""


def check(expression: str, known: frozenset[str] = VARIABLES) -> Source:
    """Compile an expression for its author and tell what it refers to; ExpressionInvalid if it must not run."""
    source = _scanned(unwrap(expression), known)
    if not source.is_path:
        _program(source.text, known)
    return source


def evaluate(expression: str, context: Context, known: frozenset[str] = VARIABLES) -> Json:
    """The value of one expression, as plain JSON. `${...}` around it is allowed. `known`: its place's variables."""
    source = _scanned(unwrap(expression), known)
    if source.is_path:
        return _plain(_read(source.references[0], context), source.text)
    program = _program(source.text, known)
    if source.macros:
        _check_work(source, context)
    try:
        value = program.execute(_needed(source.references, context))
    except BaseException as problem:
        raise _translated(problem, source.text) from problem
    return _plain(value, source.text)


def holds(expression: str, context: Context, known: frozenset[str] = VARIABLES) -> bool:
    """The truth of a condition; anything but true or false is an error."""
    value = evaluate(expression, context, known)
    if not isinstance(value, bool):
        raise ExpressionFailed(f'"{unwrap(expression)}" is {_brief(value)}, not true or false')
    return value


def resolve(value: Json, context: Context) -> Json:
    """`value` with each `"${...}"` in it, at any depth, replaced. What one yields is never read as an expression."""
    match value:
        case str():
            parts = split(value)
            if len(parts) == 1 and parts[0][0]:
                return evaluate(parts[0][1], context)
            return render_text(value, context) if "${" in value else value
        case list():
            return [resolve(item, context) for item in value]
        case dict():
            return {key: resolve(item, context) for key, item in value.items()}
        case _:
            return value


def render_text(text: str, context: Context) -> str:
    """`text` with each `${...}` part replaced by its value as text; `$${` stands for a literal `${`."""
    rendered = "".join(
        _as_text(evaluate(part, context)) if is_expression else part for is_expression, part in split(text)
    )
    if len(rendered) > MAX_TEXT:
        raise ExpressionFailed(f"a text is {len(rendered):,} characters long; at most {MAX_TEXT:,} are allowed")
    return rendered


def unwrap(expression: str) -> str:
    """The CEL inside `${...}`, or the expression itself."""
    text = expression.strip()
    if text.startswith("${"):
        parts = split(text)
        if len(parts) == 1:
            return parts[0][1]
    return text


@lru_cache(maxsize=8192)
def split(text: str) -> tuple[tuple[bool, str], ...]:
    """A text as (is expression, part) pairs; ExpressionInvalid if a `${` is never closed."""
    if "${" not in text:
        return ((False, text),) if text else ()
    parts: list[tuple[bool, str]] = []
    literal, place = "", 0
    while (start := text.find("${", place)) >= 0:
        literal += text[place:start]
        if literal.endswith("$"):
            literal, place = literal + "{", start + 2
            continue
        end = _closing_brace(text, start + 2)
        parts += [(False, literal)] if literal else []
        parts.append((True, text[start + 2 : end].strip()))
        literal, place = "", end + 1
    literal += text[place:]
    return tuple([*parts, (False, literal)] if literal else parts)


def _closing_brace(text: str, place: int) -> int:
    """Where the `}` of a `${` is: braces and strings inside are skipped."""
    depth, quote = 0, ""
    while place < len(text):
        sign = text[place]
        if quote:
            place += sign == "\\"
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign == "}" and depth == 0:
            return place
        else:
            depth += (sign == "{") - (sign == "}")
        place += 1
    raise ExpressionInvalid(f'"{text[:80]}" has a "${{" without its "}}"; write "$${{" for a literal "${{"')


@lru_cache(maxsize=8192)
def _program(text: str, known: frozenset[str]) -> cel.Program:
    try:
        program = cel.compile(text)
    except Exception as problem:
        raise ExpressionInvalid(f'"{_short(text)}" is not CEL: {_without_noise(str(problem))}') from problem
    source = scan(text, known)
    unknown = set(program.functions()) - FUNCTIONS - _OPERATORS
    strangers = set(program.variables()) - {reference.root for reference in source.references} - source.bound
    if unknown or strangers:
        raise ExpressionInvalid(f'"{_short(text)}" uses {", ".join(sorted(unknown | strangers))}, which is not allowed')
    return program


def _scanned(text: str, known: frozenset[str]) -> Source:
    try:
        return scan(text, known)
    except SourceError as problem:
        raise ExpressionInvalid(f'"{_short(text)}": {problem}') from problem


def _read(reference: Reference, context: Context) -> Any:
    value: Any = context
    for depth, name in enumerate((reference.root, *reference.path)):
        if not isinstance(value, Mapping):
            place = ".".join((reference.root, *reference.path)[:depth])
            raise ExpressionFailed(f'"{reference}": {place} is {_brief(value)} and has no "{name}"')
        value = value.get(name, _MISSING)
        if value is _MISSING:
            raise ExpressionUndefined(f'"{reference}": there is no "{name}"')
    return value


def _needed(references: tuple[Reference, ...], context: Context) -> dict[str, Any]:
    """Only what is referred to: CEL converts all it is given, and outputs are large."""
    needed: dict[str, Any] = {}
    for reference in sorted(references, key=lambda reference: len(reference.path)):
        source: Any = context
        target = needed
        names = (reference.root, *reference.path)
        for depth, name in enumerate(names):
            value = source.get(name, _MISSING)
            if value is _MISSING:
                break
            if depth == len(names) - 1 or not isinstance(value, Mapping):
                target[name] = value
                break
            if target.get(name) is value:  # all of it is there for a shorter path
                break
            source, target = value, target.setdefault(name, {})
    return needed


def _check_work(source: Source, context: Context) -> None:
    """Refuse a macro over a long list, and one that would copy large values again and again."""
    items, outside, inside = 1, 0, 1
    for reference in source.references:
        try:
            value = _read(reference, context)
        except ExpressionError:
            continue  # has() may ask for it; if not, CEL reports it
        items = max(items, _longest(value))
        size = _size(value)
        outside, inside = (outside, inside + size) if reference.in_macro else (outside + size, inside)
    if items > MAX_ITEMS:
        raise ExpressionFailed(f'"{_short(source.text)}" runs over {items:,} items; at most {MAX_ITEMS:,} are allowed')
    copies = sum(macro in {"map", "filter"} for macro in source.macros)
    if copies * items * (outside + items * inside * (1 + source.text.count("+"))) > MAX_WORK:
        raise ExpressionFailed(f'"{_short(source.text)}" copies too much on these values; do that work in an agent')


def _longest(value: Any) -> int:
    """The length of the longest list or map in `value`."""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    if len(inner) > MAX_ITEMS:
        return len(inner)
    return max(len(inner), max(map(_longest, inner), default=0))


def _size(value: Any) -> int:
    """How much there is to copy in `value`: values, and texts by their length."""
    if isinstance(value, str):
        return 1 + len(value) // 64
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return 1 + sum(map(_size, inner))


def _translated(problem: BaseException, text: str) -> BaseException:
    """Our error for one of CEL's; a panic inside it is not an Exception, an interrupt is left alone."""
    reason = str(problem).strip("'\"").split(". ")[0]
    if isinstance(problem, KeyError | IndexError) or reason.startswith("Undefined variable"):
        what = f'there is no "{reason}"' if isinstance(problem, KeyError) else reason
        return ExpressionUndefined(f'"{_short(text)}": {what}')
    if isinstance(problem, Exception) or type(problem).__name__ == "PanicException":
        return ExpressionFailed(f'"{_short(text)}": {reason}')
    return problem


def _plain(value: Any, text: str) -> Json:
    match value:
        case None | bool() | str():
            return value
        case int() | float():
            if not math.isfinite(value):
                raise ExpressionFailed(f'"{_short(text)}" is {value}, not a number')
            return value
        case datetime():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case list() | tuple():
            return [_plain(item, text) for item in value]
        case dict():
            return {str(key): _plain(item, text) for key, item in value.items()}
        case _:
            raise ExpressionFailed(f'"{_short(text)}" is a {type(value).__name__}, which has no JSON form')


def _as_text(value: Json) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case float():
            return f"{value:.10g}"
        case int():
            return str(value)
        case list() if all(isinstance(item, str | int | float) for item in value):
            return ", ".join(_as_text(item) for item in value)
        case _:
            raise ExpressionFailed(f"{_brief(value)} cannot stand in a text; pick a field of it")


def _brief(value: object) -> str:
    names = {str: "a text", list: "a list", dict: "a mapping", float: "a number", int: "a number", type(None): "null"}
    return "true or false" if isinstance(value, bool) else names.get(type(value), type(value).__name__)


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."


def _without_noise(message: str) -> str:
    match = _PARSE_NOISE.match(message)
    return f"at character {match.group(1)}: {match.group(2)[:120]}" if match else message[:160]
