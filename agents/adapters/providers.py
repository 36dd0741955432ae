"""The models that an agent may name, with a client for the running loop. Keys come from the environment only."""

import asyncio
import os
from typing import Any
from urllib.parse import urlsplit

from pydantic_ai.models import Model, infer_model
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers import Provider, infer_provider
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

from agents.closing import before_loop_ends
from agents.errors import Permanent

COMPATIBLE = "openai-compatible:"
# One loop's connections cannot serve another, and every shift has its own loop.
_models: dict[asyncio.AbstractEventLoop, dict[str, Model]] = {}


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
