"""Which agent does a step that names none: the ones that may, and of these the one that fits best. Pure.

A candidate that lacks the capability, the authority or the place, or is out of service, is out, with the reason. The
others are scored, each part from 0 to 1: fit (share of the wanted domain tags), room (what its load leaves), quality
(share of calls that did not fail) and cheapness (against the dearest). Equal scores go to whoever was given the fewest
tasks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.definitions.plan import Selection

WEIGHTS: Final = {"fit": 0.4, "room": 0.25, "quality": 0.2, "cost": 0.15}
ROOMY: Final = 100  # calls at once that count as a full load of an agent without a limit
STEADY: Final = 0.05  # an agent that was chosen before is kept unless another is better by more than this


@dataclass(frozen=True, slots=True)
class Candidate:
    """One agent as it stands now. `cost` in US dollars a call; `given`: tasks that it was given lately."""

    id: int
    name: str
    capabilities: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    authority: tuple[str, ...] | None = None
    at_once: int | None = None
    running: int = 0
    queued: int = 0
    failures: float = 0.0  # share of its calls
    cost: float = 0.0
    given: int = 0
    away: str = ""  # why it is out of service: "stopped", "its circuit breaker is open", "it runs in another lane"

    @property
    def is_saturated(self) -> bool:
        """Whether it has no place left."""
        return self.at_once is not None and self.running + self.queued >= self.at_once

    @property
    def load(self) -> float:
        """From 0 to 1, in tenths: smaller differences are chance, and must not decide who gets the work."""
        return min(1.0, round((self.running + self.queued) / (self.at_once or ROOMY), 1))


@dataclass(frozen=True, slots=True)
class Choice:
    """The agent and why, and what was said of every other; no agent where none is free or none is able."""

    agent: Candidate | None
    reason: str
    candidates: tuple[tuple[str, str], ...]  # name, score or why not
    waits: bool = False  # for an agent that has no place now
    able: bool = True  # somebody could do it, sooner or later


def choose(
    wanted: Selection, candidates: Sequence[Candidate], *, category: str = "", avoid: str = "", keep: str = ""
) -> Choice:
    """The best candidate. `avoid` is taken only if it alone is left; `keep` stays unless another is clearly better.

    If all that are able have no place, the one with the shortest queue, with `waits`.
    """
    out = {c.name: _unfit(wanted, c, category) for c in candidates}
    fit = [c for c in candidates if not out[c.name]]
    there = [c for c in fit if not c.away]
    free = [c for c in there if not c.is_saturated]
    pool = [c for c in free if c.name != avoid] or free
    scores = {c.name: _score(wanted, c, pool) + (STEADY if c.name == keep else 0) for c in pool}
    told = tuple((c.name, _word(c, out[c.name], scores)) for c in candidates)
    if pool:
        best = min(pool, key=lambda c: (-round(scores[c.name], 6), c.given, c.name))
        return Choice(best, _reason(wanted, best, scores, avoid), told)
    if there:
        shortest = min(there, key=lambda c: ((c.running + c.queued) / (c.at_once or ROOMY), c.given, c.name))
        return Choice(shortest, f"all have no place; {shortest.name} has the shortest queue", told, waits=True)
    reason = "all that could do it are out of service" if fit else "no agent is able to do it"
    return Choice(None, reason, told, able=bool(fit))


def _unfit(wanted: Selection, candidate: Candidate, category: str) -> str:
    """Why it can never do this, or nothing."""
    if wanted.agents and candidate.name not in wanted.agents:
        return "is not among those named"
    if wanted.capability and wanted.capability not in candidate.capabilities:
        return f"cannot {wanted.capability}"
    allowed = candidate.capabilities if candidate.authority is None else candidate.authority
    if category and category not in allowed:
        return f"has no authority for {category}"
    return ""


def _score(wanted: Selection, candidate: Candidate, pool: Sequence[Candidate]) -> float:
    dearest = max(other.cost for other in pool)
    return (
        WEIGHTS["fit"] * _fit(wanted, candidate)
        + WEIGHTS["room"] * (1 - candidate.load)
        + WEIGHTS["quality"] * (1 - candidate.failures)
        + WEIGHTS["cost"] * (1 - candidate.cost / dearest if dearest else 1.0)
    )


def _fit(wanted: Selection, candidate: Candidate) -> float:
    return len(set(wanted.tags) & set(candidate.tags)) / len(set(wanted.tags)) if wanted.tags else 1.0


def _word(candidate: Candidate, unfit: str, scores: dict[str, float]) -> str:
    if unfit or candidate.away:
        return unfit or candidate.away
    if candidate.is_saturated:
        return f"has no place: {candidate.running + candidate.queued} of {candidate.at_once}"
    score = scores.get(candidate.name)
    return f"{score:.2f}" if score is not None else "failed at it before"


def _reason(wanted: Selection, best: Candidate, scores: dict[str, float], avoid: str) -> str:
    parts = [f"load {best.load:.0%}", f"success {1 - best.failures:.0%}"]
    if wanted.tags:
        parts.insert(0, f"{len(set(wanted.tags) & set(best.tags))} of {len(set(wanted.tags))} tags")
    if best.cost:
        parts.append(f"${best.cost:g} a call")
    others = [score for name, score in scores.items() if name != best.name]
    if not others:
        rank = "the only one free"
    elif scores[best.name] - max(others) > 1e-6:
        rank = f"best of {len(scores)}"
    else:
        rank = f"as good as others of {len(scores)}, given the fewest"
    moved = f", in place of {avoid}" if avoid and best.name != avoid else ""
    return f"{rank}: {', '.join(parts)}{moved}"
