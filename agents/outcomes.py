"""From what an agent returned or raised to one typed outcome: cleaned, checked, classified. No Django."""

import math
import socket
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog
from pydantic import BaseModel, ValidationError

from agents import cleaning
from agents.contracts import dotted
from agents.errors import AgentFailure, AgentsError, ContractViolation, OutputRejected
from agents.messaging.mailbox import Suspended
from agents.specs import AgentSpec
from agents.types import Awaits, Completed, Deferred, Failed, FailureKind, Json, NeedsApproval, Outcome, Usage

log = structlog.get_logger(__name__)

MESSAGE_LIMIT = 500
STACK_FRAMES = 20
STACK_LIMIT = 4000
# Libraries raise their own connection errors, which do not derive from the built-in ones.
CONNECTION_ERRORS = {
    "TransportError",
    "NetworkError",
    "APIConnectionError",
    "ClientConnectionError",
    "RequestException",
}
KINDS = {"transient", "permanent", "business"}
DEFERRING = {"http", "external"}  # kinds of agents whose answer may come later


def outcome_of(spec: AgentSpec, returned: object) -> Outcome:
    """The outcome of a call that returned. Raises OutputRejected or ContractViolation; `failure_of` words them."""
    if isinstance(returned, Awaits):  # of an agent with a process of its own
        return replace(returned, version=spec.version)
    if isinstance(returned, Failed):
        return _failed(spec, returned)
    if isinstance(returned, NeedsApproval):
        return _needs_approval(spec, returned)
    if isinstance(returned, Deferred) and spec.kind in DEFERRING:
        return replace(returned, version=spec.version)
    if isinstance(returned, Completed):
        return _completed(spec, returned.output, returned)
    return _completed(spec, returned, None)


def ended_by(spec: AgentSpec, error: BaseException) -> Awaits | Failed:
    """What a call that raised has come to: it waits for a message, or it failed."""
    if isinstance(error, Suspended):
        return Awaits(error.serial, error.within, spec.version)
    return failure_of(spec, error)


def failure_of(spec: AgentSpec, error: BaseException) -> Failed:
    """The failure an exception means, with its class and stack for those who may see details.

    What the agent raised without our classes is not quoted anywhere: its message may hold secrets.
    """
    failure = _classified(spec, error)
    return replace(failure, error_class=type(error).__qualname__[:200], stack=_stack(error))


def _stack(error: BaseException) -> str:
    """Files, lines and functions, the newest last: no messages and no values, which may hold secrets."""
    frames = traceback.extract_tb(error.__traceback__)[-STACK_FRAMES:]
    lines = [f"{Path(*Path(frame.filename).parts[-3:])}:{frame.lineno} in {frame.name}" for frame in frames]
    return cleaning.storable("\n".join(lines))[-STACK_LIMIT:]


def _classified(spec: AgentSpec, error: BaseException) -> Failed:
    match error:
        case AgentFailure():
            kind = error.kind if error.kind in KINDS else "permanent"
            return _failed(spec, Failed(kind, error.code, error.message, retry_after=error.retry_after))  # type: ignore[arg-type]
        case ContractViolation():
            # A model may keep its promise on the next try; a program will break it the same way again.
            again: FailureKind = "transient" if spec.kind == "llm" else "permanent"
            return _failure(spec, again, "contract_output", f"{spec.name} broke its output contract at {error}")
        case OutputRejected():
            return _failure(
                spec, "permanent", f"output_{error.reason}", f"The output of {spec.name} was refused at {error}"
            )
        case AgentsError():
            return _failure(spec, "transient" if error.retryable else "permanent", error.code, str(error))
        case TimeoutError():
            return _failure(spec, "transient", "timeout", f"Something {spec.name} waited for did not answer in time")
        case _ if _is_connection_error(error):
            return _failure(spec, "transient", "connection", f"{spec.name} could not reach what it calls")
    # Formatted here: a console's own traceback would print local variables, and with them secrets.
    lines = "".join(traceback.format_exception(error))
    log.error("agent.unexpected", agent=spec.name, version=spec.version, error=type(error).__name__, traceback=lines)
    message = f"{spec.name} raised {type(error).__name__}; the worker's log has the traceback"
    return _failure(spec, "transient", "unexpected", message)


def input_failure(spec: AgentSpec, error: ContractViolation | OutputRejected) -> Failed:
    """The failure of a call whose input breaks the contract: no attempt can change it."""
    return _failure(spec, "permanent", "contract_input", f"The input does not fit {spec.name} at {error}")


def timeout_failure(spec: AgentSpec, seconds: float, *, started: bool) -> Failed:
    """The failure of a call that was still running, or still waiting for a place to run, at its deadline."""
    if started:
        return _failure(spec, "transient", "timeout", f"{spec.name} did not finish within {seconds:g} seconds")
    place = "thread" if spec.isolation == "thread" else "process"
    return _failure(spec, "transient", "pool_busy", f"No {place} was free for {spec.name} within {seconds:g} seconds")


def prepare_input(spec: AgentSpec, value: object) -> Any:
    """The agent's own checked copy of its input: an instance of its model, or a dictionary."""
    plain = cleaning.clean(value, cleaning.INPUT).value
    spec.input.check(plain)
    return _instance(spec.input.model, plain) if spec.input.model else plain


def _completed(spec: AgentSpec, value: object, claimed: Completed | None) -> Completed:
    cleaned = cleaning.clean_text(value) if isinstance(value, str | bytes) else cleaning.clean(value)
    output = _object(cleaned.value)
    spec.output.check(output)
    if spec.output.model and not isinstance(value, spec.output.model):
        _instance(spec.output.model, output)
    stated = _confidence(claimed.confidence) if claimed else None
    confidence = _claimed_confidence(output) if stated is None else stated
    usage = _usage(claimed.usage) if claimed else Usage()
    changes = (*claimed.changes, *cleaned.changes) if claimed else cleaned.changes
    return Completed(output, confidence, usage, spec.version, changes, cleaned.large)


def _needs_approval(spec: AgentSpec, returned: NeedsApproval) -> NeedsApproval:
    action = _object(cleaning.clean(returned.action).value)
    output = _object(cleaning.clean(returned.output).value)
    if output and not returned.resume:
        spec.output.check(output)
    confidence, usage = _confidence(returned.confidence), known_usage(returned.usage)
    return NeedsApproval(
        action, _sentence(returned.reason), output, confidence, spec.version, usage, resume=bool(returned.resume)
    )


def _failed(spec: AgentSpec, returned: Failed) -> Failed:
    wait = returned.retry_after
    usable = isinstance(wait, int | float) and math.isfinite(wait) and wait >= 0
    return replace(
        returned,
        kind=returned.kind if returned.kind in KINDS else "permanent",
        code=_sentence(returned.code)[:50],
        message=_sentence(returned.message),
        version=spec.version,
        retry_after=float(wait) if usable and wait is not None else None,
    )


def _failure(spec: AgentSpec, kind: FailureKind, code: str, message: str) -> Failed:
    return Failed(kind, code, _sentence(message.rstrip(".") + "."), spec.version)


def _object(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise ContractViolation(path=dotted(()), problem="the value must be an object with named fields")
    return value


def _instance(model: type[BaseModel], value: object) -> BaseModel:
    """Run the model's own validators, which a JSON Schema cannot express."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ContractViolation(path=dotted(first["loc"]), problem=first["msg"]) from None


def _confidence(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:  # NaN fails both
        return float(value)
    raise ContractViolation(path="confidence", problem="the confidence must be a number from 0 to 1")


def _claimed_confidence(output: dict[str, Json]) -> float | None:
    """An output's own `confidence` field counts as the agent's claim, if it is one."""
    value = output.get("confidence")
    is_claim = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    return float(value) if is_claim else None  # type: ignore[arg-type]


def known_usage(usage: Usage) -> Usage:
    """What a call says it used, if that can be; nothing otherwise."""
    return usage if _is_usable(usage) else Usage()


def _is_usable(usage: Usage) -> bool:
    return usage.tokens_in >= 0 and usage.tokens_out >= 0 and usage.cost >= 0 and math.isfinite(usage.cost)


def _usage(usage: Usage) -> Usage:
    if not _is_usable(usage):
        raise ContractViolation(path="usage", problem="tokens and cost must be finite and not negative")
    return usage


def _sentence(text: object) -> str:
    plain = cleaning.storable(str(text))
    return plain if len(plain) <= MESSAGE_LIMIT else f"{plain[: MESSAGE_LIMIT - 1]}…"


def _is_connection_error(error: BaseException) -> bool:
    if isinstance(error, ConnectionError | socket.gaierror):
        return True
    return any(base.__name__ in CONNECTION_ERRORS for base in type(error).__mro__)
