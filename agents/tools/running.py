"""Running a tool's functions: on the loop, in a thread, or in a sandbox; secrets in, masked results out."""

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import close_old_connections

from agents import cleaning, tracing
from agents.errors import AgentFailure, AgentsError, ContractViolation, OutputRejected, ToolFailed, ToolResultInvalid
from agents.tools import rotation, sandbox, secrets
from agents.tools.specs import ToolFunction, ToolSpec
from agents.types import Json


@dataclass(frozen=True, slots=True)
class ToolContext:
    """A tool's second argument. `key` is stable across attempts: send it along as the idempotency key."""

    agent: str
    tool: str
    scopes: tuple[str, ...]
    key: str
    correlation_id: str = ""
    secret_names: frozenset[str] = frozenset()

    @property
    def traceparent(self) -> str:
        """W3C Trace Context: send it with outside calls, and their spans lie in the run's trace."""
        return tracing.of_call(self.correlation_id, self.key)

    def secret(self, name: str) -> str:
        """The value of a secret that the tool declares. Not in a sandbox: refer to it in the arguments there."""
        return secrets.reveal(self.tool, name, self.secret_names)


async def run(spec: ToolSpec, function: ToolFunction, arguments: dict[str, Json], context: ToolContext) -> Json:
    """The result of one function of a tool, cleaned and masked.

    Raises AgentFailure and ToolFailed with masked messages, and SecretRefused.
    """
    await rotation.load(spec.secrets)
    given = secrets.resolve(spec.name, arguments, spec.secrets)
    limit = spec.sandbox.seconds if spec.sandbox else spec.timeout
    try:
        async with asyncio.timeout(limit):
            returned = await _begin(spec, function, given, context)
        masked: Json = secrets.mask_json(cleaning.clean(returned).value)
    except TimeoutError as error:
        raise ToolFailed(tool=spec.name, problem=f"it did not end within {limit:g} seconds") from error
    except AgentFailure as error:
        error.message = secrets.mask(error.message)
        error.args = (error.message,)
        raise
    except OutputRejected as error:
        raise ToolResultInvalid(tool=spec.name, path=error.path, problem=secrets.mask(error.problem)) from error
    except AgentsError:
        raise
    except Exception as error:  # noqa: BLE001 - it may quote the secret: only the class is told
        raise ToolFailed(tool=spec.name, problem=f"it raised {type(error).__name__}") from None
    return masked


def check_result(spec: ToolSpec, result: Json) -> None:
    """Raise ToolResultInvalid unless the result fits the tool's contract."""
    try:
        spec.output.check(result)
    except ContractViolation as error:
        raise ToolResultInvalid(tool=spec.name, path=error.path, problem=secrets.mask(error.problem)) from error


async def compensate(spec: ToolSpec, arguments: dict[str, Json], result: Json, context: ToolContext) -> Json:
    """Undo one call by the tool's own hook, which is code of ours and runs outside of the sandbox."""
    hook = spec.compensate
    assert hook is not None

    def undo(given: Any, ctx: ToolContext) -> Any:
        return hook(given, result, ctx)

    await rotation.load(spec.secrets)
    given = secrets.resolve(spec.name, arguments, spec.secrets)
    async with asyncio.timeout(spec.timeout):
        returned = await _outside(spec, undo, given, context, is_async=inspect.iscoroutinefunction(hook))
    return secrets.mask_json(cleaning.clean(returned).value)  # type: ignore[no-any-return]


async def _begin(spec: ToolSpec, function: ToolFunction, given: dict[str, Json], context: ToolContext) -> Any:
    if spec.sandbox is not None:
        return await sandbox.run(spec, function, given, context)
    return await _outside(spec, function, given, context, is_async=inspect.iscoroutinefunction(function))


async def _outside(
    spec: ToolSpec, function: Callable[..., Any], given: Any, context: ToolContext, *, is_async: bool
) -> Any:
    argument = spec.input.model.model_validate(given) if spec.input.model else given
    if is_async:
        return await function(argument, context)
    return await asyncio.to_thread(_in_thread, function, argument, context)


def _in_thread(function: Callable[..., Any], argument: Any, context: ToolContext) -> Any:
    close_old_connections()
    try:
        return function(argument, context)
    finally:
        close_old_connections()
