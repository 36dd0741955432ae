"""The one way to call an agent: look up, check, run, clean, check, classify. Called by shifts; raises nothing.

Agents on the loop and in processes stop at once when their call is cancelled or its time is over. A thread cannot be
stopped: it is left to end by itself, and what it returns is thrown away. Agents that may hang belong in a process.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import structlog
from django.db import close_old_connections

from agents import on_demand
from agents import registry as registry_module
from agents.clock import TimeLimit
from agents.context import AgentContext
from agents.errors import ContractViolation, OutputRejected
from agents.guardrails import guarding
from agents.messaging.mailbox import Suspended
from agents.outcomes import ended_by, failure_of, input_failure, known_usage, outcome_of, prepare_input, timeout_failure
from agents.process import ProcessPool
from agents.registry import Registry
from agents.specs import AgentSpec
from agents.tools.proxy import ToolProxy
from agents.types import AgentRequest, Completed, Failed, Outcome, Usage

log = structlog.get_logger(__name__)


def call(
    request: AgentRequest,
    *,
    threads: Executor,
    processes: ProcessPool,
    registry: Registry = registry_module.default,
) -> Coroutine[Any, Any, Outcome]:
    """Call one agent once and return what came of it. Raises only CancelledError.

    Not a coroutine of its own: ten thousand waiting calls keep every frame between.
    """
    spec = registry.find(request.agent, request.version)
    if spec is None:
        return _stranger(request, threads, processes, registry)
    if spec.screen.passes(request.input):  # nearly always
        return _run(spec, request, threads, processes)
    return _guarded(spec, request, threads, processes)


async def _stranger(request: AgentRequest, threads: Executor, processes: ProcessPool, registry: Registry) -> Outcome:
    """One that this process does not know, unless the library has it."""
    if registry is registry_module.default and on_demand.may_have(request.agent):
        await asyncio.get_running_loop().run_in_executor(threads, _load, request.agent)
        if registry.find(request.agent, request.version) is not None:
            return await call(request, threads=threads, processes=processes)
    return _unknown(request)


def _load(agent: str) -> None:
    try:
        on_demand.load(agent)
    except Exception:
        log.exception("agent_not_loaded", agent=agent)
    finally:
        close_old_connections()


async def _guarded(spec: AgentSpec, request: AgentRequest, threads: Executor, processes: ProcessPool) -> Outcome:
    """The same with the agent's guard before and after."""
    admitted = await guarding.admit(spec, request, threads)
    if isinstance(admitted, Failed):
        return admitted
    request, going = admitted
    outcome = await _run(spec, request, threads, processes)
    return await guarding.release(spec, outcome, request, going, threads)


async def _run(spec: AgentSpec, request: AgentRequest, threads: Executor, processes: ProcessPool) -> Outcome:
    """The call itself, within its time."""
    argument = _prepare(spec, request)
    if isinstance(argument, Failed):
        return argument
    tools = ToolProxy(request)
    context = AgentContext(request, asyncio.get_running_loop(), tools)
    limit = TimeLimit(request.timeout)
    outcome: Outcome
    returned: object = None
    try:
        with limit:
            # Awaited here, not in a function of its own: ten thousand waiting calls keep every frame between.
            returned = await _begin(spec, argument, context, threads, processes, request)
        outcome = outcome_of(spec, returned)
    except asyncio.CancelledError as error:
        if _is_cancelled():
            raise
        outcome = failure_of(spec, error)  # something the agent awaited was cancelled, not this call
    except (Exception, SystemExit, Suspended) as error:  # noqa: BLE001 - whatever an agent raises is an outcome
        outcome = ended_by(spec, error)
    if _is_cancelled():  # the agent swallowed the cancellation
        raise asyncio.CancelledError
    if limit.is_over and tools.asked is None:
        return timeout_failure(spec, request.timeout, started=context.started)
    return _final(spec, outcome, returned, tools)


def _final(spec: AgentSpec, outcome: Outcome, returned: object, tools: ToolProxy) -> Outcome:
    """The outcome with what the call has cost; a tool that waits for people comes before whatever the agent says."""
    spent = known_usage(returned.usage) if isinstance(returned, Completed) else Usage()
    if tools.asked is not None:
        return replace(tools.asked, version=spec.version, usage=spent)
    if isinstance(outcome, Failed) and isinstance(returned, Completed):  # refused, but what it cost was spent
        return replace(outcome, usage=spent)
    return outcome


def _prepare(spec: AgentSpec, request: AgentRequest) -> Any:
    """The agent's own checked copy of its input, or the Failed that says why there is none."""
    try:
        return prepare_input(spec, request.input)
    except (ContractViolation, OutputRejected) as error:
        return input_failure(spec, error)


def _begin(
    spec: AgentSpec,
    argument: Any,
    context: AgentContext,
    threads: Executor,
    processes: ProcessPool,
    request: AgentRequest,
) -> Awaitable[Any]:
    """What to await for the agent's answer."""
    match spec.isolation:
        case "loop":
            context.started = True
            answer: Awaitable[Any] = (
                spec.function(argument, context) if spec.is_async else _answer(spec, argument, context)
            )
            return answer
        case "thread":
            return _run_in_thread(spec, argument, context, threads)
        case "process":
            return processes.run(spec, request, context)


async def _answer(spec: AgentSpec, argument: Any, context: AgentContext) -> object:
    returned: object = spec.function(argument, context)
    return returned


async def _run_in_thread(spec: AgentSpec, argument: Any, context: AgentContext, threads: Executor) -> object:
    copied = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(threads, copied.run, _in_thread, spec.function, argument, context)


def _in_thread(function: Callable[..., object], argument: Any, context: AgentContext) -> object:
    context.started = True
    # A pool's thread lives long: without this a restarted database would fail every later call in it.
    close_old_connections()
    try:
        return function(argument, context)
    except StopIteration as error:  # a future cannot carry it, and the call would wait for ever
        raise RuntimeError("The agent let a StopIteration escape.") from error
    finally:
        close_old_connections()


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _unknown(request: AgentRequest) -> Failed:
    # Transient: while versions roll out, another worker may know it already.
    version = "" if request.version is None else f" version {request.version}"
    message = f"This worker knows no agent {request.agent}{version}; deploy its code or correct the definition."
    return Failed("transient", "agent_not_found", message)
