"""How an attempt ends: what an agent answered becomes a result to settle, a gate, a failure or a wait."""

from typing import Any

import orjson
import structlog

from agents.errors import EffectUnknown
from agents.guardrails import guarding
from agents.types import Awaits, Completed, Deferred, Failed, Json, NeedsApproval, Outcome
from orchestrator.definitions.expressions import ExpressionError
from orchestrator.engine import (
    assuring,
    delivery,
    endings,
    guardians,
    mailing,
    oversight,
    remote,
    sampling,
    waiting_steps,
)
from orchestrator.engine.assignment import Assignment
from orchestrator.engine.host import Host
from orchestrator.errors import SignalRefused, SignalTooDeep
from orchestrator.settled import Finished

log = structlog.get_logger(__name__)


async def end(
    job: Assignment, host: Host, given: dict[str, Json], sent: dict[str, Json], outcome: Outcome | None
) -> Finished | None:
    """Give what the agent answered its consequence; a result to settle, or None when its end is committed."""
    match outcome:
        case Completed():
            return await complete(job, host, given, outcome)
        case NeedsApproval():
            await _agent_asks(job, host, given, outcome)
        case Failed():
            await fail(job, host, given, outcome)
        case Deferred():
            await host.in_thread(remote.park, job, host.shift, given, sent, outcome)
        case Awaits():
            await host.in_thread(mailing.sleep, job, host.shift, given, outcome)
    return None


async def complete(
    job: Assignment, host: Host, given: dict[str, Json], outcome: Completed, judged: dict[str, Json] | None = None
) -> Finished | None:
    """A good answer is settled, delivered, or put before people where the step asks for that."""
    if job.step.kind == "hybrid":
        await host.in_thread(endings.open_hybrid_gate, job, host.shift, given, outcome)
        return None
    if job.step.kind == "wait_callback":
        await waiting_steps.handed_over(job, host.shift, host.in_thread, given, outcome)
        return None
    if job.step.quality is not None and await _is_held(job, host, given, outcome, judged or {}):
        return None
    if await asks_people(job, host, output=outcome.output, confidence=outcome.confidence):
        await host.in_thread(endings.open_output_gate, job, host.shift, given, outcome)
        return None
    known = {**job.context, "output": outcome.output, "confidence": outcome.confidence}
    if job.step.gate is not None and oversight.must_ask(job.step, known):
        await host.in_thread(endings.withhold_output, job, host.shift, given, outcome)
        return None
    if job.step.deliver or job.step.checkpoint or job.step.publishes or job.mail:
        await host.in_thread(endings.complete_delivering, job, host.shift, given, outcome)
        return None
    body = orjson.dumps(outcome.output)
    if len(body) > delivery.LARGE:
        body = orjson.dumps(await host.in_thread(delivery.pack, body))
    return Finished(
        task_id=job.claimed.id,
        attempt=job.claimed.attempt,
        status="succeeded",
        input=orjson.dumps(given).decode(),
        output=body.decode(),
        confidence=outcome.confidence,
        actor=f"agent:{job.step.agent}" if job.step.agent else "engine",
        facts=orjson.dumps({**_facts(outcome), **job.told}).decode(),
    )


async def _is_held(
    job: Assignment, host: Host, given: dict[str, Json], outcome: Completed, judged: dict[str, Json]
) -> bool:
    """Whether the output fails what the step asks of it, so that people decide before anything uses it."""
    watched = await guardians.watch(job, given, outcome, (host.threads, host.processes), host.in_thread)
    judgement = await host.in_thread(assuring.judge, job, given, outcome, judged, watched)
    job.know({"quality": assuring.for_expressions(judgement)})
    if judgement.report.passed:
        return False
    await host.in_thread(endings.open_quality_gate, job, host.shift, given, outcome, judgement)
    return True


async def asks_people(job: Assignment, host: Host, **known: Any) -> bool:
    """Whether the step's rule holds, or people were asked about this task before and have not agreed.

    What they were asked about is not settled by an attempt whose output says something else.
    """
    if sampling.rule_asks(job, known):
        return True
    return job.claimed.attempt > 1 and bool(await host.in_thread(endings.is_undecided, job))


async def stuck(job: Assignment, host: Host, problem: SignalRefused | SignalTooDeep | ExpressionError) -> None:
    """What the step itself says cannot be worked out: its expressions, its signals."""
    if isinstance(problem, ExpressionError):
        rule = "an expression gave no value: stop and ask"
        await ask(job, host, code="expression", message=str(problem), rule=rule)
    else:
        await fail(job, host, {}, Failed(kind="permanent", code=problem.code, message=str(problem)))


async def fail(job: Assignment, host: Host, given: dict[str, Json], outcome: Failed) -> None:
    """Retry, fall back, ask or end, as the error says."""
    match outcome.code:
        case EffectUnknown.code:
            rule = "a side effect may have happened: ask, never repeat"
            await ask(job, host, code=outcome.code, message=outcome.message, rule=rule)
        case guarding.FROZEN:
            rule = "a spike of violations: stop and ask"
            await ask(job, host, code=outcome.code, message=outcome.message, rule=rule)
        case code:
            who = {"agent": job.step.agent, "code": code}
            log.info("attempt_failed", task_id=job.claimed.id, attempt=job.claimed.attempt, **who)
            await host.in_thread(endings.end_failed, job, host.shift, given, outcome)


async def _agent_asks(job: Assignment, host: Host, given: dict[str, Json], outcome: NeedsApproval) -> None:
    if outcome.call is not None:
        await host.in_thread(endings.open_tool_gate, job, host.shift, given, outcome)
    elif job.step.kind == "wait_callback":
        message = f"The agent asks before it hands the address over: {outcome.reason}"
        await ask(job, host, code="agent_asks", message=message, rule="the agent will not go on: stop and ask")
    elif job.step.kind == "hybrid":
        await host.in_thread(endings.open_hybrid_gate, job, host.shift, given, outcome)
    else:
        await host.in_thread(endings.open_agents_gate, job, host.shift, given, outcome)


async def ask(job: Assignment, host: Host, *, code: str, message: str, rule: str) -> None:
    """Put what went wrong before people."""
    await host.in_thread(
        endings.open_trouble_gate, job, host.shift, {"kind": "permanent", "code": code, "message": message}, rule
    )


def finished(
    job: Assignment, *, status: str, facts: dict[str, Json], output: dict[str, Json] | None = None
) -> Finished:
    """A result without a call of an agent."""
    return Finished(
        task_id=job.claimed.id,
        attempt=job.claimed.attempt,
        status=status,
        input=None,
        output=orjson.dumps(output).decode() if output is not None else None,
        confidence=None,
        actor="engine",
        facts=orjson.dumps(facts).decode(),
    )


def _facts(outcome: Completed) -> dict[str, Json]:
    facts: dict[str, Json] = {"version": outcome.version}
    if outcome.confidence is not None:
        facts["confidence"] = outcome.confidence
    if outcome.usage.tokens_in or outcome.usage.tokens_out:
        facts |= {
            "tokens_in": outcome.usage.tokens_in,
            "tokens_out": outcome.usage.tokens_out,
            "cost": outcome.usage.cost,
        }
    if outcome.usage.model:
        facts |= {"model": outcome.usage.model, "tier": outcome.usage.tier, "price": outcome.usage.price}
    if outcome.usage.prompt:
        facts["prompt"] = outcome.usage.prompt
    return facts
