"""What a step's definition asks of its output, and what was found about one output. Plain values, no Django."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from agents.types import Json

CHECKS: Final = ("completeness", "format", "accuracy", "consistency")
WEIGHTS: Final[Mapping[str, float]] = {
    "completeness": 0.25, "format": 0.15, "accuracy": 0.35, "consistency": 0.25, "verifier": 0.35, "consensus": 0.35,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ConsensusSpec:
    """`agree` of `of` independent calls must say the same in `fields` (all but the confidence, if none are named)."""

    of: int = 3
    agree: int = 2
    fields: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()  # who is asked, in turn; none: the step's own agent, `of` times
    authority: dict[str, str] = field(default_factory=dict)  # agent: level of the authority table


@dataclass(frozen=True, slots=True)
class QualitySpec:
    """A step's `quality` as written. Paths have dots; `sources` are values and expressions by name."""

    checks: tuple[str, ...] = ()
    required: tuple[str, ...] = ()  # paths that must hold something
    sections: tuple[str, ...] = ()  # headings that `text` must have, each with words under it
    text: str = ""  # path of the running text
    schema: dict[str, Json] = field(default_factory=dict)
    formats: dict[str, str] = field(default_factory=dict)  # path: name of a format
    claims: str = ""  # path of a list of claims, or of a text with [source] marks
    sources: dict[str, Json] = field(default_factory=dict)  # name: text; none: the step's own input
    facts: tuple[str, ...] = ()  # field names that must stay as earlier steps have them
    minimum: float = 0.0
    weights: dict[str, float] = field(default_factory=dict)
    zero_tolerance: bool = False
    verifier: str = ""  # "name" or "name@3"
    consensus: ConsensusSpec | None = None
    guardians: tuple[str, ...] = ()
    queue: str = ""

    @property
    def may_hold(self) -> bool:
        """Whether it can put an output before people; without a minimum or others' judgement it only tells."""
        return bool(self.minimum or self.zero_tolerance or self.verifier or self.consensus or self.guardians)


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: where it is, what is wrong, and the words it is about."""

    check: str
    path: str
    message: str
    quote: str = ""
    source: str = ""
    other: str = ""  # what it contradicts, verbatim


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement of an output held against its source: `verified`, `unsupported`, `fabricated` or `unsourced`.

    `start` and `end` are the place in the source that supports it best, `support` 0-1 how far its words stand there.
    """

    text: str
    source: str
    status: str
    quote: str = ""
    start: int | None = None
    end: int | None = None
    support: float = 0.0
    retrieved_at: str = ""


@dataclass(frozen=True, slots=True)
class Component:
    """One check's part in the score: 0-1, with its weight and what it found."""

    name: str
    score: float
    weight: float
    passed: bool
    findings: tuple[Finding, ...] = ()
    claims: tuple[Claim, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Report:
    """What all checks together say of one output. `score` 0-100; `reasons` say why it is held, if it is."""

    score: float
    components: tuple[Component, ...]
    reasons: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether it may be used without a person."""
        return not self.reasons

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every fault, check by check."""
        return tuple(finding for component in self.components for finding in component.findings)
