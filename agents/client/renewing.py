"""A worker's token lives an hour: its next secret is fetched at half of that, and kept in a file if one is named."""

import logging
import os
import time
from pathlib import Path

import httpx

from .api import Client
from .errors import Refused

log = logging.getLogger("watchkeeper.worker")
_AGAIN = 30.0  # seconds until the next try, when renewing did not work


class Renewing:
    """Renews one client's token when it is time. `look()` is called often, from one thread at a time."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._due = 0.0
        self.path: Path | None = None

    def look(self) -> None:
        """Renew if it is time. A token that is made for longer is left alone; what fails is tried again."""
        if time.monotonic() < self._due:
            return
        try:
            found = self._client.renew()
        except Refused as refusal:
            is_over = refusal.status in {404, 405, 409}  # made for longer, no longer renewed, or an older server
            self._due = float("inf") if is_over else time.monotonic() + _AGAIN
            log.log(logging.INFO if is_over else logging.WARNING, "the token is not renewed: %s", refusal)
        except httpx.TransportError as problem:
            self._due = time.monotonic() + _AGAIN
            log.warning("the token is not renewed yet: %s", problem)
        else:
            self._due = time.monotonic() + found.seconds / 2
            if self.path is not None:
                _keep(self.path, found.secret)


def stored(path: Path | None) -> str:
    """What a file holds; "" without one."""
    return path.read_text().strip() if path is not None and path.exists() else ""


def _keep(path: Path, secret: str) -> None:
    """Whole or not at all, for its owner alone."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.part")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secret)
    draft.replace(path)
