"""duel: the smallest pattern that spawns, waits and chooses."""

from collections.abc import Iterable
from typing import Any

from agents.types import Json
from orchestrator.patterns.moves import Child, Fail, Finish, Move, Spawn, Turn, agent_step
from orchestrator.patterns.registry import Help


class Duel:
    """Two agents, one question; the longer answer wins."""

    name = "duel"
    title = "Duel"
    options: dict[str, Any] = {
        "type": "object",
        "required": ["agents"],
        "additionalProperties": False,
        "properties": {"agents": {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "string"}}},
    }
    help = Help(*(["For tests."] * 7))

    def agents(self, options: dict[str, Json]) -> Iterable[str]:
        """Both."""
        named = options["agents"]
        assert isinstance(named, list)
        return [str(name) for name in named]

    def flaws(self, options: dict[str, Json]) -> Iterable[tuple[str, str, str]]:
        """A duel with oneself is none."""
        if len(set(self.agents(options))) < 2:
            yield "options.agents", "both are the same agent", "name two"

    def look(self, turn: Turn) -> Move:
        """Ask both, then compare."""
        if turn.number == 1:
            names = self.agents(turn.options)
            steps = [agent_step(name, title=name) for name in names]
            return Spawn([Child(f"{turn.step.key}.{at}", step, given=turn.given) for at, step in enumerate(steps)])
        answers = [result for result in turn.results if result.succeeded]
        if not answers:
            return Fail("no_duel", "Nobody answered.")
        winner = max(answers, key=lambda result: len(str(result.output)))
        return Finish(
            {"winner": winner.key, "tokens": sum(result.tokens for result in turn.results)}, winner.confidence
        )
