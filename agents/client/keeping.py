"""Answers that could not be sent yet: kept in a folder until the link is back, also over a restart of the worker."""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .api import Call, Client
from .errors import CallOver, Refused

log = logging.getLogger("watchkeeper.worker")
_NEVER = {400, 404, 413, 422}  # what is refused so is refused the next time, too


class Kept:
    """One worker's folder, readable by its owner alone: answers hold what the agent has made."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def add(self, call: Call, how: Mapping[str, Any]) -> None:
        """Keep an answer, whole or not at all."""
        body = json.dumps({"call": call.id, "attempt": call.attempt, "how": dict(how)})
        path = self._folder / f"{call.id}-{call.attempt}.json"
        draft = path.with_suffix(".part")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    def deliver(self, client: Client) -> int:
        """Send what is kept, the oldest first; how many were taken. Raises what `Client.settle` raises.

        What is over meanwhile (its lease ran out, its run was cancelled) is dropped: the server fences it.
        """
        count = 0
        for path in sorted(self._folder.glob("*.json"), key=lambda one: one.stat().st_mtime):
            kept = json.loads(path.read_text())
            try:
                client.settle(kept["call"], kept["attempt"], kept["how"])
                count += 1
            except CallOver as over:
                log.info("call %s attempt %s is over: %s", kept["call"], kept["attempt"], over)
            except Refused as refusal:
                if refusal.status not in _NEVER:
                    raise
                log.exception("the answer to call %s is refused and set aside", kept["call"])
                path.replace(path.with_suffix(".refused"))
                continue
            path.unlink()
        return count
