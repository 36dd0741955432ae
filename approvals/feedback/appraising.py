"""Rating, rubric, reasons and root causes that come with a verdict: read, demanded where the gate demands, and kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.contrib.auth.models import User
from django.http import QueryDict

from agents.types import Json
from approvals.errors import AppraisalInvalid, CauseMissing, RatingMissing
from approvals.feedback.models import Appraisal
from approvals.feedback.words import AGAINST, CAUSES, FOR, REASONS, RUBRIC
from approvals.models import Decision, Gate, Vote
from orchestrator.ports import terms_from_json

CHANGING: Final = frozenset({"edit", "choose", "request_changes", "reject", "terminate"})
RATINGS: Final = range(1, 6)
MOST: Final = 10  # chips of one kind


@dataclass(frozen=True, slots=True)
class Given:
    """What a person said beside the verdict. Empty: nothing."""

    rating: int | None = None
    rubric: Mapping[str, int] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rating or self.rubric or self.reasons or self.causes)


@dataclass(frozen=True, slots=True)
class Chip:
    """One word to choose, as the form shows it."""

    key: str
    word: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Criterion:
    """One line of the rubric, as the form shows it."""

    key: str
    word: str
    score: int | None


@dataclass(frozen=True, slots=True)
class Form:
    """The part of the verdict's form that asks for it. `demand`: as `demand_of`."""

    demand: str
    rating: int | None
    rubric: tuple[Criterion, ...]
    fitting: tuple[Chip, ...]
    failing: tuple[Chip, ...]
    causes: tuple[Chip, ...]
    ratings: tuple[int, ...] = tuple(RATINGS)

    @property
    def is_open(self) -> bool:
        """Whether it is shown unfolded: something is demanded, or something was chosen."""
        chosen = any(chip.chosen for chip in (*self.fitting, *self.failing, *self.causes))
        return bool(self.demand or self.rating or chosen)


def demand_of(gate: Gate) -> str:
    """What the gate demands: "" nothing, "on_change" a root cause with a change or refusal, "always" a rating, too."""
    return terms_from_json(gate.subject.get("terms") or {}).feedback


def form(gate: Gate, given: Given) -> Form:
    """The form, holding what was chosen so far."""
    return Form(
        demand=demand_of(gate),
        rating=given.rating,
        rubric=tuple(Criterion(key, str(word), given.rubric.get(key)) for key, word in RUBRIC.items()),
        fitting=_chips(FOR, given.reasons),
        failing=_chips(AGAINST, given.reasons),
        causes=_chips(CAUSES, given.causes),
    )


def read(posted: QueryDict) -> Given:
    """What a form holds; what cannot be a number stays out."""
    scores = {key: _score(posted.get(f"rubric.{key}")) for key in RUBRIC}
    return Given(
        rating=_score(posted.get("rating")),
        rubric={key: score for key, score in scores.items() if score},
        reasons=tuple(posted.getlist("reasons")[:MOST]),
        causes=tuple(posted.getlist("causes")[:MOST]),
    )


def check(gate: Gate, verdict: str, given: Given) -> None:
    """Refuse words that nobody knows, and a verdict without what the gate demands with it."""
    for kind, said, known in (("reason", given.reasons, REASONS), ("root cause", given.causes, CAUSES)):
        if strange := [one for one in said if one not in known]:
            raise AppraisalInvalid(what=f"the {kind} {strange[0][:40]!r}", known=", ".join(known))
    scores = [*given.rubric.values(), *([given.rating] if given.rating is not None else [])]
    if any(score not in RATINGS for score in scores) or given.rubric.keys() - RUBRIC.keys():
        raise AppraisalInvalid(what="that rating", known=f"1 to 5, for {', '.join(RUBRIC)} or as a whole")
    demand = demand_of(gate)
    if demand and verdict in CHANGING and not given.causes:
        raise CauseMissing(gate_id=gate.pk)
    if demand == "always" and given.rating is None:
        raise RatingMissing(gate_id=gate.pk)


def keep(given: Given, gate: Gate, by: User, *, decision: Decision | None = None, vote: Vote | None = None) -> None:
    """Write it down beside the decision or the vote that it came with; nothing said leaves no row."""
    if given:
        Appraisal.objects.create(
            gate=gate, decision=decision, vote=vote, by=by, rating=given.rating, rubric=dict(given.rubric),
            reasons=list(dict.fromkeys(given.reasons)), causes=list(dict.fromkeys(given.causes)),
        )  # fmt: skip


def to_json(given: Given) -> dict[str, Json]:
    """What is kept of it with an approval that goes out later."""
    told: dict[str, Json] = {
        "rating": given.rating, "rubric": dict(given.rubric), "reasons": [*given.reasons], "causes": [*given.causes],
    }  # fmt: skip
    return told if given else {}


def from_json(stored: Mapping[str, Any]) -> Given:
    """What `to_json` has kept."""
    return Given(
        stored.get("rating"),
        stored.get("rubric", {}),
        tuple(stored.get("reasons", ())),
        tuple(stored.get("causes", ())),
    )


def _chips(known: Mapping[str, object], chosen: Sequence[str]) -> tuple[Chip, ...]:
    return tuple(Chip(key, str(word), key in chosen) for key, word in known.items())


def _score(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) == 1 else None
