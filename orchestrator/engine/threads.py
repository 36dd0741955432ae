"""The worker process's threads: for agents that block, and for the engine's own small transactions."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import Any

from django.db import InterfaceError, OperationalError, connection, connections
from psycopg.errors import DeadlockDetected, SerializationFailure

from agents.process import ProcessPool
from orchestrator import failpoints
from orchestrator.engine.lanes import BLOCKING_ROOM

_RETRIES = 60
PAUSE_SECONDS = 0.05  # before the second try; twice as long before each further one


@cache
def agents() -> ThreadPoolExecutor:
    """Threads for agents. Twice the lane's room: an abandoned (timed out) call keeps its thread until it returns."""
    return ThreadPoolExecutor(BLOCKING_ROOM * 2, thread_name_prefix="agent")


@cache
def processes() -> ProcessPool:
    """Processes for agents that ask for one."""
    return ProcessPool(size=BLOCKING_ROOM)


_DATABASE_THREADS = 4
_TOGETHER_S = 10.0


@cache
def _database_threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_DATABASE_THREADS, thread_name_prefix="database")


def close() -> None:
    """Close the database connections of these threads; they open new ones when they are used again."""
    together = threading.Barrier(_DATABASE_THREADS)

    def close_mine() -> None:
        with suppress(threading.BrokenBarrierError):  # one is busy for longer: it comes to its own afterwards
            together.wait(_TOGETHER_S)  # so that each thread takes one
        connections.close_all()

    for future in [_database_threads().submit(close_mine) for _ in range(_DATABASE_THREADS)]:
        future.result()


async def database(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a database function in a thread, again while the database is away.

    Only for functions that are harmless to repeat: those that end an attempt carry its fence.
    """
    return await asyncio.get_running_loop().run_in_executor(_database_threads(), _persist, function, arguments)


def _persist(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    for attempt in range(_RETRIES):
        try:
            answer = function(*arguments)
            failpoints.hit("ending.after")
            return answer
        except (OperationalError, InterfaceError, failpoints.Injected) as problem:
            if attempt == _RETRIES - 1:
                raise
            if not isinstance(problem.__cause__, DeadlockDetected | SerializationFailure):
                connection.close()
                time.sleep(min(PAUSE_SECONDS * 2**attempt, 1.0))
    raise AssertionError("unreachable")
