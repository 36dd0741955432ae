"""pydantic-ai agents whose tools ask: `requires_approval` opens a gate, and the conversation goes on with the answer.

The messages so far are kept in the run's state, so that no model is asked twice for what it has said, and a gate may
stay open for days.
"""

from collections.abc import Callable
from typing import Any

from pydantic_ai import Agent, DeferredToolRequests, DeferredToolResults, ToolApproved, ToolDenied
from pydantic_ai.messages import ModelMessagesTypeAdapter
from pydantic_ai.run import AgentRunResult

from agents import registry as registry_module
from agents.adapters.bridges.kept import Kept
from agents.context import AgentContext
from agents.contracts import ContractSource, compile_contract
from agents.registry import Registry
from agents.specs import Facts, build_spec
from agents.types import AgentFunction, Completed, Json, NeedsApproval, Usage

type Made = Agent[Any, Any]


def pydantic_ai_agent(  # noqa: PLR0913 - the words of a registration
    name: str,
    made: Callable[[], Made],
    *,
    input: ContractSource,  # noqa: A002 - the word of every definition and page
    output: ContractSource,
    prompt: Callable[[dict[str, Any]], str],
    answer: Callable[[Any], Any] = lambda found: found if isinstance(found, dict) else {"text": str(found)},
    facts: Facts | None = None,
    registry: Registry = registry_module.default,
) -> AgentFunction:
    """Register the agent that `made()` gives and return its function.

    Its `output_type` must include DeferredToolRequests if a tool asks. People see the calls with their arguments; a
    call that they take out of the answer is denied, one whose arguments they edit is made with theirs.
    """

    async def work(given: Any, ctx: AgentContext) -> Completed | NeedsApproval:
        kept = Kept(ctx, "pydantic-ai")
        before: Any = await kept.load()
        agent = made()
        more: dict[str, Any] = {}
        if before is not None:
            agreed = ctx.approval(before["action"])
            if agreed is None:
                return _question(before["action"])
            more["message_history"] = ModelMessagesTypeAdapter.validate_python(before["messages"])
            more["deferred_tool_results"] = _results(before["action"], agreed)
        ended = await agent.run(None if more else prompt(given), **more)
        if isinstance(ended.output, DeferredToolRequests):
            action = _action(ended.output)
            messages = ModelMessagesTypeAdapter.dump_python(ended.all_messages(), mode="json")
            await kept.save({"action": action, "messages": messages})
            return _question(action, _usage(ended))
        return Completed(answer(ended.output), usage=_usage(ended))

    work.place = f"{made.__module__}:{made.__qualname__}:{name}"  # type: ignore[attr-defined]
    own: Facts = {"isolation": "loop", "entrypoint": f"{made.__module__}:{made.__qualname__}"}
    schema = compile_contract(input).schema  # the schema alone: prompts are made of plain values
    registry.add(build_spec(name, work, takes=schema, gives=output, facts={**(facts or {}), **own}))
    return work


def _action(asked: DeferredToolRequests) -> dict[str, Json]:
    calls: list[Json] = [
        {"id": call.tool_call_id, "tool": call.tool_name, "arguments": dict(call.args_as_dict())}
        for call in asked.approvals
    ]
    outside: list[Json] = [
        {"id": call.tool_call_id, "tool": call.tool_name, "arguments": dict(call.args_as_dict())}
        for call in asked.calls
    ]
    return {"calls": calls, "results_wanted": outside}


def _question(action: dict[str, Any], usage: Usage | None = None) -> NeedsApproval:
    tools = ", ".join(call["tool"] for call in (*action["calls"], *action["results_wanted"]))
    proposal: dict[str, Json] = {"arguments": {call["id"]: call["arguments"] for call in action["calls"]}}
    if action["results_wanted"]:
        proposal["results"] = {call["id"]: None for call in action["results_wanted"]}
    return NeedsApproval(action, f"It wants to call {tools}.", proposal, usage=usage or Usage(), resume=True)


def _results(action: dict[str, Any], agreed: dict[str, Any]) -> DeferredToolResults:
    arguments, results = agreed.get("arguments") or {}, agreed.get("results") or {}
    said = DeferredToolResults(calls={call["id"]: results.get(call["id"]) for call in action["results_wanted"]})
    for call in action["calls"]:
        if call["id"] not in arguments:
            said.approvals[call["id"]] = ToolDenied("A person did not allow this call.")
        elif arguments[call["id"]] == call["arguments"]:
            said.approvals[call["id"]] = True
        else:
            said.approvals[call["id"]] = ToolApproved(override_args=arguments[call["id"]])
    return said


def _usage(ended: AgentRunResult[Any]) -> Usage:
    used = ended.usage
    return Usage(tokens_in=used.input_tokens or 0, tokens_out=used.output_tokens or 0)
