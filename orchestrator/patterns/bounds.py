"""What agents said, cut to a size that may become another agent's input. Nothing here is ever read as an expression."""

import orjson

from agents.types import Json

TEXT = 4_000  # characters of one message or reason
VALUE = 20_000  # bytes of one output as JSON, when it becomes an input
STATE = 60_000  # bytes of one value of the run's state; the engine keeps no larger ones than 65,536
_ITEMS = 50  # of a list or mapping, and
_PIECE = 1_000  # characters of a text in it, when the whole is too large


def text(value: Json, most: int = TEXT) -> str:
    """`value` as text of at most `most` characters; what is not a text is shown as JSON."""
    words = value if isinstance(value, str) else "" if value is None else orjson.dumps(value).decode()
    return words if len(words) <= most else words[: most - 1] + "…"


def value(found: Json, most: int = VALUE) -> Json:
    """`found`, unless it takes more than `most` bytes: then its texts and lists are cut, or only its beginning kept."""
    if len(orjson.dumps(found)) <= most:
        return found
    shorter = _shortened(found, 4)
    whole = orjson.dumps(shorter)
    return shorter if len(whole) <= most else text(whole.decode(), most // 2)


def _shortened(found: Json, depth: int) -> Json:
    match found:
        case str():
            return text(found, _PIECE)
        case list() | dict() if depth == 0:
            return text(found, _PIECE)
        case list():
            return [_shortened(item, depth - 1) for item in found[:_ITEMS]]
        case dict():
            return {name: _shortened(item, depth - 1) for name, item in list(found.items())[:_ITEMS]}
        case _:
            return found


def mapping(found: Json) -> dict[str, Json]:
    """`found` if it is a mapping, else {}."""
    return found if isinstance(found, dict) else {}


def items(found: Json) -> list[Json]:
    """`found` if it is a list, else []."""
    return found if isinstance(found, list) else []


def number(found: Json, otherwise: float = 0.0) -> float:
    """`found` if it is a number, else `otherwise`."""
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else otherwise
