"""Make what agents return storable: plain, bounded JSON, or a typed refusal. No Django.

Text is repaired (and the repair listed); numbers never are: a number that JSON or PostgreSQL cannot hold is refused.
"""

import dataclasses
import json
import math
import numbers
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, NoReturn
from uuid import UUID

import orjson
from pydantic import BaseModel

from agents.contracts import dotted
from agents.errors import OutputRejected
from agents.types import Json

type Path = tuple[str | int, ...]

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
INTEGER_LOW, INTEGER_HIGH = -(2**63), 2**64 - 1
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
PLAIN = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes are of the JSON text in bytes."""

    depth: int = 100
    size: int = 4 * 1024 * 1024
    large: int = 64 * 1024
    nodes: int = 1_000_000
    changes: int = 50


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A value as it may be stored. `large` ones belong in content-addressed storage."""

    value: Json
    size: int
    large: bool
    changes: tuple[str, ...] = ()


DEFAULT = Limits()
INPUT = Limits(size=16 * 1024 * 1024)  # an input may gather several outputs


def clean(value: object, limits: Limits = DEFAULT) -> Cleaned:
    """A plain JSON copy of `value`, sharing nothing with it; OutputRejected when it cannot be made one.

    Most outputs are plain JSON already: one pass of orjson proves it. Only the others are walked.
    """
    try:
        text = orjson.dumps(value, option=PLAIN)
    except (TypeError, ValueError, RecursionError):  # not plain, or deeper than orjson goes
        return _clean_slowly(value, limits)
    if len(text) > limits.size:
        raise _too_large(len(text), limits)
    # NaN is written as null, NUL as \u0000, and no value is deeper than it has brackets.
    if b"null" in text or b"\\u0000" in text or text.count(b"{") + text.count(b"[") > limits.depth:
        return _clean_slowly(value, limits)
    return Cleaned(orjson.loads(text), len(text), len(text) > limits.large)


def clean_text(text: str | bytes, limits: Limits = DEFAULT) -> Cleaned:
    """The same for JSON text, as a model writes it: repeated keys, NaN and endless numbers are refused, not guessed."""
    if len(text) > limits.size:
        raise _too_large(len(text), limits)
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_int=_integer)
    except RecursionError as error:
        raise _refusal("too_deep", (), f"it is nested deeper than {limits.depth} levels") from error
    except UnicodeDecodeError as error:
        raise _refusal("not_json", (), "it is not UTF-8 text") from error
    except json.JSONDecodeError as error:
        raise _refusal("not_json", (), f"it is not JSON ({error.msg} at character {error.pos})") from error
    return clean(value, limits)


def storable(text: str) -> str:
    """`text` with NUL and lone surrogates, which PostgreSQL cannot hold, replaced where they stood."""
    return _UNSTORABLE.sub(REPLACEMENT, text)


def _clean_slowly(value: object, limits: Limits) -> Cleaned:
    walk = _Walk(limits)
    plain = walk.visit(value, ())
    text = orjson.dumps(plain)
    if len(text) > limits.size:
        raise _too_large(len(text), limits)
    return Cleaned(plain, len(text), len(text) > limits.large, tuple(walk.changes))


class _Walk:
    """One walk over one value; recursion is bounded by `limits.depth`."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.left = limits.nodes
        self.changes: list[str] = []

    def visit(self, value: object, path: Path) -> Json:
        self.left -= 1
        if self.left < 0:
            raise _refusal("too_large", path, f"it has more than {self.limits.nodes:,} values")
        if len(path) > self.limits.depth:
            raise _refusal("too_deep", path[:3], f"it is nested deeper than {self.limits.depth} levels")
        for kind, convert in _CONVERTERS:
            if isinstance(value, kind):
                return convert(self, value, path)
        raise _refusal("not_json", path, f"a {type(value).__name__} has no JSON form")

    def note(self, path: Path, what: str) -> None:
        if len(self.changes) < self.limits.changes:
            self.changes.append(f"{dotted(path)}: {what}")

    def constant(self, value: Any, path: Path) -> Json:
        return value  # type: ignore[no-any-return]

    def text(self, value: str, path: Path) -> str:
        if len(value) > self.limits.size:
            raise _too_large(len(value), self.limits)
        value = str(value)
        if value.isascii() and "\x00" not in value:
            return value
        fixed = storable(value)
        if fixed != value:
            self.note(path, "characters that cannot be stored were replaced")
        return fixed

    def integer(self, value: numbers.Integral, path: Path) -> int:
        whole = int(value)
        if not INTEGER_LOW <= whole <= INTEGER_HIGH:
            raise _refusal("number_too_large", path, "the whole number does not fit in 64 bits")
        return whole

    def real(self, value: Any, path: Path) -> float:
        try:
            number = float(value)
        except OverflowError as error:
            raise _refusal("number_too_large", path, "the number is too large") from error
        except ValueError:  # a signalling NaN
            number = math.nan
        if not math.isfinite(number):
            raise _refusal("not_finite", path, "the number is not finite; use null for a missing value")
        return number

    def decimal(self, value: Decimal, path: Path) -> float:
        number = self.real(value, path)
        if Decimal(repr(number)) != value:
            self.note(path, "a decimal was rounded")
        return number

    def mapping(self, value: Mapping[object, object], path: Path) -> dict[str, Json]:
        result: dict[str, Json] = {}
        for key, item in value.items():
            name = self.key(key, path)
            if name in result:
                raise _refusal("duplicate_key", path, f"key {name[:50]!r} appears twice")
            result[name] = self.visit(item, (*path, name))
        return result

    def key(self, key: object, path: Path) -> str:
        if isinstance(key, str):
            return self.text(key, path)
        if isinstance(key, bool | int | float | date | time | UUID | Enum) or key is None:
            self.note(path, f"key {str(key)[:50]} was turned into text")
            inner = key.value if isinstance(key, Enum) else key
            return self.text(inner if isinstance(inner, str) else str(inner), path)
        raise _refusal("not_json", path, f"a {type(key).__name__} cannot be a key")

    def sequence(self, value: Any, path: Path) -> list[Json]:
        return [self.visit(item, (*path, index)) for index, item in enumerate(value)]

    def unordered(self, value: set[object], path: Path) -> list[Json]:
        self.note(path, "a set was turned into a sorted list")
        return sorted(self.sequence(value, path), key=lambda item: (type(item).__name__, repr(item)))

    def model(self, value: BaseModel, path: Path) -> Json:
        # Field by field: model_dump of a self-referring model would recurse before the depth is checked.
        fields: dict[object, object] = {_alias(value, name): item for name, item in value}
        fields |= {name: getattr(value, name) for name in type(value).model_computed_fields}
        return self.mapping(fields, path)

    def record(self, value: Any, path: Path) -> Json:
        return self.mapping({field.name: getattr(value, field.name) for field in dataclasses.fields(value)}, path)

    def enum(self, value: Enum, path: Path) -> Json:
        return self.visit(value.value, path)

    def moment(self, value: date | time, path: Path) -> str:
        return value.isoformat()

    def duration(self, value: timedelta, path: Path) -> float:
        return value.total_seconds()

    def printed(self, value: object, path: Path) -> str:
        return self.text(str(value), path)


class _RecordMeta(type):
    """Lets `isinstance` find dataclass instances, but not the classes themselves."""

    def __instancecheck__(cls, instance: object) -> bool:
        return dataclasses.is_dataclass(instance) and not isinstance(instance, type)


class _AnyRecord(metaclass=_RecordMeta):
    """Any dataclass instance."""


# The order matters: an Enum may be a str, a bool is an int, a datetime is a date.
_CONVERTERS: tuple[tuple[Any, Callable[[_Walk, Any, Path], Json]], ...] = (
    (Enum, _Walk.enum),
    ((bool, type(None)), _Walk.constant),
    (str, _Walk.text),
    (int, _Walk.integer),
    (float, _Walk.real),
    (Mapping, _Walk.mapping),
    ((list, tuple), _Walk.sequence),
    ((set, frozenset), _Walk.unordered),
    (Decimal, _Walk.decimal),
    ((datetime, date, time), _Walk.moment),
    (timedelta, _Walk.duration),
    ((UUID, PurePath), _Walk.printed),
    (BaseModel, _Walk.model),
    (_AnyRecord, _Walk.record),
    (numbers.Integral, _Walk.integer),
    (numbers.Real, _Walk.real),
)


def _alias(model: BaseModel, name: str) -> str:
    field = type(model).model_fields.get(name)
    return (field.serialization_alias or field.alias or name) if field else name


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _refusal("duplicate_key", (), f"key {twice[:50]!r} appears twice")
    return result


def _integer(digits: str) -> int:
    if len(digits) > 20:
        raise _refusal("number_too_large", (), "the whole number does not fit in 64 bits")
    return int(digits)


def _refuse_constant(name: str) -> NoReturn:
    raise _refusal("not_finite", (), f"{name} is not a JSON number; use null for a missing value")


def _too_large(size: int, limits: Limits) -> OutputRejected:
    problem = f"it is {size:,} bytes and more than {limits.size:,} are not stored; return a reference instead"
    return _refusal("too_large", (), problem)


def _refusal(reason: str, path: Path, problem: str) -> OutputRejected:
    return OutputRejected(reason=reason, path=dotted(path), problem=problem)
