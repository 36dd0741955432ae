"""The states that a planner with a state machine declares: read from its options, and what would not work in them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from agents.types import Json
from orchestrator.patterns import bounds
from orchestrator.patterns.supervised_planner import condition_flaws

KNOWN: Final = frozenset({"input", "steps", "output", "round"})


def states_of(options: dict[str, Json]) -> dict[str, dict[str, Json]]:
    """The declared states by name."""
    states = [bounds.mapping(state) for state in bounds.items(options.get("states"))]
    return {str(state.get("name")): state for state in states}


def talk_of(state: dict[str, Json]) -> dict[str, Json]:
    """A state's conversation; {} if it has none."""
    return bounds.mapping(state.get("talk"))


def participants_of(state: dict[str, Json]) -> list[dict[str, Json]]:
    """Who converses in a state."""
    return [bounds.mapping(one) for one in bounds.items(talk_of(state).get("participants"))]


def ways_of(state: dict[str, Json]) -> list[dict[str, Json]]:
    """The ways out of a state that works."""
    return [bounds.mapping(way) for way in bounds.items(state.get("to"))]


def following_of(state: dict[str, Json]) -> list[str]:
    """Every state that may come after this one."""
    dispositions = bounds.mapping(talk_of(state).get("dispositions"))
    return [str(name) for name in (*(way.get("state") for way in ways_of(state)), *dispositions.values())]


def flaws_of(
    name: str, state: dict[str, Json], states: Mapping[str, dict[str, Json]]
) -> Iterable[tuple[str, str, str]]:
    """What would not work in one state, as (field, what is wrong, remedy)."""
    field = f"options.states.{name}"
    for following in following_of(state):
        if following not in states:
            yield field, f'"{following}" is not a state', f"use one of {', '.join(states)}"
    if "talk" in state and ("agent" in state or "to" in state):
        yield field, "it converses and works", "leave agent and to out: a disposition says what follows"
    names = [one.get("name") for one in participants_of(state)]
    if len(set(names)) < len(names):
        yield f"{field}.talk.participants", "two participants have one name", "give each a name of its own"
    for way in ways_of(state):
        if "when" in way:
            yield from condition_flaws(f"{field}.to", str(way["when"]), KNOWN)


def starts_of(options: Mapping[str, Json], states: Mapping[str, dict[str, Json]]) -> list[str]:
    """The states that are entered without a way to them: the first one, and the one after a rejected question."""
    return [str(options[name]) for name in ("start", "rejected") if options.get(name) in states]


def rejected_flaws(
    options: Mapping[str, Json], states: Mapping[str, dict[str, Json]]
) -> Iterable[tuple[str, str, str]]:
    """The state that a rejected question leads to, if it is no state."""
    if "rejected" in options and options["rejected"] not in states:
        yield "options.rejected", f'"{options["rejected"]}" is not a state', f"use one of {', '.join(states)}"


def reachable(start: str, ways: Mapping[str, Sequence[str]]) -> set[str]:
    """The states that can be come to from `start`."""
    reached, ahead = {start}, [start]
    while ahead:
        new = [name for name in ways[ahead.pop()] if name not in reached]
        reached.update(new)
        ahead += new
    return reached
