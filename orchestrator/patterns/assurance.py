"""assured: the agent once or several times, then whoever verifies it: one output with its judgement.

Each call is a task of its own: claimed, budgeted, retried and shown like any other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agents.quality.agreement import AUTHORITY, DEFAULT_LEVEL, Answer, synthesise
from agents.quality.types import QualitySpec
from agents.types import Json
from orchestrator.definitions.plan import PlanStep
from orchestrator.patterns.moves import Child, Fail, Finish, Move, Result, Spawn, Turn, agent_step


def look(turn: Turn, weights: Mapping[str, float] = AUTHORITY) -> Move:
    """First turn: produce. Second: find what most say, and have it verified. Third: both together."""
    asked = turn.step.quality
    assert asked is not None
    if turn.number == 1:
        return _produce(turn, asked)
    if "chosen" in turn.memory:
        return _verified(turn)
    return _chosen(turn, asked, weights)


def _produce(turn: Turn, asked: QualitySpec) -> Spawn:
    assert turn.step.body is not None
    consensus = asked.consensus
    count = consensus.of if consensus else 1
    named = consensus.agents if consensus else ()
    children = [
        Child(key=f"{turn.step.key}.{at + 1}", step=_asked(turn.step.body, named, at), given=turn.given)
        for at in range(count)
    ]
    says = f"{count} independent answers" if count > 1 else "produce, then verify"
    return Spawn(children, facts={"says": says}, note=turn.note)


def _asked(body: PlanStep, named: Sequence[str], at: int) -> PlanStep:
    if not named:
        return body
    name, _, version = named[at % len(named)].partition("@")
    return replace(body, agent=name, agent_version=int(version) if version else None, select=None)


def _chosen(turn: Turn, asked: QualitySpec, weights: Mapping[str, float]) -> Move:
    results = [result for result in turn.results if result.succeeded]
    consensus = asked.consensus
    levels = consensus.authority if consensus else {}
    answers = [
        Answer(
            result.agent or result.key, result.output, result.confidence,
            weights.get(levels.get(result.agent, DEFAULT_LEVEL), 0.0), result.task,
        )
        for result in results
    ]  # fmt: skip
    verdict = synthesise(answers, consensus.fields if consensus else ())
    if verdict is None:
        message = (turn.results[0].error or {}).get("message", turn.results[0].status)
        return Fail("nobody_answered", f"Nobody gave {turn.step.key} an answer: {message}"[:1000])
    best = next(result for result in results if result.output == verdict.output)
    judged: dict[str, Json] = {"agent": best.agent, "version": best.version}
    if consensus:
        judged["consensus"] = {
            **verdict.as_json(), "of": consensus.of, "agree": consensus.agree, "answered": len(answers),
        }  # fmt: skip
    verifier = asked.verifier.partition("@")[0]
    if not verifier:
        return Finish(verdict.output, verdict.confidence, judged)
    if any(result.agent == verifier for result in results):  # chosen while it ran, a fallback, or a person's choice
        return Fail("verifier_is_producer", f"{verifier} produced what it would verify: another has to.", kind="ask")
    child = Child(
        key=f"{turn.step.key}.verify",
        step=agent_step(asked.verifier, title=f"Verify {turn.step.title}"[:200], timeout=turn.step.timeout),
        given={"output": verdict.output, "input": turn.given},
    )
    memory: dict[str, Json] = {"chosen": verdict.output, "confidence": verdict.confidence, "judged": judged}
    return Spawn([child], memory=memory, facts={"says": f"{verifier} verifies what {best.agent} says"})


def _verified(turn: Turn) -> Move:
    result, memory = turn.results[0], turn.memory
    judged, output, confidence = memory["judged"], memory["chosen"], memory["confidence"]
    assert isinstance(judged, dict)
    if result.agent and result.agent == judged["agent"]:  # a fallback, or a person's choice, since it was started
        return Fail(
            "verifier_is_producer", f"{result.agent} verified what it had produced: another has to.", kind="ask"
        )
    assert isinstance(output, dict)
    assert confidence is None or isinstance(confidence, int | float)
    return Finish(output, confidence, {**judged, "verifier": _verdict(result)})


def _verdict(result: Result) -> dict[str, Json]:
    """What a verifier said. Only a plain "pass" is one: no verdict, or another word, passes nothing."""
    said: dict[str, Any] = result.output
    reasons = [str(reason)[:500] for reason in said.get("reasons") or () if reason][:20]
    if not result.succeeded:
        reasons = [f"the verifier gave no verdict: {(result.error or {}).get('message', result.status)}"[:500]]
    score = said.get("score")
    usable = isinstance(score, int | float) and not isinstance(score, bool) and 0 <= score <= 1
    passed = result.succeeded and said.get("verdict") == "pass"
    listed: list[Json] = list(reasons)
    return {
        "agent": result.agent, "version": result.version, "passed": passed, "reasons": listed,
        "score": float(score) if usable and score is not None else float(passed),
    }  # fmt: skip
