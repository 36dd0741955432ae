"""What a run's story is told from, and its lines. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from agents.types import Json

type Who = Literal["person", "agent", "engine"]


@dataclass(frozen=True, slots=True)
class Happening:
    """One event with the names that a sentence needs: its step's title, its gate's title, queue and note."""

    pos: int | None
    at: datetime
    kind: str
    actor: str
    facts: Mapping[str, Json]
    step_key: str = ""
    step: str = ""
    gate: int | None = None
    gate_title: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Quote:
    """Words that somebody else wrote, below a line: what they are, and who wrote them."""

    title: str
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the story. `gate_title`, `note` and `quotes` are others' words, shown as such.

    `about` is what the system knows of it in figures; `run` is set where a story tells of several runs.
    """

    pos: int | None
    at: datetime
    kind: str
    who: Who
    name: str
    text: str
    step_key: str
    step: str
    gate: int | None
    gate_title: str
    note: str
    about: str = ""
    quotes: tuple[Quote, ...] = ()
    run: int | None = None
    message: UUID | None = None

    @property
    def tone(self) -> str:
        """How its mark is coloured: what went wrong, what waits, what went well."""
        verb = self.kind.rpartition(".")[2]
        return next((tone for tone, verbs in _TONES.items() if verb in verbs), "idle")


_TONES: Final[Mapping[str, frozenset[str]]] = {
    "failed": frozenset({"failed", "lost", "late_result", "refused", "exceeded"}),
    "waiting": frozenset(
        {"waiting", "opened", "escalated", "retry_scheduled", "revised", "queued", "held_back", "fell_back"}
        | {"compensating", "partly_succeeded", "half_opened", "warned"}
    ),
    "good": frozenset({"succeeded", "resumed", "decided", "admitted", "let_go", "closed", "reset"}),
    "running": frozenset({"started", "retried", "returned", "claimed"}),
    "stopped": frozenset({"paused", "cancelled", "withdrawn"}),
}
