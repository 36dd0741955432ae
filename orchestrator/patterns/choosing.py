"""Which pattern fits: four questions about a job, one recommendation with its reasons."""

from dataclasses import dataclass
from typing import Final

from agents.marking import marked as _

LINEAR: Final = "linear"
PARALLEL: Final = "parallel"
DYNAMIC: Final = "dynamic"
COLLABORATION: Final = "collaboration"
QUESTIONS: Final = {
    LINEAR: _("Does each step need the result of the one before it?"),
    PARALLEL: _("Can parts of it be done at the same time?"),
    DYNAMIC: _("Is the way found only while working?"),
    COLLABORATION: _("Must agents react to what others find?"),
}
_SAID: Final = {
    (LINEAR, True): _("Steps need the result of the one before them, so their order must hold."),
    (LINEAR, False): _("No step needs another's result, so nothing forces an order."),
    (PARALLEL, True): _("Parts can be done at the same time, so they should be."),
    (PARALLEL, False): _("Nothing can be done at the same time, so more agents would only wait."),
    (DYNAMIC, True): _("The way is found while working, so the steps cannot all be written down beforehand."),
    (DYNAMIC, False): _("The way is known, so it can be published, checked and repeated as it stands."),
    (COLLABORATION, True): _("Agents react to each other, so what one finds must reach the others."),
    (
        COLLABORATION,
        False,
    ): _("Agents need not talk, so each sees its own part only, which is cheaper and easier to check."),
}
# (collaboration, dynamic, parallel, linear) -> pattern
_FITS: Final = {
    (False, False, False, False): "sequential",
    (False, False, False, True): "sequential",
    (False, False, True, False): "parallel",
    (False, False, True, True): "hierarchy",
    (False, True, False, False): "conditional",
    (False, True, False, True): "conditional",
    (False, True, True, False): "refinement",
    (False, True, True, True): "planner",
    (True, False, False, False): "group_chat",
    (True, False, False, True): "group_chat",
    (True, False, True, False): "concurrent_sync",
    (True, False, True, True): "concurrent_sync",
    (True, True, False, False): "supervised_planner",
    (True, True, False, True): "planner_state_machine",
    (True, True, True, False): "swarm",
    (True, True, True, True): "magentic",
}


@dataclass(frozen=True, slots=True)
class Advice:
    """The pattern that fits, and one reason for each of the four answers."""

    pattern: str
    reasons: tuple[str, ...]


def recommend(*, linear: bool, parallel: bool, dynamic: bool, collaboration: bool) -> Advice:
    """One pattern for these answers."""
    answers = {LINEAR: linear, PARALLEL: parallel, DYNAMIC: dynamic, COLLABORATION: collaboration}
    fits = _FITS[collaboration, dynamic, parallel, linear]
    return Advice(fits, tuple(_SAID[question, said] for question, said in answers.items()))
