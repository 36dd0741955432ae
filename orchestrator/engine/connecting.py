"""A shift's own connections to the database: asynchronous, and replaced when they break, however long that takes."""

import asyncio
from contextlib import suppress

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from orchestrator import db

_LONGEST_PAUSE_SECONDS = 0.2  # sweep_shifts_v2 thinks a shift dead after 250 ms, or 2 s after a start


async def connect() -> AsyncConnection[TupleRow]:
    """A new connection."""
    return await AsyncConnection.connect(**db.connection_parameters())


async def reconnect(old: AsyncConnection[TupleRow]) -> AsyncConnection[TupleRow]:
    """A new connection in place of a broken one."""
    with suppress(psycopg.Error):
        await old.close()
    pause = 0.05
    while True:
        try:
            return await connect()
        except psycopg.OperationalError:
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
