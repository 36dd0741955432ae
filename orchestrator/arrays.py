"""Lists as PostgreSQL writes arrays, for the one call that a worker makes all the time.

psycopg looks at the type of every item, which takes seven times as long as everything else it does for a turn. It also
prepares one statement for each width of integer it finds, and PostgreSQL plans each of them.
"""

from collections.abc import Sequence


def numbers(values: Sequence[float | None]) -> str:
    """An array of integers or floats, to be cast to their type."""
    return "{" + ",".join(["NULL" if value is None else repr(value) for value in values]) + "}"


def texts(values: Sequence[str | None]) -> str:
    """An array of anything that is written as text, to be cast to its type."""
    return "{" + ",".join(["NULL" if value is None else _quoted(value) for value in values]) + "}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
