"""An OpenAI Agents SDK agent as an external worker: run in a process whose path does not hold our package `agents`.

A tool that asks interrupts the run; its RunState goes into the question, and the approved call resumes from it. The
model is scripted here; a real one takes its place by name.
"""

import asyncio
import json
import sys
from typing import Any

from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText
from watchkeeper_client import Ask, Call, Worker, agent

from agents import Agent, Model, ModelResponse, RunConfig, Runner, RunState, Usage, function_tool  # of the SDK

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


class Scripted(Model):
    """Calls the tool once, then says what it returned."""

    async def get_response(self, system_instructions: Any, input: Any, *_: Any, **__: Any) -> ModelResponse:
        found = [one for one in input if isinstance(one, dict) and one.get("type") == "function_call_output"]
        item: Any = ResponseFunctionToolCall(
            arguments='{"amount": 5}', call_id="call-1", name="pay", type="function_call", id="f-1"
        )
        if found:
            said = ResponseOutputText(annotations=[], text=str(found[-1]["output"]), type="output_text")
            item = ResponseOutputMessage(id="m-1", content=[said], role="assistant", status="completed", type="message")
        return ModelResponse(output=[item], usage=Usage(), response_id=None)

    def stream_response(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


@function_tool(needs_approval=True)
def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


clerk = Agent(name="clerk", instructions="Pay.", tools=[pay], model=Scripted())


@agent("openai-clerk", input=TEXT, output=TEXT, timeout=30)
def work(given: dict[str, Any], call: Call) -> dict[str, Any]:
    return asyncio.run(_work(given, call))


async def _work(given: dict[str, Any], call: Call) -> dict[str, Any]:
    entry: Any = given["text"]
    if call.approvals:
        kept = call.approvals[-1]["action"]["state"]
        entry = await RunState.from_json(clerk, json.loads(kept))
        for item in entry.get_interruptions():
            entry.approve(item)
    ended = await Runner.run(clerk, entry, run_config=RunConfig(tracing_disabled=True))
    if ended.interruptions:
        asked = [{"tool": item.name, "arguments": json.loads(item.arguments or "{}")} for item in ended.interruptions]
        action = {"calls": asked, "state": json.dumps(ended.to_state().to_json())}
        raise Ask(action, reason="A tool of the agent asks.", proposal={"approved": True})
    return {"text": ended.final_output}


if __name__ == "__main__":
    Worker(sys.argv[1], sys.argv[2], agents=[work], wait=0.2).run(calls=2)
