"""Time limits of calls: what `asyncio.timeout` does, with one timer for all calls of the same length. No Django.

Ten thousand waiting calls would hold ten thousand timers, 0.9 kB each. Calls of one length end in the order in which
they began, so their queue needs a timer for its first one only.
"""

import asyncio
from types import TracebackType
from typing import Self
from weakref import WeakKeyDictionary


class TimeLimit:
    """`with TimeLimit(seconds) as limit:` in a coroutine: TimeoutError once they are over, and `limit.is_over` then."""

    __slots__ = ("_cancelling", "_queue", "_task", "is_over")

    def __init__(self, seconds: float) -> None:
        self._queue = _queue_of(asyncio.get_running_loop(), seconds)
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self.is_over = False

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        assert self._task is not None
        self._cancelling = self._task.cancelling()
        self._queue.add(self)
        return self

    def stop(self) -> None:
        """The time is over: cancel what runs within it."""
        self.is_over = True
        if self._task is not None:
            self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """As `asyncio.timeout`: our own cancellation becomes a TimeoutError, anybody else's stays what it is."""
        task, self._task = self._task, None
        if not self.is_over:
            self._queue.remove(self)
        elif task is not None and task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error


class _Queue:
    """The calls of one length on one loop in the order of their ends. It keeps no hold of the loop."""

    __slots__ = ("_ends", "_is_timed", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: dict[TimeLimit, float] = {}
        self._is_timed = False

    def add(self, limit: TimeLimit) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + self._seconds
        self._ends[limit] = end
        if not self._is_timed:
            self._is_timed = True
            loop.call_at(end, self._ring)

    def remove(self, limit: TimeLimit) -> None:
        self._ends.pop(limit, None)

    def _ring(self) -> None:
        """Stop those whose time is over and wait for the next one's; without one this queue is forgotten."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        over = []
        for limit, end in self._ends.items():
            if end > now:
                loop.call_at(end, self._ring)
                break
            over.append(limit)
        else:
            self._is_timed = False
            _queues[loop].pop(self._seconds, None)
        for limit in over:
            del self._ends[limit]
            limit.stop()


_queues: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[float, _Queue]] = WeakKeyDictionary()


def _queue_of(loop: asyncio.AbstractEventLoop, seconds: float) -> _Queue:
    of_loop = _queues.get(loop)
    if of_loop is None:
        of_loop = _queues[loop] = {}
    queue = of_loop.get(seconds)
    if queue is None:
        queue = of_loop[seconds] = _Queue(seconds)
    return queue
