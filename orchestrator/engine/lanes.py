"""Lanes are capacity classes: a shift runs a thousand waiting coroutines, but only a few agents that hold a thread.

A pool is workers of their own, in a region or with hardware that others lack: a step whose definition names `lane: eu`
is claimed by workers with POOL=eu and by nobody else. Each pool has its two lanes.
"""

from collections.abc import Mapping

DEFAULT = "default"  # async agents and the engine's own steps
BLOCKING = "blocking"  # agents in a thread or in a process of their own
BLOCKING_ROOM = 8
LANES = (DEFAULT, BLOCKING)
_BLOCKING_OF_POOL = ".blocking"  # no name in a definition has a dot


def for_kind(kind: str) -> str:
    """Where tasks wait whose kind the worker that claimed them did not know."""
    return f"kind:{kind}"


def of_field(name: str) -> str:
    """The kind under which tasks wait whose plan has a field that the worker did not know."""
    return f"field.{name}"[:40]


def lane_for(isolation: str, pool: str = DEFAULT) -> str:
    """The lane of an agent's tasks in a pool."""
    return pool if isolation == "loop" else blocking(pool)


def blocking(pool: str) -> str:
    """A pool's lane for agents that hold a thread."""
    return BLOCKING if pool == DEFAULT else f"{pool}{_BLOCKING_OF_POOL}"


def pool_of(lane: str) -> str:
    """The pool whose lane this is."""
    return DEFAULT if lane == BLOCKING else lane.removesuffix(_BLOCKING_OF_POOL)


def queue_of(pool: str) -> str:
    """The Celery queue on which a pool's workers are asked for shifts."""
    return "shifts" if pool == DEFAULT else f"shifts.{pool}"


def room_for(free: int, busy: Mapping[str, int], batch: int, *, pool: str = DEFAULT) -> dict[str, int]:
    """How many tasks of each lane a shift with `free` places may claim now; lanes without room are left out.

    `busy`: how many of each it runs.
    """
    holding = blocking(pool)
    room = {pool: min(free, batch), holding: min(free, BLOCKING_ROOM - busy.get(holding, 0))}
    return {lane: places for lane, places in room.items() if places > 0}
