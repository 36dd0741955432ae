"""Lifecycles of what a run works on, a ticket for instance: which states there are, and which may follow which."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from orchestrator.definitions.errors import did_you_mean
from orchestrator.definitions.remembering import NAME, Flaw

MOST_STATES: Final = 50


def following(lifecycle: Mapping[str, Any], state: str) -> tuple[str, ...]:
    """The states that may come after this one; none after a final one."""
    return tuple(lifecycle["moves"].get(state, ()))


def may_move(lifecycle: Mapping[str, Any], now: str, then: str) -> bool:
    """Whether the move is legal; staying is no move."""
    return now == then or then in following(lifecycle, now)


def flaws(configuration: Mapping[str, Any]) -> Iterator[Flaw]:
    """What is wrong with the lifecycles that a workflow declares."""
    for name, lifecycle in configuration.get("lifecycles", {}).items():
        field = f"lifecycles.{name}"
        if not NAME.fullmatch(name):
            yield field, "is not a name", "use letters, digits, _ and -, at most 80"
        elif problem := _shape(lifecycle):
            yield field, problem, "write start: new and moves: {new: [assessed], assessed: [closed]}"
        else:
            yield from _state_flaws(field, lifecycle)


def step_flaws(moves: Mapping[str, Any], configuration: Mapping[str, Any]) -> Iterator[Flaw]:
    """What is wrong with where a step moves them."""
    known = configuration.get("lifecycles", {})
    for name, state in moves.items():
        if name not in known:
            remedy = did_you_mean(name, sorted(known)) or "declare it in configuration.lifecycles"
            yield f"moves.{name}", "is not a lifecycle of this workflow", remedy
        elif not _shape(known[name]) and state not in (states := _states(known[name])):
            yield f"moves.{name}", f"{state!r:.60} is not a state", f"use one of {', '.join(states)}"


def _shape(lifecycle: Any) -> str:
    if not isinstance(lifecycle, dict) or set(lifecycle) != {"start", "moves"}:
        return "must have start and moves, and nothing else"
    moves = lifecycle["moves"]
    if not isinstance(moves, dict) or not moves or not isinstance(lifecycle["start"], str):
        return "names no states"
    if any(not isinstance(to, list) or not all(isinstance(one, str) for one in to) for to in moves.values()):
        return "must give each state a list of those that may follow"
    return ""


def _states(lifecycle: Mapping[str, Any]) -> tuple[str, ...]:
    moves = lifecycle["moves"]
    return tuple(dict.fromkeys((lifecycle["start"], *moves, *(one for to in moves.values() for one in to))))


def _state_flaws(field: str, lifecycle: Mapping[str, Any]) -> Iterator[Flaw]:
    states = _states(lifecycle)
    if len(states) > MOST_STATES:
        yield field, f"has more than {MOST_STATES} states", "join some"
    if wrong := next((state for state in states if not NAME.fullmatch(state)), None):
        yield field, f'"{wrong[:60]}" is not a name', "use letters, digits, _ and -, at most 80"
    reached, ahead = {lifecycle["start"]}, [lifecycle["start"]]
    while ahead:
        new = [state for state in following(lifecycle, ahead.pop()) if state not in reached]
        reached.update(new)
        ahead += new
    if lost := [state for state in states if state not in reached]:
        yield field, f"nothing leads to {', '.join(lost)}", "let a state lead there, or remove it"
