"""Plays a pattern without an engine: turn in, move out, with answers from a function instead of agents."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from agents.types import Json
from orchestrator.definitions.plan import PlanStep
from orchestrator.patterns.moves import Child, Fail, Finish, Note, Result, Spawn, Turn
from orchestrator.patterns.registry import Pattern

type Answer = Callable[[Child], dict[str, Any] | Result]


@dataclass
class Play:
    """What a pattern did: every task it started, in order, and how it ended."""

    end: Finish | Fail | None = None
    spawns: list[Spawn] = field(default_factory=list)
    shared: dict[str, Json] = field(default_factory=dict)

    @property
    def children(self) -> list[Child]:
        """Every task that was started."""
        return [child for spawn in self.spawns for child in spawn.children]

    @property
    def output(self) -> dict[str, Any]:
        """Of the finished step."""
        assert isinstance(self.end, Finish), self.end
        return self.end.output

    def of_kind(self, kind: str) -> list[Child]:
        """The tasks of one kind of step."""
        return [child for child in self.children if child.step is not None and child.step.kind == kind]


def play(
    pattern: Pattern,
    options: dict[str, Any],
    answer: Answer,
    *,
    notes: dict[int, Sequence[Note]] | None = None,
    note: str = "",
    most: int = 200,
    clock: Callable[[int], float] = float,
    **given: Any,
) -> Play:
    """Let `pattern` go on until it ends. `answer` gives each task its output, or Result; `notes` come before a turn.

    `clock` says what time it is at a turn.
    """
    played = Play()
    turn = Turn(step_of(pattern), 1, options, given, {"input": {}, "steps": {}}, note=note)
    for number in range(1, most):
        said = (notes or {}).get(number, ())
        move = pattern.look(replace(turn, notes=said, shared=dict(played.shared), now=clock(number)))
        if not isinstance(move, Spawn):
            played.end = move
            return played
        played.spawns.append(move)
        played.shared |= move.shared
        memory = orjson.loads(orjson.dumps(move.memory))  # what a task's row would give back
        results = [_result(child, answer(child)) for child in move.children]
        turn = replace(turn, number=number + 1, memory=memory, results=results, note="")
    raise AssertionError(f"{pattern.name} has not ended in {most} turns")


def step_of(pattern: Pattern) -> PlanStep:
    """A step of that pattern, called talk."""
    return PlanStep(index=0, key="talk", title="Talk", kind="pattern", pattern=pattern.name)


def failed(message: str = "it broke") -> Result:
    """A task that failed."""
    return Result(key="", status="failed", error={"code": "broken", "message": message})


def rejected(note: str = "not like this") -> Result:
    """A question that a person rejected."""
    error: dict[str, Json] = {"code": "rejected", "message": "Rejected by Ana.", "note": note}
    return Result(key="", status="failed", error=error)


def _result(child: Child, answer: dict[str, Any] | Result) -> Result:
    if isinstance(answer, Result):
        return replace(answer, key=child.key)
    confidence = answer.pop("confidence", None)
    return Result(key=child.key, status="succeeded", output=answer, confidence=confidence, tokens=10)
