"""loop: the body again and again until a condition holds, at most so many times."""

from agents.types import Json
from orchestrator.definitions import expressions
from orchestrator.definitions.plan import LoopSpec
from orchestrator.patterns.moves import Child, Fail, Finish, Move, Spawn, Turn


def look(turn: Turn) -> Move:
    """Each turn is one round of the body; its output is the next one's `previous`."""
    spec = turn.step.loop
    assert spec is not None
    if turn.number == 1:
        return _round(turn, 1, {})
    last = turn.results[0]
    if not last.succeeded:
        message = (last.error or {}).get("message", last.status)
        return Fail("loop_failed", f"round {turn.number - 1} of {turn.step.key} failed: {message}")
    context = {**turn.context, "output": last.output, "round": turn.number - 1}
    output = {**last.output, "rounds": turn.number - 1}
    if expressions.holds(spec.until, context):
        return Finish({**output, "ended": True}, confidence=last.confidence)
    if turn.number - 1 >= spec.most:
        return _bound(turn, spec, Finish({**output, "ended": False}, confidence=last.confidence))
    return _round(turn, turn.number, last.output)


def _round(turn: Turn, number: int, previous: dict[str, Json]) -> Spawn:
    child = Child(key=f"{turn.step.key}.{number}", bind={"previous": previous, "round": number})
    return Spawn([child], facts={"says": f"round {number}"})


def _bound(turn: Turn, spec: LoopSpec, finish: Finish) -> Move:
    if spec.on_bound == "finish":
        return finish
    return Fail(
        "loop_bound",
        f"{turn.step.key} has not come to its end in {spec.most} rounds.",
        kind="ask" if spec.on_bound == "ask" else "permanent",
    )
