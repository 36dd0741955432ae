"""Opens waits in batches: while one batch is on its way to the database, the next one gathers.

A thousand tasks of one run that begin to wait are a few transactions, not a thousand that queue for the run's lock.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from django.db import DataError

from orchestrator import waits_db
from orchestrator.waits_db import Opening

type InThread = Callable[..., Awaitable[Any]]
BATCH: Final = 500


class Opener:
    """One shift's; used on its loop only."""

    def __init__(self, shift: int, in_thread: InThread) -> None:
        self._shift = shift
        self._in_thread = in_thread
        self._gathered: list[tuple[Opening, asyncio.Future[None]]] = []
        self._sending: asyncio.Task[None] | None = None

    async def open(self, opening: Opening) -> None:
        """Return when the wait is committed; a late attempt's changes nothing. Raises DataError for this one alone."""
        done = asyncio.get_running_loop().create_future()
        self._gathered.append((opening, done))
        if self._sending is None:  # a task of its own: cancelling one of those who wait holds up none of the others
            self._sending = asyncio.create_task(self._send())
        await done

    async def _send(self) -> None:
        """For whoever came first, and for all who come meanwhile."""
        try:
            while self._gathered:
                batch, self._gathered = self._gathered[:BATCH], self._gathered[BATCH:]
                await self._send_batch(batch)
        finally:
            self._sending = None

    async def _send_batch(self, batch: list[tuple[Opening, asyncio.Future[None]]]) -> None:
        try:
            await self._in_thread(waits_db.open_waits, self._shift, [opening for opening, _ in batch])
        except DataError as problem:
            if len(batch) > 1:  # one of them cannot be stored: the others must not suffer for it
                for one in batch:
                    await self._send_batch([one])
                return
            _settle(batch, problem)
        except Exception as problem:  # noqa: BLE001 - whoever waits for this batch is told
            _settle(batch, problem)
        else:
            _settle(batch, None)


def _settle(batch: list[tuple[Opening, asyncio.Future[None]]], problem: Exception | None) -> None:
    for _, done in batch:
        if done.done():  # its task was cancelled meanwhile
            continue
        if problem is None:
            done.set_result(None)
        else:
            done.set_exception(problem)
