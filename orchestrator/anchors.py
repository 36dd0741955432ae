"""Signed positions of the ledger, kept in files outside the database.

Whoever owns the database can rewrite the whole ledger so that its chain holds again, or cut off its end. An anchor says
"at this time, position N had this hash", signed with a key that the database does not know (`signing`). Each database
has its own folder of anchors, named by what PostgreSQL calls the server and the database. Those of earlier releases are
signed with HMAC-SHA256 and a key in `anchor.key`: they still count as long as that file is there.
"""

import hashlib
import hmac
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psycopg
import structlog
from django.conf import settings

from orchestrator import signing

EVERY_EVENTS: Final = 10_000
EVERY_SECONDS: Final = 60.0

log = structlog.get_logger()


class UnreadableAnchor(Exception):
    """Line {line} of {path} is not an anchor; restore the file from a copy."""

    def __init__(self, path: Path, line: int) -> None:
        super().__init__((self.__doc__ or "").format(path=path, line=line))


@dataclass(frozen=True, slots=True)
class Anchor:
    """One signed position. `at` is the signer's clock, for people; `key` the public key, empty in earlier releases'."""

    pos: int
    hash: str
    at: str
    signature: str
    key: str = ""

    @property
    def is_genuine(self) -> bool:
        """Signed by a key of this installation."""
        body = _body(self.pos, self.hash, self.at)
        if self.key:
            return signing.holds(body, public=self.key, signature=self.signature)
        old = Path(settings.DATA_DIR) / "anchor.key"
        return old.exists() and hmac.compare_digest(self.signature, _by_hmac(old, body))


WHICH_DATABASE: Final = "SELECT system_identifier || '-' || current_database() FROM pg_control_system()"


def folder(database: str) -> Path:
    """Where a database's anchors are kept; copy it to another machine now and then."""
    return Path(settings.DATA_DIR) / "anchors" / re.sub(r"[^\w.-]", "_", database)


def _body(pos: int, hash_: str, at: str) -> bytes:
    """Position, hash and time: what is signed."""
    return f"{pos}|{hash_}|{at}".encode()


def _by_hmac(key: Path, body: bytes) -> str:
    return hmac.new(bytes.fromhex(key.read_text(encoding="ascii").strip()), body, hashlib.sha256).hexdigest()


def facts(anchor: Anchor) -> dict[str, int | str]:
    """What its line in the file says."""
    return asdict(anchor)


def write(database: str, pos: int, hash_: str) -> Anchor:
    """Sign a position and append it, durably, to this month's file."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    key, signature = signing.sign(_body(pos, hash_, at))
    anchor = Anchor(pos, hash_, at, signature, key)
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
        self.write_now()

    def write_now(self) -> None:
        """Write one for the ledger's end."""
        row = self._connection.execute("SELECT hash FROM orchestrator_ledger WHERE pos = %s", [self._pos]).fetchone()
        assert row is not None
        try:
            write(self._database, self._pos, row[0].hex())
        except OSError as error:
            log.error("ledger.anchor_failed", pos=self._pos, error=str(error))
        self._anchored = self._pos
        self._due = time.monotonic() + EVERY_SECONDS
