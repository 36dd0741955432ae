"""Whether this worker has been asked to leave.

Set in the parent by Celery's warm shutdown, seen in its forked children.
"""

import mmap
import time

from celery.signals import worker_shutting_down

_GLANCE_SECONDS = 0.05


class SharedFlag:
    """One byte that forked processes share, without a lock: a child killed while it looks blocks nobody."""

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)

    def set(self) -> None:
        """Raise the flag for good."""
        self._byte[0] = 1

    def is_set(self) -> bool:
        """Whether it is raised."""
        return self._byte[0] == 1

    def wait(self, timeout: float | None = None) -> bool:
        """Pause until it is raised, at most `timeout` seconds; whether it is."""
        until = float("inf") if timeout is None else time.monotonic() + timeout
        while not self.is_set() and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _GLANCE_SECONDS))
        return self.is_set()


leaving = SharedFlag()


def _start_leaving(**_: object) -> None:
    leaving.set()


worker_shutting_down.connect(_start_leaving)


def is_draining() -> bool:
    """True once the worker's parent process has been told to stop."""
    return leaving.is_set()
