"""Other frameworks' agents that do as the word `do` of their input says. Real frameworks, no model."""

import asyncio
import json
from typing import Any, TypedDict

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import HandoffTermination, MaxMessageTermination, TextMentionTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import FunctionCall
from autogen_core.models import CreateResult, ModelInfo, RequestUsage
from autogen_ext.models.replay import ReplayChatCompletionClient
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from pydantic_ai import Agent, DeferredToolRequests
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from tests.contracted import fail

visited: list[str] = []  # nodes of the graph, in this process


class State(TypedDict, total=False):
    do: str
    said: Any


async def _think(state: State) -> State:
    visited.append("think")
    fail(state["do"])
    if state["do"] == "slow":
        await asyncio.sleep(60)
    return {"said": 5 if state["do"] == "breach" else state["do"]}


def _pay(state: State) -> State:
    visited.append("pay")
    if state["do"] == "ask":
        answer = interrupt({"pay": 5})
        visited.append("paid")
        return {"said": f"paid {answer['pay']}"}
    return {}


def graph() -> StateGraph[Any, Any, Any, Any]:
    """think -> pay, where pay asks."""
    built = StateGraph(State)
    built.add_node("think", _think)
    built.add_node("pay", _pay)
    built.add_edge(START, "think")
    built.add_edge("think", "pay")
    built.add_edge("pay", END)
    return built


def model_agent() -> Agent[Any, Any]:
    """A pydantic-ai agent with a tool that asks; its model is a function."""

    async def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        returned = [part for message in messages for part in message.parts if isinstance(part, ToolReturnPart)]
        if returned:
            return ModelResponse(parts=[TextPart(f"paid {returned[-1].content}")])
        do = str(messages[0].parts[-1].content)
        fail(do)
        if do == "slow":
            await asyncio.sleep(60)
        if do == "ask":
            return ModelResponse(parts=[ToolCallPart("pay", {"amount": 5}, tool_call_id="call-1")])
        return ModelResponse(parts=[TextPart(do)])

    agent: Agent[Any, Any] = Agent(FunctionModel(model), output_type=[str, DeferredToolRequests])

    @agent.tool_plain(requires_approval=True)
    def pay(amount: int) -> int:
        visited.append(f"tool {amount}")
        return amount

    return agent


def said(found: Any) -> dict[str, Any]:
    """The output for a text; `breach` breaks the contract."""
    return {"said": 5 if found == "breach" else found}


INFO = ModelInfo(vision=False, function_calling=True, json_output=False, family="unknown", structured_output=False)


class Scripted(ReplayChatCompletionClient):
    """Says what the last message asks for."""

    def __init__(self) -> None:
        super().__init__(["unused"], model_info=INFO)

    async def create(self, messages: Any, **_: Any) -> CreateResult:
        text = str(messages[-1].content)
        do = next((str(m.content) for m in messages if type(m).__name__ == "UserMessage"), text)
        if text not in {do, "approved"}:
            do = text
        fail(do)
        if do == "slow":
            await asyncio.sleep(60)
        usage = RequestUsage(prompt_tokens=3, completion_tokens=1)
        if do == "ask" and "approved" not in str(messages):
            call = FunctionCall(id="1", name="transfer_to_user", arguments=json.dumps({}))
            return CreateResult(finish_reason="function_calls", content=[call], usage=usage, cached=False)
        word = "paid" if do == "ask" else do
        return CreateResult(finish_reason="stop", content=f"{word} DONE", usage=usage, cached=False)


def team() -> RoundRobinGroupChat:
    """One assistant that may hand over to a person."""
    assistant = AssistantAgent("assistant", model_client=Scripted(), handoffs=["user"])
    end = HandoffTermination(target="user") | TextMentionTermination("DONE") | MaxMessageTermination(6)
    return RoundRobinGroupChat([assistant], termination_condition=end)


def last_word(result: Any) -> dict[str, Any]:
    """The team's answer."""
    return said(str(result.messages[-1].content).removesuffix(" DONE"))
