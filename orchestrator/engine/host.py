"""What a shift lends to the work it runs."""

from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from agents.health import HealthMeter
from agents.process import ProcessPool
from orchestrator.engine.opener import Opener


@dataclass(slots=True)
class Host:
    """One for each shift; every task of it gets the same."""

    shift: int
    threads: Executor
    processes: ProcessPool
    meter: HealthMeter
    in_thread: Callable[..., Awaitable[Any]]  # runs a database function in a thread, retried when the database is away
    opener: Opener
