"""Celery's default broker: messages are files in the data directory, made whole before anyone can see them.

kombu's own `filesystem://` transport opens a message and then writes it, so that a reader may take an empty file, and
moves what it takes to the system's temporary folder. Here both steps are one rename within one folder.
"""

import json
import os
import time
import uuid
from pathlib import Path
from queue import Empty
from typing import Any

from celery.worker import state
from kombu.transport import filesystem

_LOOK_UP_S = 0.1


class Channel(filesystem.Channel):
    """A queue is the files named `<time>_<id>.<queue>.msg`."""

    def _put(self, queue: str, payload: dict[str, Any], **kwargs: object) -> None:  # type: ignore[override]  # as kombu's does
        path = Path(self.data_folder_out) / f"{time.time_ns():020d}_{uuid.uuid4().hex}.{queue}.msg"
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(payload))
        draft.rename(path)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        for name in sorted(os.listdir(self.data_folder_in)):  # noqa: PTH208  polled 20 times a second
            if name.partition(".")[2] != f"{queue}.msg":
                continue
            path = Path(self.data_folder_in) / name
            taken = path.with_suffix(f".taken-{os.getpid()}")
            try:
                path.rename(taken)
            except FileNotFoundError:
                continue  # another worker was faster
            text = taken.read_text()
            taken.unlink()
            return json.loads(text)
        raise Empty


class Transport(filesystem.Transport):
    """`BROKER_URL=filesystem://`."""

    Channel = Channel

    def drain_events(self, connection: Any, timeout: float | None = None, **kwargs: Any) -> None:
        """Wait for a message, but not longer than this worker is wanted.

        Celery waits 2 s at a time, once more after it was told to leave, and looks up only in between.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = _LOOK_UP_S if deadline is None else min(_LOOK_UP_S, deadline - time.monotonic())
            try:
                super().drain_events(connection, timeout=max(left, 0.001))  # type: ignore[no-untyped-call]
            except TimeoutError:
                if _told_to_leave() or (deadline is not None and time.monotonic() >= deadline):
                    raise
            else:
                return


def _told_to_leave() -> bool:
    return any(wish is not None and wish is not False for wish in (state.should_stop, state.should_terminate))
