"""Agents whose work is done by a language model: any provider of pydantic-ai, or an OpenAI-compatible server.

`llm_agent(...)` registers one like `@agent` does. The engine retries, nothing below it: one call is one request. The
model's answer is held to the output contract like any other agent's. Keys come from the environment only.
"""

import asyncio
import inspect
import os
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Required, Unpack
from urllib.parse import urlsplit

import orjson
from pydantic_ai import Agent as ModelAgent
from pydantic_ai import NativeOutput, StructuredDict, exceptions
from pydantic_ai.models import Model, infer_model
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers import Provider, infer_provider
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.run import AgentRunResult
from pydantic_ai.settings import ModelSettings

from agents import registry as registry_module
from agents.closing import before_loop_ends
from agents.context import AgentContext
from agents.contracts import ContractSource, compile_contract
from agents.errors import InvalidRegistration, Permanent, Transient
from agents.prompts.fields import PromptTemplate
from agents.registry import Registry
from agents.specs import Facts, build_spec
from agents.types import AgentFunction, Completed, Json, Usage

COMPATIBLE = "openai-compatible:"
BUSY = {408, 409, 425, 429}
# One loop's connections cannot serve another, and every shift has its own loop.
_models: dict[asyncio.AbstractEventLoop, dict[str, Model]] = {}


class ModelFacts(Facts, total=False):
    """What the registration of an LLM agent says besides name and contracts."""

    model: Required[str]
    instructions: Required[str]
    prompt: Required[str]
    settings: ModelSettings


def llm_agent(
    name: str,
    *,
    input: ContractSource,  # noqa: A002 - the word of every definition and page
    output: ContractSource,
    registry: Registry = registry_module.default,
    **facts: Unpack[ModelFacts],
) -> AgentFunction:
    """Register an LLM agent and return its function.

    `model` is `openai:<name>`, `anthropic:<name>`, another provider of pydantic-ai, or
    `openai-compatible:<name>@<VARIABLE>`, where the environment variable holds the server's base URL (and the one
    with `_KEY` for `_URL` its key, if it wants one); `openai-compatible:@<VARIABLE>` leaves the model to the variable
    too: `<name>@<base URL>`. `prompt` names input fields as `{field}`; others are refused.
    """
    accepted, promised = compile_contract(input), compile_contract(output)
    template = PromptTemplate(facts["prompt"])
    if unknown := template.variables - set(accepted.schema.get("properties", {})):
        problem = f"its prompt uses {', '.join(sorted(unknown))}, which its input contract does not declare"
        raise InvalidRegistration(name=name, problem=problem)
    work = _work(facts, template, promised.schema)
    caller = inspect.stack(context=0)[1]
    work.place = f"{caller.filename}:{caller.lineno}"  # type: ignore[attr-defined]
    # The schema alone: a prompt is filled from plain values, not from a model's attributes.
    registry.add(build_spec(name, work, takes=accepted.schema, gives=output, facts=_facts(name, caller, facts)))
    return work


def _facts(name: str, caller: inspect.FrameInfo, facts: ModelFacts) -> Facts:
    told: Facts = {key: value for key, value in facts.items() if key in Facts.__annotations__}  # type: ignore[assignment]
    module = caller.frame.f_globals.get("__name__", caller.filename)
    kept = {key: facts.get(key) for key in ("model", "instructions", "prompt", "settings")}
    config: dict[str, Json] = orjson.loads(orjson.dumps(kept))
    return {
        "description": facts["instructions"],
        **told,
        "kind": "llm",
        "isolation": "loop",
        "config": config,
        "entrypoint": f"{module}:{name}",
    }


def _work(
    facts: ModelFacts, template: PromptTemplate, schema: dict[str, Any]
) -> Callable[[Mapping[str, Json], AgentContext], Any]:
    model_id = facts["model"]
    answer = StructuredDict(schema)

    async def ask_model(value: Mapping[str, Json], ctx: AgentContext) -> Completed:
        prompt = template.fill(value)
        if ctx.note:
            prompt = f"{prompt}\n\nA reviewer sent your previous answer back and asks:\n{ctx.note}"
        try:
            model = model_for(model_id)
            can_answer_in_json = bool(model.profile.get("supports_json_schema_output"))
            asking: ModelAgent[None, dict[str, Any]] = ModelAgent(
                model,
                output_type=NativeOutput(answer) if can_answer_in_json else answer,
                instructions=facts["instructions"],
                deps_type=type(None),
                retries=0,
            )
            result = await asking.run(prompt, model_settings=facts.get("settings"))
        except exceptions.AgentRunError as error:
            _raise_ours(error)
        except exceptions.UserError as error:
            raise Permanent(f"Model {model_id} cannot be used: {error}", code="model_configuration") from error
        return Completed(result.output, usage=_usage(result, priced=not model_id.startswith(COMPATIBLE)))

    return ask_model


def model_for(model_id: str) -> Model:
    """The model with its client for the running loop; Permanent when the environment lacks what it needs."""
    models = _models.setdefault(asyncio.get_running_loop(), {})
    if model_id not in models:
        for ended in [loop for loop in _models if loop.is_closed()]:  # shifts that ended without `close_models`
            del _models[ended]
        compatible = model_id.startswith(COMPATIBLE)
        models[model_id] = _compatible(model_id) if compatible else infer_model(model_id, provider_factory=_provider)
    return models[model_id]


async def close_models() -> None:
    """Close the running loop's connections; a shift calls this before it ends."""
    for model in _models.pop(asyncio.get_running_loop(), {}).values():
        client = getattr(model, "client", None)
        if client is not None and hasattr(client, "close"):
            await client.close()


before_loop_ends(close_models)


def _compatible(model_id: str) -> Model:
    name, _, variable = model_id.removeprefix(COMPATIBLE).partition("@")
    url, wanted = os.environ.get(variable, ""), "the base URL of the model server, such as "
    if not name:
        name, _, url = url.partition("@")
        wanted = "a model and the base URL of its server, such as smollm2@"
    if urlsplit(url).scheme not in {"http", "https"} or not name:
        problem = f"Set {variable} to {wanted}http://127.0.0.1:8080/v1"
        raise Permanent(f"{problem}.", code="model_configuration")
    key = os.environ.get(f"{variable.removesuffix('_URL')}_KEY") or "none"
    return OpenAIChatModel(name, provider=_openai(base_url=url, api_key=key))


def _provider(name: str) -> Provider[Any]:
    """Providers with their SDK's own retries off: a busy provider must meet the engine's back-off, not a storm."""
    match name:
        case "openai" | "openai-chat" | "openai-responses":
            return _openai(base_url=None, api_key=_key("OPENAI_API_KEY"))
        case "anthropic":
            from anthropic import AsyncAnthropic  # noqa: PLC0415 - a slow import, needed by few workers

            return AnthropicProvider(anthropic_client=AsyncAnthropic(api_key=_key("ANTHROPIC_API_KEY"), max_retries=0))
    try:
        return infer_provider(name)
    except ValueError as error:
        message = f"No model provider is called {name!r}; correct the agent's model."
        raise Permanent(message, code="model_configuration") from error


def _openai(*, base_url: str | None, api_key: str) -> OpenAIProvider:
    from openai import AsyncOpenAI  # noqa: PLC0415 - a slow import, needed by few workers

    return OpenAIProvider(openai_client=AsyncOpenAI(base_url=base_url, api_key=api_key, max_retries=0))


def _key(variable: str) -> str:
    key = os.environ.get(variable)
    if not key:
        raise Permanent(f"Set {variable} in the worker's environment to use this model.", code="model_configuration")
    return key


def _usage(result: AgentRunResult[Any], *, priced: bool) -> Usage:
    used = result.usage
    cost = 0.0
    if priced:
        try:
            cost = float(result.response.cost().total_price)
        except (LookupError, ValueError, AssertionError):
            cost = 0.0  # no price is known for this model
    return Usage(used.input_tokens, used.output_tokens, cost)


def _raise_ours(error: exceptions.AgentRunError) -> NoReturn:
    """The provider's failure in our words. Bodies of answers are not repeated: they may quote the prompt."""
    match error:
        case exceptions.ModelQuotaExceededError():
            raise Permanent("The account's quota at the model's provider is used up.", code="model_quota") from error
        case exceptions.ModelHTTPError(status_code=status) if status in BUSY or status >= 500:
            message = f"The model's provider answered {status}."
            raise Transient(message, code="model_busy", retry_after=error.retry_after) from error
        case exceptions.ModelHTTPError(status_code=status):
            message = f"The model's provider refused the request with {status}."
            raise Permanent(message, code="model_refused") from error
        case exceptions.ModelTimeoutError() | exceptions.ModelRequestTimeout():
            raise Transient("The model did not answer in time.", code="timeout") from error
        case exceptions.ModelAPIError():
            raise Transient("The model's provider could not be reached.", code="connection") from error
        case exceptions.ContentFilterError():
            raise Permanent("The provider's content filter stopped the answer.", code="content_filter") from error
    raise Transient("The model's answer does not fit its contract.", code="model_output") from error
