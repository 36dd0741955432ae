"""Agents whose work is done by a language model: any provider of pydantic-ai, or an OpenAI-compatible server.

`llm_agent(...)` registers one like `@agent` does. The engine retries, nothing below it, with one exception: an answer
that breaks the output contract is sent back to the model once, with what is wrong with it.
"""

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Required, Unpack
from weakref import WeakKeyDictionary

import orjson
from pydantic_ai import Agent as ModelAgent
from pydantic_ai import ModelRetry, NativeOutput, RunContext, StructuredDict, capture_run_messages, exceptions
from pydantic_ai.messages import ModelMessage
from pydantic_ai.run import AgentRunResult
from pydantic_ai.settings import ModelSettings
from pydantic_ai.toolsets import FunctionToolset
from pydantic_ai.usage import RunUsage, UsageLimits

from agents import conversations, on_demand, voice
from agents import registry as registry_module
from agents.adapters.failures import raise_ours
from agents.adapters.prices import price_of
from agents.adapters.providers import COMPATIBLE, close_models, model_for
from agents.closing import before_loop_ends
from agents.context import AgentContext
from agents.contracts import Contract, ContractSource, compile_contract
from agents.errors import AgentFailure, ContractViolation, Permanent
from agents.prompts.filling import Fill, filling
from agents.registry import Registry
from agents.specs import Facts, build_spec
from agents.tools.model_tools import Rounds, model_tools
from agents.types import AgentFunction, Completed, Failed, Json, Usage
from agents.voice import Profile

__all__ = ["close_models", "llm_agent"]

_TOOL_ROUNDS = 10  # of one call: a model that still calls tools after so many answers is going in circles


class ModelFacts(Facts, total=False):
    """What the registration of an LLM agent says besides name and contracts: `prompt` or `prompt_ref` is required."""

    model: Required[str]
    instructions: Required[str]
    prompt: str
    prompt_ref: str  # name@3, or name for the newest published version
    economy: str  # the model to use while less than a tenth of a budget remains
    settings: ModelSettings
    tools: Sequence[str]  # names of tools it may call, each under the policies in force
    max_tokens: int  # of one call, in and out, with the second try
    profile: Profile  # tone, reading level, channel
    routing: Mapping[str, Mapping[str, str]]  # field of the input: {its value: model}; `model` is for all others


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
    fields = accepted.schema.get("properties", {})
    if "routing" in facts:
        voice.check_routing(name, facts["routing"], fields)
    asks = filling(name, fields, prompt=facts.get("prompt"), ref=facts.get("prompt_ref"), profile=facts.get("profile"))
    work = _work(facts, asks, promised)
    caller = inspect.stack(context=0)[1]
    work.place = f"{caller.filename}:{caller.lineno}"  # type: ignore[attr-defined]
    # The schema alone: a prompt is filled from plain values, not from a model's attributes.
    registry.add(build_spec(name, work, takes=accepted.schema, gives=output, facts=_facts(name, caller, facts)))
    return work


def _facts(name: str, caller: inspect.FrameInfo, facts: ModelFacts) -> Facts:
    told: Facts = {key: value for key, value in facts.items() if key in Facts.__annotations__}  # type: ignore[assignment]
    module = caller.frame.f_globals.get("__name__", caller.filename)
    kept: dict[str, object] = {key: facts.get(key) for key in ("model", "instructions", "prompt", "settings")}
    # Absent where they are not said: the digests of agents that were registered before stay as they were.
    later = ("prompt_ref", "economy", "max_tokens", "tools", "profile", "routing")
    kept |= {key: value for key, value in facts.items() if key in later}
    config: dict[str, Json] = orjson.loads(orjson.dumps(kept))
    return {
        "description": facts["instructions"],
        **told,
        "kind": "llm",
        "isolation": "loop",
        "config": config,
        "entrypoint": f"{module}:{name}",
    }


@dataclass(slots=True)
class _Question:
    """One call: what is asked of which model, and what it has used so far."""

    facts: ModelFacts
    promised: Contract
    ctx: AgentContext
    model_id: str
    tier: str
    text: str
    prompt: str
    used: RunUsage
    messages: list[ModelMessage]
    said: list[ModelMessage] = field(default_factory=list)  # before people were asked: it goes on from there
    about: str = ""
    rounds: Rounds = field(default_factory=Rounds)

    def usage(self) -> Usage:
        """What it used, priced where a price is known."""
        price = None if self.model_id.startswith(COMPATIBLE) else price_of(self.messages)
        return Usage(
            self.used.input_tokens,
            self.used.output_tokens,
            float(price or 0),
            self.model_id,
            self.tier,
            self.prompt,
            str(price) if price is not None else None,
        )


def _work(facts: ModelFacts, fill: Fill, promised: Contract) -> Callable[[Mapping[str, Json], AgentContext], Any]:
    answer = StructuredDict(promised.schema)

    async def ask_model(value: Mapping[str, Json], ctx: AgentContext) -> Completed | Failed:
        text, prompt = await fill(value)
        if ctx.note:
            text = f"{text}\n\nA reviewer sent your previous answer back and asks:\n{ctx.note}"
        tier = await ctx.desk.tier() if ctx.desk and facts.get("economy") else "standard"
        model_id = voice.routed(facts["model"], facts.get("routing", {}), value)
        model_id = facts["economy"] if tier == "economy" else model_id
        asked = _Question(facts, promised, ctx, model_id, tier, text, prompt, RunUsage(), [])
        if facts.get("tools"):
            asked.about = conversations.about(text, facts, ctx)
            asked.said = await conversations.recall(ctx, asked.about)
        failure, over, began = "interrupted", False, monotonic()  # by a deadline or a stop
        try:
            outcome = await _answer(asked, answer)
            failure = outcome.code if isinstance(outcome, Failed) else ""
            over = not isinstance(outcome, Failed) or outcome.kind != "transient"
        except AgentFailure as refusal:
            failure, over = refusal.code, refusal.kind != "transient"
            raise
        finally:
            await asyncio.shield(_put_away(asked, failure, over=over, seconds=monotonic() - began))
        return outcome

    return ask_model


async def _put_away(asked: _Question, failure: str, *, over: bool, seconds: float) -> None:
    """Keep what was said while people are asked, or until a passing trouble is over; and what the call used."""
    desk = asked.ctx.desk
    if asked.rounds.waits:
        await conversations.remember(asked.ctx, asked.about, asked.messages, asked.rounds)
    if desk and over and asked.said and not asked.rounds.waits:
        await desk.forget()
    if desk:
        await desk.ended(asked.usage(), failure, seconds)


async def _answer(asked: _Question, answer: Any) -> Completed | Failed:
    """The model's answer; a refusal that tokens were paid for is returned with them, any other is raised."""
    try:
        with capture_run_messages() as messages:
            asked.messages = messages
            result = await _ask(asked, answer)
    except AgentFailure as refusal:
        if not asked.used.total_tokens:
            raise
        kind: Any = refusal.kind
        return Failed(kind, refusal.code, refusal.message, retry_after=refusal.retry_after, usage=asked.usage())
    return Completed(result.output, usage=asked.usage())


async def _ask(asked: _Question, answer: Any) -> AgentRunResult[dict[str, Any]]:
    facts = asked.facts
    try:
        asking = _agent_for(asked, answer)
        settings: ModelSettings = {"timeout": asked.ctx.timeout, **(facts.get("settings") or {})}
        await on_demand.look_for_tools(facts.get("tools", ()))
        tools = model_tools(asked.ctx, facts.get("tools", ()), rounds=asked.rounds)
        rounds = _TOOL_ROUNDS if tools else 0
        limits = UsageLimits(request_limit=2 + rounds, total_tokens_limit=facts.get("max_tokens"))
        return await asking.run(
            None if asked.said else asked.text,
            message_history=asked.said or None,
            model_settings=settings,
            usage=asked.used,
            usage_limits=limits,
            toolsets=[FunctionToolset(tools)] if tools else None,
            event_stream_handler=_watch(asked.ctx) if asked.ctx.desk else None,
        )
    except exceptions.AgentRunError as error:
        raise_ours(error)
    except exceptions.UserError as error:
        raise Permanent(f"Model {asked.model_id} cannot be used: {error}", code="model_configuration") from error


# A thousand calls at once share one: making it costs more than calling it. Gone with its loop, like its model.
_agents: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[int, str], ModelAgent[None, dict[str, Any]]]] = (
    WeakKeyDictionary()
)


async def _forget_agents() -> None:
    _agents.pop(asyncio.get_running_loop(), None)


before_loop_ends(_forget_agents)


def _agent_for(asked: _Question, answer: Any) -> ModelAgent[None, dict[str, Any]]:
    """pydantic-ai's agent for the running loop, that holds answers to the contract."""
    model = model_for(asked.model_id)
    known = _agents.setdefault(asyncio.get_running_loop(), {})
    key = (id(asked.facts), asked.model_id)
    if key not in known or known[key].model is not model:
        can_answer_in_json = bool(model.profile.get("supports_json_schema_output"))
        known[key] = ModelAgent(
            model,
            output_type=NativeOutput(answer) if can_answer_in_json else answer,
            instructions=asked.facts["instructions"],
            deps_type=type(None),
            retries=1,
        )
        _hold_to_contract(known[key], asked.promised)
    return known[key]


def _hold_to_contract(asking: ModelAgent[None, dict[str, Any]], promised: Contract) -> None:
    """Tell the model once what is wrong with its answer; a second wrong one is judged like any agent's output."""

    @asking.output_validator
    def check(run: RunContext[None], output: dict[str, Any]) -> dict[str, Any]:
        try:
            if not run.partial_output:
                promised.check(output)
        except ContractViolation as problem:
            if run.retry == 0:
                raise ModelRetry(f"The answer breaks its contract at {problem}") from problem
        return output


def _watch(ctx: AgentContext) -> Any:
    """Show what the model writes while it writes; what cannot be shown is nobody's failure."""
    desk = ctx.desk
    assert desk is not None

    async def watch(_: Any, events: Any) -> None:
        written = ""
        async for event in events:
            part = getattr(event, "part", None) or getattr(event, "delta", None)
            piece = getattr(part, "content", None) or getattr(part, "content_delta", None)
            if isinstance(piece, str):
                written = (written + piece)[-16_000:]
                await desk.words(written)

    return watch
