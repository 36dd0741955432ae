"""What a worker does with one claimed task: resolve its input, call its agent, and say how it ended.

Tasks that simply succeed or are skipped are returned as `Finished` and settled in batches. Everything else (a gate, a
failure, a delivered file) is one small transaction of its own, made in a thread by `endings`.
"""

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from time import monotonic
from typing import Any

import orjson
import structlog

from agents.calling import call
from agents.types import AgentRequest, Completed, Deferred, Failed, Json, Outcome
from orchestrator.definitions import expressions
from orchestrator.definitions.expressions import ExpressionError
from orchestrator.engine import (
    announcing,
    before,
    caching,
    coordination,
    endings,
    external,
    mailing,
    oversight,
    questions,
    remote,
    settling,
    waiting_steps,
)
from orchestrator.engine.assignment import Assignment
from orchestrator.engine.host import Host
from orchestrator.engine.lending import Loan
from orchestrator.errors import SignalRefused, SignalTooDeep
from orchestrator.patterns.moves import Fail, Finish, Spawn
from orchestrator.settled import Finished

log = structlog.get_logger(__name__)


def work(job: Assignment, host: Host) -> Coroutine[Any, Any, Finished | None]:
    """Run one claimed task to its end; None when its end is already committed.

    Not a coroutine of its own: ten thousand waiting calls keep every frame between.
    """
    step = job.step
    if step.kind in _WITH_AGENT and not (step.when or step.cancel_rest or step.publishes or step.conflicts):
        return _call_agent(job, host)  # nearly always
    return _prepared(job, host)


async def _prepared(job: Assignment, host: Host) -> Finished | None:
    """The same where something has to be looked at first."""
    try:
        if job.step.cancel_rest:
            await host.in_thread(endings.cancel_rest, job)
        if job.step.when and not expressions.holds(job.step.when, job.context):
            return settling.finished(job, status="skipped", facts={"reason": f"{job.step.when} is false"})
        if job.step.publishes:
            await host.in_thread(announcing.require_depth, job.claimed.run_id, job.step)
        if job.step.conflicts and not await _agree(job, host):
            return None
        if job.step.kind in _WITH_AGENT:
            return await _call_agent(job, host)
        return await _OTHER_KINDS.get(job.step.kind, _decline)(job, host)
    except (SignalRefused, SignalTooDeep, ExpressionError) as problem:
        await settling.stuck(job, host, problem)
        return None


async def _agree(job: Assignment, host: Host) -> bool:
    """Whether what the steps before say is settled; what they agree on is then known to expressions."""
    agreed = await host.in_thread(endings.settle_conflicts, job, host.shift)
    if agreed is not None:
        job.know({"agreed": agreed})
    return agreed is not None


async def _decline(job: Assignment, host: Host) -> None:
    """A kind of a later release: leave it to the workers of that release."""
    log.warning("kind_unknown", task_id=job.claimed.id, kind=job.step.kind)
    await host.in_thread(endings.decline, job, host.shift)


async def _call_agent(
    job: Assignment, host: Host, given: dict[str, Json] | None = None, sent: dict[str, Json] | None = None
) -> Finished | None:
    """Call the step's agent on `sent`; what is stored and shown of its input is `given`; both are the step's input."""
    try:
        given = _given(job) if given is None else given
        sent = given if sent is None else sent
        instead = await before.instead_of_calling(job, sent, host.shift, host.in_thread)
        outcome: Outcome | None
        if not isinstance(instead, before.Call):
            outcome = instead
        else:
            loan = Loan(job, in_thread=host.in_thread)
            request = _request(job, sent, loan)
            known, began = await _known(job, request, host), monotonic()
            # Awaited here, not in a function of its own: see `work`.
            outcome = known[0] if known else await call(request, threads=host.threads, processes=host.processes)
            await _note(job, host, sent, outcome, loan, known[1] if known else monotonic() - began)
        return await settling.end(job, host, given, sent, outcome)
    except (SignalRefused, SignalTooDeep, ExpressionError) as problem:
        await settling.stuck(job, host, problem)
        return None


async def _known(job: Assignment, request: AgentRequest, host: Host) -> tuple[Outcome, float] | None:
    """What an agent elsewhere has answered already, and after how many seconds."""
    if external.may_be_unknown(request.agent, request.version):
        await host.in_thread(external.learn, request.agent, request.version)
    if not remote.defers(request.agent, request.version):
        return None
    answered: tuple[Outcome, float] | None = await host.in_thread(remote.take, job)
    return answered


async def _note(
    job: Assignment, host: Host, sent: dict[str, Json], outcome: Outcome, loan: Loan, seconds: float
) -> None:
    """What is kept of a call besides its outcome."""
    await loan.write_notes()
    if isinstance(outcome, Deferred):
        return
    _note_use(job, host, outcome, seconds)
    if job.step.cache_s and isinstance(outcome, Completed):
        await host.in_thread(caching.keep, job, sent, outcome, loan)


def _note_use(job: Assignment, host: Host, outcome: Outcome, seconds: float) -> None:
    host.meter.record(job.step.agent, ms=seconds * 1000, failed=isinstance(outcome, Failed), version=outcome.version)
    before.note_use(job, outcome, seconds=seconds)
    if outcome.guard:
        job.tell(guard=outcome.guard)


def _given(job: Assignment) -> dict[str, Json]:
    if job.literal_input is not None:
        return job.literal_input
    return _object(expressions.resolve(job.step.inputs, job.context)) if job.step.inputs else {}


async def _coordinate(job: Assignment, host: Host) -> Finished | None:
    looked = await host.in_thread(coordination.look, job)
    match looked.move:
        case Spawn():
            await host.in_thread(coordination.spawn, job, host.shift, looked)
        case Finish(output=output, confidence=confidence, judged=judged):
            return await settling.complete(
                job, host, looked.given, Completed(output=output, confidence=confidence), judged
            )
        case Fail(kind="ask", code=code, message=message):
            await settling.ask(job, host, code=code, message=message, rule=f"{code}: stop and ask")
        case Fail(kind=kind, code=code, message=message):
            assert kind != "ask"
            await settling.fail(job, host, looked.given, Failed(kind=kind, code=code, message=message))
    return None


def _request(job: Assignment, given: dict[str, Json], loan: Loan) -> AgentRequest:
    claimed = job.claimed
    return AgentRequest(
        agent=job.step.agent,
        version=job.step.agent_version,
        input=given,
        key=mailing.key_of(job),
        attempt=claimed.attempt,
        timeout=job.step.timeout,
        note=claimed.note,
        correlation_id=job.correlation_id,
        effects=loan,
        memory=loan,
        approvals=questions.approvals_of(job),
        answer_to=loan.answer_to,
        host=loan,
        desk=loan,
    )


async def _conditional(job: Assignment, host: Host) -> Finished:
    """Take the first branch that holds; every step named by another branch only is skipped.

    Kept with it: what else there was to choose from, and what the steps that it looked at said of their answers.
    """
    branches = job.step.branches
    taken = next((b for b in branches if not b.when or expressions.holds(b.when, job.context)), None)
    then = set(taken.then) if taken else set()
    ruled_out = sorted({index for branch in branches for index in branch.then} - then)
    keys = [job.plan.steps[index].key for index in sorted(then)]
    when = taken.when if taken else ""
    options: list[Json] = [branch.when or "default" for branch in branches]
    output: dict[str, Json] = {"when": when, "then": list[Json](keys), "options": options, "grounds": _grounds(job)}
    facts: dict[str, Json] = {"branch": when or "default", "options": options, "grounds": output["grounds"]}
    finished = settling.finished(job, status="succeeded", facts=facts, output=output)
    finished.skips = orjson.dumps(ruled_out).decode() if ruled_out else None
    return finished


def _grounds(job: Assignment) -> dict[str, Json]:
    """What the steps that a conditional looks at have said of their own answers, by their keys."""
    read = {job.plan.steps[index].key for index in job.step.needs}
    outputs = {key: output for key, output in job.context["steps"].items() if key in read}
    found: dict[str, Json] = {}
    for key, output in outputs.items():
        said = {name: output[name] for name in _GROUNDS if name in output} if isinstance(output, dict) else {}
        if said:
            found[key] = {name: value[:LONGEST_GROUND] if isinstance(value, str) else value
                          for name, value in said.items() if isinstance(value, str | int | float)}  # fmt: skip
    return found


async def _approval(job: Assignment, host: Host) -> Finished | None:
    spec, subject = job.step.gate, job.step.subject
    assert spec is not None
    assert subject is not None
    key = job.plan.steps[subject].key
    proposal = job.context["steps"].get(key)
    if proposal is None:  # the reviewed step was skipped: nothing to review
        return settling.finished(job, status="skipped", facts={"reason": f"{key} has no output"})
    context = {**job.context, "output": proposal}
    if not await settling.asks_people(job, host, output=proposal):
        if not oversight.must_ask(job.step, context):
            return settling.finished(job, status="succeeded", facts={"rule": "not required"}, output=proposal)
        await host.in_thread(endings.withhold_approval, job, host.shift, proposal, context)
        return None
    await host.in_thread(endings.open_approval_gate, job, host.shift, proposal, context)
    return None


async def _manual(job: Assignment, host: Host) -> None:
    given = _given(job)
    text = expressions.render_text(job.step.instructions, job.context)
    await host.in_thread(endings.open_manual_gate, job, host.shift, {**given, "instructions": text})


def _object(value: Json) -> dict[str, Json]:
    assert isinstance(value, dict)
    return value


async def _timer(job: Assignment, host: Host) -> None:
    await waiting_steps.timer(job, host.opener)


async def _wait_event(job: Assignment, host: Host) -> None:
    await waiting_steps.event(job, host.opener)


async def _wait_callback(job: Assignment, host: Host) -> None:
    await waiting_steps.callback(job, host.shift, host.in_thread, partial(_call_agent, job, host))


async def _subworkflow(job: Assignment, host: Host) -> None:
    await waiting_steps.subworkflow(job, host.shift, host.in_thread)


async def _roll_back(job: Assignment, host: Host) -> None:
    await host.in_thread(endings.roll_back, job, host.shift)


_OTHER_KINDS: dict[str, Callable[[Assignment, Host], Awaitable[Finished | None]]] = {
    "approval": _approval,
    "assured": _coordinate,
    "conditional": _conditional,
    "loop": _coordinate,
    "manual": _manual,
    "map": _coordinate,
    "pattern": _coordinate,
    "rollback": _roll_back,
    "subworkflow": _subworkflow,
    "timer": _timer,
    "wait_callback": _wait_callback,
    "wait_event": _wait_event,
}

_GROUNDS = ("confidence", "rationale", "reason", "in_words")
LONGEST_GROUND = 500  # characters of a reason that stand in the event
_WITH_AGENT = frozenset({"automated", "hybrid"})
KINDS = _WITH_AGENT | _OTHER_KINDS.keys()  # what this release can run
