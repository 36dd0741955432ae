"""Lanes are capacity classes: a shift runs a thousand waiting coroutines, but only a few agents that hold a thread."""

from collections.abc import Mapping

DEFAULT = "default"  # async agents and the engine's own steps
BLOCKING = "blocking"  # agents in a thread or in a process of their own
BLOCKING_ROOM = 8
LANES = (DEFAULT, BLOCKING)


def for_kind(kind: str) -> str:
    """Where tasks wait whose kind the worker that claimed them did not know."""
    return f"kind:{kind}"


def lane_for(isolation: str) -> str:
    """The lane of an agent's tasks."""
    return DEFAULT if isolation == "loop" else BLOCKING


def room_for(free: int, busy: Mapping[str, int], batch: int) -> dict[str, int]:
    """How many tasks of each lane a shift with `free` places may claim now; lanes without room are left out.

    `busy`: how many of each it runs.
    """
    room = {DEFAULT: min(free, batch), BLOCKING: min(free, BLOCKING_ROOM - busy.get(BLOCKING, 0))}
    return {lane: places for lane, places in room.items() if places > 0}
