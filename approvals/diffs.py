"""What changed between two JSON values, leaf by leaf and word by word, as plain pieces that a template escapes."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice
from typing import Final, Literal

from agents.types import Json

MAX_WORDS: Final = 2_000  # matching is quadratic: longer texts are shown as replaced
MAX_CHANGES: Final = 200

type Op = Literal["same", "gone", "new"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text that stayed, went or came."""

    op: Op
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """One leaf that differs: `path` like `findings[2].title`."""

    path: str
    pieces: tuple[Piece, ...]


def changes(before: Json, after: Json) -> tuple[Change, ...]:
    """Every leaf that differs, in the order of the newer value; what went away comes last."""
    old, new = dict(_leaves(before)), dict(_leaves(after))
    paths = [*new, *(path for path in old if path not in new and not _is_filled(path, old, new))]
    differing = islice((path for path in paths if old.get(path) != new.get(path)), MAX_CHANGES)
    return tuple(Change(path or "(all)", words(old.get(path, ""), new.get(path, ""))) for path in differing)


def _is_filled(path: str, old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    """Whether an empty list or object has become one with leaves: they say it, the empty one would only puzzle."""
    return old[path] in {"[]", "{}"} and any(leaf.startswith((f"{path}.", f"{path}[")) for leaf in new)


def words(before: str, after: str) -> tuple[Piece, ...]:
    """A word-by-word comparison."""
    old, new = _tokens(before), _tokens(after)
    if len(old) + len(new) > MAX_WORDS:
        return _pieces(("gone", before), ("new", after))
    found: list[Piece] = []
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            found += _pieces(("same", "".join(old[i:j])))
        else:
            found += _pieces(("gone", "".join(old[i:j])), ("new", "".join(new[k:m])))
    return tuple(found)


def _pieces(*parts: tuple[Op, str]) -> tuple[Piece, ...]:
    return tuple(Piece(op, text) for op, text in parts if text)


def _tokens(text: str) -> list[str]:
    return re.findall(r"\s+|\w+|[^\w\s]", text)


def _leaves(value: Json, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}[{index}]")
    else:
        yield path, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
