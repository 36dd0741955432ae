"""What the demonstration feed submits: real incidents, real news texts, and synthesised refund requests.

Each source is an endless numbered sequence, the same on every machine: incidents and news in a fixed shuffle that
starts again as the next cycle, refunds drawn from a random generator seeded with their number. Refunds are invented
because no real ones may be published; their amounts follow the long tail of retail orders (half are paid less than
$180, one in eleven asks for more than $1,000), and one in 25 sits exactly on the limit or one cent above it.
"""

import hashlib
import importlib.util
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Protocol

from agents.library.incidents import Incident, load
from agents.types import Json

_REASONS = (
    "Arrived damaged; the screen is cracked.",
    "Wrong size delivered twice.",
    "Cancelled before shipping, charged all the same.",
    "Stopped working after nine days.",
    "Ordered twice by mistake.",
    "Not as described: the listing says stainless steel.",
    "The parcel never arrived; tracking ended two weeks ago.",
    "Course was cancelled by the organiser.",
)
_NAMES = (
    "Amara Okafor",
    "Jonas Weber",
    "Mei Tanaka",
    "Sofia Rossi",
    "Liam Murphy",
    "Priya Nair",
    "Ana Souza",
    "Omar Haddad",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One run to start. `key` names it for good, so that submitting it twice starts it once."""

    workflow: str
    key: str
    input: dict[str, Json]


class Source(Protocol):
    """An endless numbered sequence of samples for one workflow."""

    workflow: str

    def sample(self, number: int, today: date) -> Sample:
        """The sample at `number`, from 0."""
        ...

    def number_after(self, key: str) -> int:
        """The number that follows the sample with this key; 0 if the key is not one of ours."""
        ...


class Incidents:
    """All incidents of the file in a fixed shuffle."""

    workflow = "incident-response"

    def sample(self, number: int, today: date) -> Sample:
        """The alert at `number`; the severity stays out of it."""
        cycle, place = divmod(number, len(self._shuffled))
        incident = self._shuffled[place]
        return Sample(self.workflow, f"feed:{cycle}:{incident.id}", incident.alert())

    def number_after(self, key: str) -> int:
        """The number after the incident named by `key`."""
        cycle, id_ = _cycle_and_id(key)
        place = next((place for place, incident in enumerate(self._shuffled) if incident.id == id_), -1)
        return cycle * len(self._shuffled) + place + 1

    @cached_property
    def _shuffled(self) -> list[Incident]:
        return sorted(load(), key=lambda incident: _mix(incident.id))


class News:
    """The Lee background corpus of an installed gensim: 300 news texts of 2001. Its file is read, no code imported."""

    workflow = "content-production"

    def sample(self, number: int, today: date) -> Sample:
        """The text at `number`."""
        cycle, place = divmod(number, len(self.texts))
        index = self._order[place]
        text: dict[str, Json] = {"text": self.texts[index], "source": f"Lee background corpus, document {index + 1}"}
        return Sample(self.workflow, f"feed:{cycle}:LEE-{index + 1}", text)

    def number_after(self, key: str) -> int:
        """The number after the text named by `key`."""
        cycle, id_ = _cycle_and_id(key)
        index = int(id_.removeprefix("LEE-")) - 1 if id_.removeprefix("LEE-").isdigit() else -1
        place = self._order.index(index) if index in self._order else -1
        return cycle * len(self.texts) + place + 1

    @staticmethod
    def is_available() -> bool:
        """Whether the corpus is on this machine."""
        return _corpus() is not None

    @cached_property
    def texts(self) -> list[str]:
        """Its documents, in the order of the file."""
        path = _corpus()
        assert path is not None
        return path.read_text(encoding="utf-8").splitlines()

    @cached_property
    def _order(self) -> Sequence[int]:
        return sorted(range(len(self.texts)), key=lambda index: _mix(f"LEE-{index + 1}"))


class Refunds:
    """Synthesised refund requests."""

    workflow = "refund-approval"

    def sample(self, number: int, today: date) -> Sample:
        """The request at `number`, made `today`."""
        chance = random.Random(f"refund {number}")
        order_id = f"ORD-{number + 1:06d}"
        paid = round(math.exp(chance.gauss(math.log(18_000), 1.3)))
        asked = max(100, round(paid * chance.choice((1.0, 1.0, 1.0, 0.5, 0.25))))
        if number % 25 == 12:
            asked = 100_000 + number // 25 % 2
        order: dict[str, Json] = {
            "order_id": order_id,
            "customer": chance.choice(_NAMES),
            "amount_cents": asked,
            "paid_cents": max(paid, asked),
            "reason": chance.choice(_REASONS),
            "ordered_on": (today - timedelta(days=round(chance.triangular(1, 90, 12)))).isoformat(),
            "requested_on": today.isoformat(),
        }
        return Sample(self.workflow, f"feed:0:{order_id}", order)

    def number_after(self, key: str) -> int:
        """The number after the order named by `key`."""
        digits = _cycle_and_id(key)[1].removeprefix("ORD-")
        return int(digits) if digits.isdigit() else 0


def _mix(id_: str) -> str:
    return hashlib.sha256(f"feed {id_}".encode()).hexdigest()


def _cycle_and_id(key: str) -> tuple[int, str]:
    prefix, _, rest = key.partition(":")
    cycle, _, id_ = rest.partition(":")
    return (int(cycle), id_) if prefix == "feed" and cycle.isdigit() else (0, "")


def _corpus() -> Path | None:
    spec = importlib.util.find_spec("gensim")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "test" / "test_data" / "lee_background.cor"
    return path if path.is_file() else None
