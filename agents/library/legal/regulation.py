"""Gaps between what incidents call for and what a system's controls cover. Pure but for the installed incidents.

What is called for is taken from the incidents' own sources: the ids of OWASP's Top 10 for LLM applications and of
NIST's AI RMF that they list. Where fewer than half of a category's incidents list any, the map of `compliance.py` (most
incidents of that category elsewhere) adds what it infers, and says so.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from agents.library.compliance import framework_mappings, framework_of
from agents.library.incidents import Incident

type Basis = Literal["reported", "inferred"]
type State = Literal["covered", "stale", "declared only", "none"]
type Level = Literal["low", "medium", "high"]

FRESH_DAYS = 365  # a test of a control counts for a year
MANY_SEVERE = 10
_SEVERE = frozenset({"critical", "high"})


@dataclass(frozen=True, slots=True)
class Obligation:
    """A framework's item with the incidents that call for it; `examples` are the newest severe ones."""

    id: str
    framework: str
    basis: Basis
    incidents: int
    severe: int
    examples: tuple[Incident, ...]


@dataclass(frozen=True, slots=True)
class Control:
    """What a system's owners say that they do. Without evidence it is a declaration."""

    id: str
    title: str
    covers: tuple[str, ...]
    evidence: str = ""
    owner: str = ""
    tested_on: date | None = None


def obligations(incidents: Sequence[Incident], categories: Sequence[str]) -> list[Obligation]:
    """What incidents call for, by how many severe ones do, then by id."""
    calling: defaultdict[str, list[Incident]] = defaultdict(list)
    for incident in incidents:
        for id_ in dict.fromkeys((*incident.owasp_llm, *incident.nist_ai_rmf)):
            calling[id_].append(incident)
    found = [_obligation(id_, of, "reported") for id_, of in calling.items()]
    found += [
        _obligation(id_, of, "inferred") for id_, of in _inferred(incidents, categories).items() if id_ not in calling
    ]
    return sorted(found, key=lambda one: (-one.severe, -one.incidents, one.id))


def reported_share(incidents: Sequence[Incident]) -> float:
    """The share of incidents whose source lists any framework's item."""
    return sum(bool(one.owasp_llm or one.nist_ai_rmf) for one in incidents) / len(incidents) if incidents else 0.0


def state(id_: str, controls: Sequence[Control], today: date) -> tuple[State, Control | None]:
    """How well an item is covered, and the control that covers it best."""
    mine = [(_state(control, today), control) for control in controls if id_ in control.covers]
    order: tuple[State, ...] = ("covered", "stale", "declared only")
    return min(mine, key=lambda pair: order.index(pair[0]), default=("none", None))


def level(obligation: Obligation, found: State) -> Level:
    """How urgent a gap is: nothing there and many severe incidents is the worst."""
    many = obligation.severe >= MANY_SEVERE
    if found == "none":
        return "high" if many else "medium"
    return "medium" if many else "low"


def _state(control: Control, today: date) -> State:
    if not control.evidence.strip():
        return "declared only"
    fresh = control.tested_on is not None and 0 <= (today - control.tested_on).days <= FRESH_DAYS
    return "covered" if fresh else "stale"


def _obligation(id_: str, incidents: Sequence[Incident], basis: Basis) -> Obligation:
    severe = [one for one in incidents if one.severity in _SEVERE]
    newest = sorted(severe or incidents, key=lambda one: (one.date, one.id), reverse=True)[:3]
    return Obligation(id_, framework_of(id_), basis, len(incidents), len(severe), tuple(newest))


def _inferred(incidents: Sequence[Incident], categories: Sequence[str]) -> Mapping[str, list[Incident]]:
    counted = Counter(one.category for one in incidents)
    listing = Counter(one.category for one in incidents if one.owasp_llm or one.nist_ai_rmf)
    found: defaultdict[str, list[Incident]] = defaultdict(list)
    for category in categories:
        if 2 * listing[category] < counted[category]:
            for one in framework_mappings("", category=category, reported=(), reference=""):
                found[one.id] += [incident for incident in incidents if incident.category == category]
    return found
