"""A small record system of our own for demonstrations: a folder with one file for each idempotency key.

It behaves as a real one must: the same key enters once and answers the same entry ever after, the same key with other
contents is refused, and an entry is withdrawn rather than erased. Several machines need a shared folder.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agents.errors import Business


@dataclass(frozen=True, slots=True)
class Entry:
    """What is on record. `withdrawn` is why it no longer holds, or empty."""

    reference: str
    contents: dict[str, Any]
    entered_at: str
    withdrawn: str = ""


class FileRegister:
    """Entries under `folder`, their references beginning with `prefix`."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self._folder = folder
        self._prefix = prefix

    def enter(self, key: str, contents: Mapping[str, Any]) -> Entry:
        """Record once per `key`. Raises Business when the key holds other contents."""
        reference = f"{self._prefix}-{hashlib.sha256(key.encode()).hexdigest()[:12].upper()}"
        wanted = Entry(reference, dict(contents), datetime.now(UTC).isoformat(timespec="seconds"))
        stored = self._first(self._path(reference), wanted)
        if stored.contents != wanted.contents:
            message = f"{reference} is on record with other contents; nothing was changed."
            raise Business(message, code="key_reused")
        return stored

    def find(self, key: str) -> Entry | None:
        """What was entered under `key`, if anything was."""
        reference = f"{self._prefix}-{hashlib.sha256(key.encode()).hexdigest()[:12].upper()}"
        return self._read(self._path(reference))

    def withdraw(self, reference: str, why: str) -> Entry:
        """Mark an entry as no longer in force; doing it again changes nothing. Raises Business for an unknown one."""
        entry = next((one for one in self.entries() if one.reference == reference), None)
        if entry is None:
            raise Business(f"{reference[:40]} is not on record; there is nothing to withdraw.", code="unknown_entry")
        if entry.withdrawn:
            return entry
        withdrawn = Entry(entry.reference, entry.contents, entry.entered_at, why)
        self._draft(withdrawn).replace(self._path(reference))
        return withdrawn

    def entries(self) -> list[Entry]:
        """Everything ever entered, by reference."""
        found = (self._read(path) for path in sorted(self._folder.glob("*.json")))
        return [entry for entry in found if entry is not None]

    def _path(self, reference: str) -> Path:
        return self._folder / f"{reference}.json"

    @staticmethod
    def _read(path: Path) -> Entry | None:
        return Entry(**json.loads(path.read_text())) if path.exists() else None

    def _first(self, path: Path, wanted: Entry) -> Entry:
        draft = self._draft(wanted)
        try:
            # A link appears whole or not at all, and only one of two racing callers makes it.
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        stored = self._read(path)
        assert stored is not None
        return stored

    def _draft(self, entry: Entry) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=self._folder, suffix=".tmp", delete=False) as draft:
            json.dump(asdict(entry), draft)
            draft.flush()
            os.fsync(draft.fileno())
        return Path(draft.name)
