"""Values inside JSON by their paths, `sections.risk` or `items[0].name`. No Django."""

import re
from collections.abc import Iterator
from typing import Any, Final

from agents.types import Json

MISSING: Final = object()
DEEPEST: Final = 12
MOST_LEAVES: Final = 5_000
_PART = re.compile(r"[^.\[\]]+")


def at(value: Any, path: str) -> Any:
    """The value at `path`, or MISSING; "" is the value itself."""
    for part in _PART.findall(path):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return MISSING
    return value


def leaves(value: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Every scalar with its path, at most MOST_LEAVES of them, DEEPEST levels down."""
    for count, leaf in enumerate(_leaves(value, path, 0)):
        if count >= MOST_LEAVES:
            return
        yield leaf


def _leaves(value: Json, path: str, depth: int) -> Iterator[tuple[str, Json]]:
    if depth > DEEPEST:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else name, depth + 1)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{number}]", depth + 1)
    else:
        yield path, value


def last_name(path: str) -> str:
    """The field's own name: "plan.due_date" as "due_date"."""
    names = [part for part in _PART.findall(path) if not part.isdecimal()]
    return names[-1].casefold() if names else ""
