"""What makes a gate risky, counted from what is stored when it opens, and sealed with it. Pure.

Nothing here is an agent's opinion of itself; what softens a risk is what the definition's author wrote down.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agents.types import Json

UNSURE: Final = 0.8  # below this an agent's own claim counts as a factor


def factors(
    action: Json, evidence: Sequence[Mapping[str, Json]], *, confidence: float | None, revision: int
) -> list[list[Json]]:
    """Names and counts, the gravest first; only those that count."""
    unproven = sum(item.get("status") in {"unsupported", "unsourced", "fabricated"} for item in evidence)
    found: list[tuple[str, int]] = [
        ("irreversible", count_of(action, "reversible", False)),
        ("containment", count_of(action, "kind", "containment")),
        ("contradicted", sum(item.get("status") in {"fault", "contradicted"} for item in evidence)),
        ("unproven", unproven),
        ("unsure", int(confidence is not None and confidence < UNSURE)),
        ("returned", revision),
    ]
    return [[name, count] for name, count in found if count]


def words(stored: Sequence[Sequence[Any]], *, hidden: bool = False) -> tuple[str, ...]:
    """The factors as people read them; `hidden` leaves out what the machine thinks of itself and its evidence."""
    said = [_said(str(name), int(count)) for name, count in stored if not (hidden and name in _OPINIONS)]
    return tuple(text for text in said if text)


def count_of(value: Json, name: str, wanted: Json) -> int:
    """How many objects anywhere in the value say exactly this."""
    if isinstance(value, dict):
        own = int(name in value and value[name] == wanted)
        return own + sum(count_of(item, name, wanted) for item in value.values())
    return sum(count_of(item, name, wanted) for item in value) if isinstance(value, list) else 0


_OPINIONS: Final = frozenset({"unsure", "unproven", "contradicted"})


def _said(name: str, n: int) -> str:
    match name:
        case "irreversible":
            return ngettext("%(n)d act cannot be undone", "%(n)d acts cannot be undone", n) % {"n": n}
        case "containment":
            return _("contains: something loses a function")
        case "contradicted":
            return ngettext("%(n)d claim is contradicted", "%(n)d claims are contradicted", n) % {"n": n}
        case "unproven":
            return ngettext("%(n)d claim without a source", "%(n)d claims without a source", n) % {"n": n}
        case "unsure":
            return _("the agent is not sure")
        case "returned":
            return ngettext("sent back %(n)d time", "sent back %(n)d times", n) % {"n": n}
    return ""
