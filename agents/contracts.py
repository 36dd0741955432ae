"""JSON Schema contracts of agents: compiled once, checked in microseconds. No Django."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jsonschema_rs
import orjson
from pydantic import BaseModel

from agents.errors import ContractViolation, InvalidContract
from agents.types import Json

type Schema = Mapping[str, Any]
type ContractSource = type[BaseModel] | Schema

MESSAGE_LIMIT = 300
TOP_LEVEL = "(top level)"

_compiled: dict[tuple[str, type[BaseModel] | None], "Contract"] = {}


class Contract:
    """A compiled JSON Schema (draft 2020-12) and, if it came from one, its pydantic model."""

    __slots__ = ("_is_valid", "_iter_errors", "digest", "model", "schema")

    def __init__(self, schema: dict[str, Any], *, digest: str, model: type[BaseModel] | None) -> None:
        self.schema = schema
        self.digest = digest
        self.model = model
        # Formats are part of a contract, and a contract never reaches for the network or the file system.
        validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True, offline=True)
        self._is_valid = validator.is_valid
        self._iter_errors = validator.iter_errors

    def check(self, value: Json | Mapping[str, Json]) -> None:
        """Raise ContractViolation naming the first field that breaks the contract, or a number that is not finite."""
        try:
            valid = self._is_valid(value)
        except (ValueError, TypeError, RecursionError) as error:
            raise ContractViolation(path=TOP_LEVEL, problem=_shorten(str(error))) from error
        if not valid:
            self._raise_first(value)
        if (path := _first_not_finite(value)) is not None:
            raise ContractViolation(path=path, problem="the number is not finite")

    def _raise_first(self, value: object) -> None:
        error = next(iter(self._iter_errors(value)))
        raise ContractViolation(path=dotted(error.instance_path), problem=_shorten(error.message))


def compile_contract(source: ContractSource) -> Contract:
    """The contract of a pydantic model or JSON Schema; the same schema is compiled once per process.

    Raises InvalidContract when the schema itself is wrong or points outside itself.
    """
    model = source if isinstance(source, type) else None
    schema: dict[str, Any] = model.model_json_schema() if model else dict(source)  # type: ignore[arg-type]
    try:
        canonical = orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError) as error:
        raise InvalidContract(path=TOP_LEVEL, problem=f"it is not JSON ({error})") from error
    digest = hashlib.sha256(canonical).hexdigest()
    known = _compiled.get((digest, model))
    if known is None:
        known = _compiled[digest, model] = _compile(orjson.loads(canonical), digest=digest, model=model)
    return known


def dotted(path: Sequence[str | int]) -> str:
    """A field's path as people write it: `items[0].name`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or TOP_LEVEL


def _compile(schema: dict[str, Any], *, digest: str, model: type[BaseModel] | None) -> Contract:
    for path, reference in _references(schema):
        if not reference.startswith("#"):
            problem = f"it refers to {reference!r}; only references within the schema (#/...) are allowed"
            raise InvalidContract(path=path, problem=problem)
    try:
        jsonschema_rs.meta.validate(schema)
        return Contract(schema, digest=digest, model=model)
    except jsonschema_rs.ValidationError as error:
        raise InvalidContract(path=dotted(error.instance_path), problem=_shorten(error.message)) from error
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        raise InvalidContract(path=TOP_LEVEL, problem=_shorten(str(error))) from error


def _references(schema: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str, str]]:
    """Every `$ref` and `$dynamicRef` with its place. Depth is bounded: orjson wrote the schema."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key in {"$ref", "$dynamicRef"} and isinstance(value, str):
                yield dotted((*path, key)), value
            yield from _references(value, (*path, key))
    elif isinstance(schema, list):
        for index, value in enumerate(schema):
            yield from _references(value, (*path, index))


def _first_not_finite(value: object) -> str | None:
    """The path of the first NaN or infinity. orjson writes them as null, so most values are cleared at once."""
    try:
        if b"null" not in orjson.dumps(value):
            return None
    except (TypeError, ValueError):
        return None  # too large or not JSON: cleaning says so with a better name
    pending: list[tuple[tuple[str | int, ...], object]] = [((), value)]
    while pending:
        path, item = pending.pop()
        if isinstance(item, float) and not math.isfinite(item):
            return dotted(path)
        if isinstance(item, dict):
            pending.extend(((*path, key), child) for key, child in item.items())
        elif isinstance(item, list):
            pending.extend(((*path, index), child) for index, child in enumerate(item))
    return None


def _shorten(message: str) -> str:
    first = " ".join(message.split("\n\n", 1)[0].split())
    return first if len(first) <= MESSAGE_LIMIT else f"{first[: MESSAGE_LIMIT - 1]}…"
