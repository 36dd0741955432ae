"""Ties a child process to its parent: when the parent dies, however it dies, the kernel signals the child."""

import ctypes
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from typing import Any

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(ending: signal.Signals) -> None:
    """Ask the kernel to send this process `ending` when its parent dies."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(ending), 0, 0, 0)


def leashed(command: Sequence[str], ending: signal.Signals) -> dict[str, Any]:
    """Arguments of `Popen` that start `command` on a leash. Spawn from the main thread: the leash is the thread's."""
    setpriv = shutil.which("setpriv")
    if setpriv and sys.platform == "linux":
        # No Python between fork and exec, so that a parent with threads can spawn too.
        return {"args": [setpriv, "--pdeathsig", ending.name.removeprefix("SIG"), "--", *command]}
    parent = os.getpid()

    def hold() -> None:
        die_with_parent(ending)
        if os.getppid() != parent:
            os._exit(1)

    return {"args": list(command), "preexec_fn": hold}
