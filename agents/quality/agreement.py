"""Several answers to one question: who agrees, what confidence x authority says, and the dissent kept. No Django."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import orjson

from agents.quality.paths import MISSING, at
from agents.types import Json

# Requirement D024. People change it: agents.quality.authority keeps every version.
AUTHORITY: Final[Mapping[str, float]] = {"regulatory": 1.0, "sop": 0.8, "general": 0.6}
DEFAULT_LEVEL: Final = "general"
NO_CLAIM: Final = 0.5  # confidence of an answer that claims none: it counts, but never more than a claimed one half


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: who gave it, how sure (0-1 or None), and what weight its writer's authority has (0-1)."""

    writer: str
    output: dict[str, Json]
    confidence: float | None = None
    authority: float = AUTHORITY[DEFAULT_LEVEL]
    task: int = 0


@dataclass(frozen=True, slots=True)
class Side:
    """All who give one answer. `weight` is the sum of confidence x authority, `share` its part of all weights."""

    value: Any
    writers: tuple[str, ...]
    tasks: tuple[int, ...]
    confidences: tuple[float | None, ...]
    weight: float
    share: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """The side that prevails and the others. `output` is the surest answer of the side that prevails."""

    output: dict[str, Json]
    confidence: float | None
    agreeing: int
    sides: tuple[Side, ...] = field(default_factory=tuple)

    @property
    def dissent(self) -> tuple[Side, ...]:
        """The sides that did not prevail."""
        return self.sides[1:]

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {"agreeing": self.agreeing, "sides": [asdict(side) for side in self.sides]}


def weight(confidence: float | None, authority: float) -> float:
    """Requirement D023: how much one answer counts, confidence x authority."""
    return (NO_CLAIM if confidence is None else confidence) * authority


def synthesise(answers: Sequence[Answer], fields: Sequence[str] = (), *, by_count: bool = True) -> Verdict | None:
    """Group equal answers and find the side that prevails; None without answers.

    `by_count`: most voices first, weight among equals (consensus); otherwise weight alone decides. All sides are kept.
    """
    groups: dict[bytes, list[Answer]] = {}
    for answer in answers:
        groups.setdefault(_canonical(_compared(answer.output, fields)), []).append(answer)
    total = sum(weight(answer.confidence, answer.authority) for answer in answers)
    sides = [_side(group, fields, total) for group in groups.values()]
    sides.sort(key=lambda side: (-len(side.writers) if by_count else 0, -side.weight))
    if not sides:
        return None
    winners = groups[_canonical(sides[0].value)]
    surest = max(winners, key=lambda answer: weight(answer.confidence, answer.authority))
    return Verdict(surest.output, surest.confidence, len(winners), tuple(sides))


def is_tied(verdict: Verdict) -> bool:
    """Whether two sides weigh the same, so that weight decides nothing."""
    return len(verdict.sides) > 1 and abs(verdict.sides[0].weight - verdict.sides[1].weight) < 1e-9


def _side(group: Sequence[Answer], fields: Sequence[str], total: float) -> Side:
    own = sum(weight(answer.confidence, answer.authority) for answer in group)
    return Side(
        value=_compared(group[0].output, fields),
        writers=tuple(answer.writer for answer in group),
        tasks=tuple(answer.task for answer in group),
        confidences=tuple(answer.confidence for answer in group),
        weight=round(own, 6),
        share=round(own / total, 6) if total else 0.0,
    )


def _compared(output: dict[str, Json], fields: Sequence[str]) -> Any:
    if not fields:
        return {name: value for name, value in output.items() if name != "confidence"}
    return {path: None if (value := at(output, path)) is MISSING else value for path in fields}


def _canonical(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
