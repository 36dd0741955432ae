"""One agent or several? Fifteen checks, one verdict: the phase to begin with, the reasons, and the warning signs.

The order of the phases is "start simple": one agent, then two, then all, then agents that coordinate themselves. The
checks are ours; each is a question whose "yes" speaks for its group.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from agents.marking import marked as _

type Phase = Literal["single", "two", "full", "advanced"]

PHASES: Final[Mapping[str, str]] = {
    "single": _("One agent"),
    "two": _("Two agents"),
    "full": _("A full team"),
    "advanced": _("A team that coordinates itself"),
}
SINGLE: Final[Mapping[str, str]] = {
    "one_instruction": _("Does one clear instruction describe the whole job?"),
    "one_field": _("Is the knowledge of one field enough for it?"),
    "few_tools": _("Do ten tools or fewer, used one after the other, cover it?"),
    "one_context": _("Does everything that it needs fit into one context?"),
    "same_rights": _("May the same agent see and do everything in it?"),
}
SEVERAL: Final[Mapping[str, str]] = {
    "at_once": _("Can parts be done at the same time, and does the time matter?"),
    "specialists": _("Does it need specialists whose instructions or tools would get in each other's way?"),
    "separation": _("Must somebody else check what was made, or may no single agent hold all the rights?"),
    "other_models": _("Do parts need other models, costs or places than the rest?"),
    "own_pace": _("Do parts change, fail or grow on their own, under different owners?"),
}
READY: Final[Mapping[str, str]] = {
    "tried": _("Has one agent been tried, and is it known where it fails?"),
    "measured": _("Is there a data set or a measure that says which way is better?"),
    "watched": _("Can every run, cost and error be traced, and does somebody look?"),
    "funded": _("Is there a budget for several times the tokens of one agent?"),
    "owned": _("Does each agent have an owner, and each gate somebody who answers?"),
}
GROUPS: Final[Mapping[str, Mapping[str, str]]] = {"single": SINGLE, "several": SEVERAL, "ready": READY}
QUESTIONS: Final[Mapping[str, str]] = {**SINGLE, **SEVERAL, **READY}
# Signs that several agents are not needed, or not yet: the check, the answer that gives the sign, and its words.
_SIGNS: Final = (
    ("one_instruction", True, _("One instruction describes it: several agents would repeat it in other words.")),
    ("at_once", False, _("Nothing has to happen at the same time: more agents would only wait for each other.")),
    ("specialists", False, _("No specialists are needed: the agents would differ in name only.")),
    ("separation", False, _("Nothing has to be kept apart: dividing the work protects nothing.")),
    ("one_context", True, _("Everything fits into one context: handing it on only loses parts of it.")),
    ("tried", False, _("One agent has not been tried: nobody knows yet that it is not enough.")),
    ("measured", False, _("There is no measure: nobody could tell whether several agents do better.")),
    ("funded", False, _("There is no budget for it: several agents use several times the tokens of one.")),
)
# Patterns in which agents decide who does what next.
SELF_COORDINATING: Final = frozenset({"magentic", "planner", "supervised_planner", "swarm"})
_NEEDED: Final = 2  # checks that must speak for several agents
_MOST: Final = 4  # checks of a group that make it plain


@dataclass(frozen=True, slots=True)
class Verdict:
    """The phase to begin with, how many checks of each group were answered with yes, why, and what warns."""

    phase: Phase
    counts: Mapping[str, int]
    reason: str
    signs: tuple[str, ...]

    @property
    def title(self) -> str:
        """The phase in words."""
        return PHASES[self.phase]

    @property
    def number(self) -> int:
        """Which of the four phases, from 1."""
        return list(PHASES).index(self.phase) + 1


def judge(answers: Mapping[str, bool]) -> Verdict:
    """The verdict on a job. `answers` has all fifteen checks."""
    counts = {group: sum(answers[name] for name in checks) for group, checks in GROUPS.items()}
    phase, reason = _phase(counts)
    signs = tuple(words for name, told_by, words in _SIGNS if answers[name] is told_by)
    return Verdict(phase, counts, reason, signs)


def _phase(counts: Mapping[str, int]) -> tuple[Phase, str]:
    single, several, ready = counts["single"], counts["several"], counts["ready"]
    if several < _NEEDED:
        return "single", _("Fewer than two checks ask for several agents; begin to divide the work when two do.")
    if single >= _MOST and several < _MOST:
        return "single", _("Most checks say that one agent can hold the whole job, which costs less to run.")
    if ready < _NEEDED:
        return "single", _("Checks ask for several agents, but most of the others say that you are not ready.")
    if several < _MOST or ready < _MOST:
        return "two", _("Begin with two, one that makes and one that checks, and measure what the second one adds.")
    if several == ready == 5 and single <= 1:
        return (
            "advanced",
            _("Every check asks for several agents and is ready for them; they may divide the work themselves."),
        )
    return "full", _("The work falls into parts for agents of their own, and you can watch, pay and answer for them.")


def phase_of(agents: int, *, coordinates_itself: bool) -> Phase:
    """The phase that a workflow is in: how many agents work in it, and whether they divide the work themselves."""
    if coordinates_itself and agents > 1:
        return "advanced"
    return "single" if agents <= 1 else "two" if agents == 2 else "full"
