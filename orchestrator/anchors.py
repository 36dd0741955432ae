"""Signed positions of the ledger, kept in files outside the database.

Whoever owns the database can rewrite the whole ledger so that its chain holds again, or cut off its end. An anchor says
"at this time, position N had this hash", signed with a key that the database does not know. Each database has its own
folder of anchors, named by what PostgreSQL calls the server and the database.
"""

import hashlib
import hmac
import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psycopg
import structlog
from django.conf import settings

EVERY_EVENTS: Final = 10_000
EVERY_SECONDS: Final = 60.0

log = structlog.get_logger()


class UnreadableAnchor(Exception):
    """Line {line} of {path} is not an anchor; restore the file from a copy."""

    def __init__(self, path: Path, line: int) -> None:
        super().__init__((self.__doc__ or "").format(path=path, line=line))


@dataclass(frozen=True, slots=True)
class Anchor:
    """One signed position. `at` is the signer's clock, for people."""

    pos: int
    hash: str
    at: str
    signature: str

    @property
    def is_genuine(self) -> bool:
        """Signed by this installation's key."""
        return hmac.compare_digest(self.signature, sign(self.pos, self.hash, self.at))


WHICH_DATABASE: Final = "SELECT system_identifier || '-' || current_database() FROM pg_control_system()"


def folder(database: str) -> Path:
    """Where a database's anchors are kept; copy it to another machine now and then."""
    return Path(settings.DATA_DIR) / "anchors" / re.sub(r"[^\w.-]", "_", database)


def sign(pos: int, hash_: str, at: str) -> str:
    """HMAC-SHA256 over position, hash and time."""
    return hmac.new(_key(), f"{pos}|{hash_}|{at}".encode(), hashlib.sha256).hexdigest()


def write(database: str, pos: int, hash_: str) -> Anchor:
    """Sign a position and append it, durably, to this month's file."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    anchor = Anchor(pos, hash_, at, sign(pos, hash_, at))
    place = folder(database)
    place.mkdir(parents=True, exist_ok=True)
    with (place / f"{at[:7]}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(anchor)) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return anchor


def read(database: str) -> Iterator[Anchor]:
    """Every anchor in the order it was written. Raises UnreadableAnchor."""
    for path in _files(database):
        yield from _read_file(path)


def last(database: str) -> Anchor | None:
    """The newest anchor."""
    for path in reversed(_files(database)):
        for anchor in reversed(list(_read_file(path))):
            return anchor
    return None


def _files(database: str) -> list[Path]:
    return sorted(folder(database).glob("*.jsonl"))


def _read_file(path: Path) -> Iterator[Anchor]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            yield Anchor(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise UnreadableAnchor(path, number) from error


class Anchorer:
    """Decides when the leader writes an anchor: every 10,000 events, and every minute in which there were any."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        row = connection.execute(WHICH_DATABASE).fetchone()
        assert row is not None
        self._database: str = row[0]
        newest = last(self._database)
        self._pos = self._anchored = newest.pos if newest else 0
        # Leaders change more often than anchors are due.
        age = (datetime.now(UTC) - datetime.fromisoformat(newest.at)).total_seconds() if newest else EVERY_SECONDS
        self._due = time.monotonic() + max(0.0, EVERY_SECONDS - age)

    def sealed(self, pos: int) -> None:
        """Note the ledger's end."""
        self._pos = pos

    def write_if_due(self) -> None:
        """Write an anchor for the ledger's end, if it is time. A full disk is logged and stops nothing."""
        waiting = self._pos - self._anchored
        if waiting == 0 or (waiting < EVERY_EVENTS and time.monotonic() < self._due):
            return
        row = self._connection.execute("SELECT hash FROM orchestrator_ledger WHERE pos = %s", [self._pos]).fetchone()
        assert row is not None
        try:
            write(self._database, self._pos, row[0].hex())
        except OSError as error:
            log.error("ledger.anchor_failed", pos=self._pos, error=str(error))
        self._anchored = self._pos
        self._due = time.monotonic() + EVERY_SECONDS


def _key() -> bytes:
    path = Path(settings.DATA_DIR) / "anchor.key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _create_key(path)
    return bytes.fromhex(path.read_text(encoding="ascii").strip())


def _create_key(path: Path) -> None:
    """Two processes may start at once: the file appears whole or not at all, and the first one stands."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
