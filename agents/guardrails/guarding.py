"""Guardrails around one call: admit its input, release its outcome, and record what broke the rules."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.db import close_old_connections

from agents import histories
from agents.errors import AgentsError, GuardRefused
from agents.guardrails import consent, violations
from agents.guardrails.screen import Pass
from agents.guardrails.tokens import Tokens
from agents.types import AgentRequest, Completed, Failed, Json, NeedsApproval, Outcome, Usage

if TYPE_CHECKING:
    from agents.specs import AgentSpec

FROZEN = "agent_frozen"
TOKENS = "tokens"  # what the history of a call that is answered late is about


async def admit(spec: "AgentSpec", request: AgentRequest, threads: Executor) -> tuple[AgentRequest, Pass] | Failed:
    """The request as the agent may see it, or the failure of a call that must not be made."""
    going, guard = Pass(), spec.screen.guard
    try:
        if guard.keeps_tokens:
            await _recall(request, going)
        if guard.purpose:
            subject = _at(request.input, guard.subject)
            await _in_thread(threads, consent.require, subject, guard.purpose)
        given = spec.screen.before(request.input, going)
    except GuardRefused as refused:
        message = f"{spec.name} was not called: {refused}."
        spike = await _counted(spec, request, going, {refused.rule: 1}, threads)
        return _noted(spike or Failed("permanent", f"guard_{refused.rule}", message, spec.version), going)
    except AgentsError as problem:  # no consent, or a sealed value that cannot be opened
        return _noted(Failed("permanent", problem.code, str(problem), spec.version), going)
    if given is not request.input or going.tokens:  # a copy takes as long as a look for secrets
        request = replace(request, input=given, veil=going if going.tokens else None)
    return (await _leaving(request, going) if guard.keeps_tokens else request), going


async def _recall(request: AgentRequest, going: Pass) -> None:
    """The tokens of an earlier attempt: what an agent elsewhere has asked about, it must find again."""
    said = await request.desk.recall(TOKENS) if request.desk and request.attempt > 1 else None
    going.known = said["tokens"] if said else {}


async def _leaving(request: AgentRequest, going: Pass) -> AgentRequest:
    """The same with tokens in all that goes along, and what they stand for kept for whoever takes the answer."""

    def concealed(value: dict[str, Json]) -> dict[str, Json]:
        return going.conceal(value)  # type: ignore[return-value]

    said = tuple(replace(one, action=concealed(one.action), answer=concealed(one.answer)) for one in request.approvals)
    request = replace(request, note=str(going.conceal(request.note)), approvals=said)
    kept = going.kept()
    if kept and kept != going.known and request.desk:
        await request.desk.remember(TOKENS, {"tokens": kept})
    return request


async def release(
    spec: "AgentSpec", outcome: Outcome, request: AgentRequest, going: Pass, threads: Executor
) -> Outcome:
    """The outcome as it may be kept and shown; Failed once the agent has broken its rules too often."""
    noticed = len(going.report.masked)
    outcome = _screened(spec, outcome, going)
    broken = _broken(going, noticed)
    if broken:
        spike = await _counted(spec, request, going, broken, threads)
        outcome = replace(spike, usage=outcome.usage) if spike else outcome
    facts = going.report.facts()
    return replace(outcome, guard=facts) if facts else outcome


def release_late(spec: "AgentSpec", outcome: Outcome, key: str) -> Outcome:
    """The same for an answer that came from elsewhere. Writes to the database; `key` is the call's."""
    going = Pass()
    if spec.screen.guard.keeps_tokens and (said := histories.load(key, spec.name, TOKENS)):
        going.tokens = Tokens({})
        going.adopt(said["tokens"])
    outcome = _screened(spec, outcome, going)
    if broken := _broken(going, 0):
        spike = violations.record(_seen(spec, key, going, broken))
        outcome = _frozen(spec, spike, outcome.usage) if spike else outcome
    facts = going.report.facts()
    return replace(outcome, guard=facts) if facts else outcome


def _screened(spec: "AgentSpec", outcome: Outcome, going: Pass) -> Outcome:
    match outcome:
        case Completed():
            output = spec.screen.after(outcome.output, going)
            outcome = outcome if output is outcome.output else replace(outcome, output=output)
        case NeedsApproval():
            outcome = replace(
                outcome,
                action=going.reveal(outcome.action),
                output=spec.screen.after(outcome.output, going) if outcome.output else outcome.output,
            )
        case Failed():
            outcome = replace(outcome, message=spec.screen.speakable(outcome.message, outcome.code))
    return outcome


def _noted(failed: Failed, going: Pass) -> Failed:
    return replace(failed, guard=going.report.facts() or None)


def _broken(going: Pass, noticed: int) -> dict[str, int]:
    """Rules that the call broke, with how often: injections in its input, and what its output tried to say."""
    broken: dict[str, int] = {}
    for flagged in going.report.flagged:
        if flagged.get("counts") is False:
            continue  # mere likeness: shown to people, and no violation that could freeze an agent
        broken[str(flagged["kind"])] = 1
    for masked in going.report.masked[noticed:]:
        rule = "output_secret" if masked["tag"] == "secret" else f"output_{masked['tag']}"
        broken[rule] = broken.get(rule, 0) + 1
    return broken


async def _counted(
    spec: "AgentSpec", request: AgentRequest, going: Pass, broken: Mapping[str, int], threads: Executor
) -> Failed | None:
    """Record the violation; for the one that makes a spike, what takes its outcome's place: the agent is frozen."""
    spike = await _in_thread(threads, violations.record, _seen(spec, request.key, going, broken))
    return _frozen(spec, spike, Usage()) if spike else None


def _seen(spec: "AgentSpec", key: str, going: Pass, broken: Mapping[str, int]) -> violations.Seen:
    facts: dict[str, Json] = {**going.report.facts(), "rules": dict[str, Json](broken)}
    return violations.Seen(spec.name, spec.version, next(iter(broken)), facts, key)


def _frozen(spec: "AgentSpec", spike: str, usage: Usage) -> Failed:
    return Failed("permanent", FROZEN, f"{spec.name} is frozen: {spike}.", spec.version, usage=usage)


def _at(given: Mapping[str, Json], path: str) -> str:
    """The data subject's id in the input, as text; empty if it is not there."""
    found: Any = given
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return str(found) if isinstance(found, str | int) else ""


async def _in_thread(threads: Executor, work: Callable[..., Any], *args: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(threads, _with_connection, work, *args)


def _with_connection(work: Callable[..., Any], *args: Any) -> Any:
    close_old_connections()
    try:
        return work(*args)
    finally:
        close_old_connections()
