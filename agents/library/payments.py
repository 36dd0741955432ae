"""A small payment provider of our own for demonstrations: a folder with one file for each idempotency key.

It behaves as a real provider must: the same key pays once and answers the same receipt ever after; the same key with
other arguments is refused. Several machines need a shared folder.
"""

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from agents.errors import Business


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the provider answers. `amount_cents` is a whole number of cents: money is never a float."""

    reference: str
    order_id: str
    amount_cents: int
    currency: str
    paid_at: str


class FilePayments:
    """Refunds recorded under `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def refund(self, *, key: str, order_id: str, amount_cents: int, currency: str) -> Receipt:
        """Pay once per `key`. Raises Business when the key was used for another order or amount."""
        name = hashlib.sha256(key.encode()).hexdigest()
        wanted = Receipt(
            f"RF-{name[:12].upper()}", order_id, amount_cents, currency, datetime.now(UTC).isoformat(timespec="seconds")
        )
        stored = self._record(self._folder / f"{name}.json", wanted)
        if (stored.order_id, stored.amount_cents, stored.currency) != (order_id, amount_cents, currency):
            raise Business(
                f"Payment key of order {order_id} was used for another refund; nothing was paid.", code="key_reused"
            )
        return stored

    def find(self, key: str) -> Receipt | None:
        """What was paid for `key`, if anything was."""
        path = self._folder / f"{hashlib.sha256(key.encode()).hexdigest()}.json"
        return Receipt(**json.loads(path.read_text())) if path.exists() else None

    def receipts(self) -> list[Receipt]:
        """Everything ever paid."""
        return [Receipt(**json.loads(path.read_text())) for path in sorted(self._folder.glob("*.json"))]

    def _record(self, path: Path, receipt: Receipt) -> Receipt:
        """Write the receipt unless one is there; whichever came first is returned."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=self._folder, suffix=".tmp", delete=False) as draft:
            json.dump(asdict(receipt), draft)
            draft.flush()
            os.fsync(draft.fileno())
        try:
            # A link appears whole or not at all, and only one of two racing callers makes it.
            os.link(draft.name, path)
        except FileExistsError:
            pass
        finally:
            Path(draft.name).unlink()
        return Receipt(**json.loads(path.read_text()))
