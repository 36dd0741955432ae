"""A stored value laid out for reading: facts, and numbered items of facts. Pure; nothing in it is left out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext as _

from agents.types import Json
from approvals import policy
from approvals.wording import spoken

_HEADINGS: Final = ("title", "option", "name", "action", "operation", "claim")
_FIRST: Final = ("Action", "Operation", "Kind", "Target", "Reversible")  # of an item's facts; the rest as stored
_WRAPPERS: Final = frozenset({"arguments", "args", "parameters"})  # say nothing that what is in them does not


@dataclass(frozen=True, slots=True)
class Fact:
    """One leaf: what it is called, and its value."""

    name: str
    value: Json


@dataclass(frozen=True, slots=True)
class Item:
    """One of several like things: what it is, and everything else about it."""

    heading: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """Single facts first, then lists of things by name."""

    facts: tuple[Fact, ...]
    lists: tuple[tuple[str, tuple[Item, ...]], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Like things side by side: column names, and one row each."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Fact, ...], ...]
    shared: tuple[Fact, ...] = ()  # what every row says alike, said once


@dataclass(frozen=True, slots=True)
class Listing:
    """Several like things under one name; what all of them say alike is said once."""

    name: str
    shared: tuple[Fact, ...]
    items: tuple[Item, ...]


def outline(value: dict[str, Json]) -> Outline:
    """Every leaf of an object, the lists of objects in it item by item."""
    facts: list[Fact] = []
    value = dict(sorted(value.items(), key=lambda pair: pair[0] != "operation"))
    lists: list[tuple[str, tuple[Item, ...]]] = []
    for name, item in value.items():
        if isinstance(item, list) and item and all(isinstance(one, dict) for one in item):
            lists.append((spoken(name), tuple(_item(one) for one in item if isinstance(one, dict))))
        else:
            facts += _facts(name, item)
    return Outline(tuple(facts), tuple(lists))


def table(rows: tuple[dict[str, Json], ...]) -> Table:
    """Objects as rows; a column for each name that any of them has, the one that says what it is first."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    names.sort(key=lambda name: name not in _HEADINGS)
    alike = [name for name in names if name not in _HEADINGS and _is_alike([row.get(name) for row in rows])]
    names = [name for name in names if name not in alike]
    cells = (tuple(Fact(spoken(name), row.get(name)) for name in names) for row in rows)
    return Table(tuple(map(spoken, names)), tuple(cells), tuple(Fact(spoken(name), rows[0][name]) for name in alike))


def listing(name: str, items: tuple[Item, ...]) -> Listing:
    """The same facts with fewer words: what every item says is taken out of them and said once."""
    shared = tuple(fact for fact in items[0].facts if len(items) > 1 and all(fact in other.facts for other in items))
    rest = tuple(Item(item.heading, tuple(fact for fact in item.facts if fact not in shared)) for item in items)
    return Listing(name, shared, rest)


def _is_alike(values: list[Json]) -> bool:
    return len(values) > 1 and values[0] is not None and all(policy.same(value, values[0]) for value in values)


def _item(value: dict[str, Json]) -> Item:
    heading = next((name for name in _HEADINGS if isinstance(value.get(name), str)), "")
    rest = (fact for name, item in value.items() if name != heading for fact in _facts(name, item))
    return Item(str(value.get(heading, "")), tuple(sorted(rest, key=_place)))


def _place(fact: Fact) -> int:
    return _FIRST.index(fact.name) if fact.name in _FIRST else len(_FIRST)


def _facts(name: str, value: Json) -> Iterator[Fact]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _facts(key if name in _WRAPPERS else f"{name} {key}", item)
    elif isinstance(value, list) and value and all(isinstance(item, str | int | float) for item in value):
        yield Fact(spoken(name), ", ".join(str(item) for item in value))
    elif isinstance(value, bool):
        yield Fact(spoken(name), _("yes") if value else _("no"))
    else:
        yield Fact(spoken(name), value if value not in (None, [], {}) else "–")
