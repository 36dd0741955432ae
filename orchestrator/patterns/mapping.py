"""map: the body once for each item of a list, side by side, folded into one output."""

from orchestrator.definitions import expressions
from orchestrator.definitions.plan import MapSpec
from orchestrator.patterns.moves import Child, Fail, Finish, Move, Spawn, Turn


def look(turn: Turn) -> Move:
    """First turn: spawn. Second: fold, unless more failed than the step tolerates."""
    spec = turn.step.map
    assert spec is not None
    return _spread(turn, spec) if turn.number == 1 else _fold(turn, spec)


def _spread(turn: Turn, spec: MapSpec) -> Move:
    items = expressions.evaluate(expressions.unwrap(spec.over), turn.context)
    if not isinstance(items, list):
        return Fail("map_not_a_list", f"`over` of {turn.step.key} did not yield a list.")
    if len(items) > spec.most:
        return Fail("map_too_wide", f"{len(items):,} items for {turn.step.key}; at most {spec.most:,} are allowed.")
    if not items:
        return Finish({"items": [], "succeeded": 0, "failed": 0})
    batches = [items[at : at + spec.batch] for at in range(0, len(items), spec.batch)]
    children = [
        Child(
            key=f"{turn.step.key}.{at}",
            bind={"item": batch if spec.batch > 1 else batch[0], "at": at},
            after=(at - spec.at_once,) if 0 < spec.at_once <= at else (),
        )
        for at, batch in enumerate(batches)
    ]
    return Spawn(children, facts={"says": f"{len(items):,} items in {len(children):,} tasks"})


def _fold(turn: Turn, spec: MapSpec) -> Move:
    failed = [result for result in turn.results if not result.succeeded]
    if len(failed) > spec.tolerate * len(turn.results):
        message = (failed[0].error or {}).get("message", failed[0].status)
        return Fail(
            "map_failed",
            f"{len(failed):,} of {len(turn.results):,} tasks of {turn.step.key} failed; the first one: {message}",
        )
    known = [result.confidence for result in turn.results if result.confidence is not None]
    return Finish(
        {
            "items": [result.output if result.succeeded else None for result in turn.results],
            "succeeded": len(turn.results) - len(failed),
            "failed": len(failed),
        },
        confidence=min(known) if known else None,
    )
