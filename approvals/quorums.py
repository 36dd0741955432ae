"""How many people a queue asks for at least, by risk: for every gate that comes there, whatever its definition says.

So failures, calls of tools and outputs held by their checks are decided by several people, too, and nobody who edits a
workflow can ask fewer than those who answer for the queue.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from agents.types import Json
from approvals.models import GateKind, Queue, Risk
from orchestrator.ports import GateTerms

MOST: Final = 9
_WORK: Final = (GateKind.MANUAL, GateKind.HYBRID, GateKind.REQUEST)  # done by one person, and nothing is approved


def raised(terms: GateTerms, queue: Queue, *, kind: str, risk: str) -> GateTerms:
    """A gate's terms as they hold in this queue: never fewer people than it asks for at this risk."""
    least = queue.quorum.get(risk, 1)
    if kind in _WORK or terms.approvals >= least or terms.two_keys:  # two keys at one moment are two people's already
        return terms
    return replace(terms, approvals=least)


def cleaned(wanted: Mapping[str, Json]) -> dict[str, Json]:
    """What is worth storing of it: numbers above one. Raises ValueError."""
    found: dict[str, Json] = {}
    for risk, least in wanted.items():
        if risk not in Risk.values or not isinstance(least, int) or isinstance(least, bool) or not 1 <= least <= MOST:
            raise ValueError(f"{risk}: {least!r}")
        if least > 1:
            found[risk] = least
    return found


def is_lower(wanted: Mapping[str, Json], now: Mapping[str, int]) -> bool:
    """Whether fewer people would be asked somewhere."""
    return any(wanted.get(risk, 1) < least for risk, least in now.items())  # type: ignore[operator]
