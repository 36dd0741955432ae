# /// script
# requires-python = ">=3.12,<3.14"
# dependencies = ["crewai==1.15.30", "httpx"]
#
# [tool.uv]
# no-build = true
# ///
"""A CrewAI crew as an external worker, in an environment of its own: `uv run --script crewai_worker.py URL TOKEN`.

A tool that needs a person's word records what it would do and ends the crew; the worker asks, and the approved call
runs the crew again. Whatever its model says this time, the tool does what was approved, once. The model is whatever
MODEL_URL serves in OpenAI's dialect.
"""

import os
import sys
from typing import Any

# Before CrewAI is imported: it would tell its makers of every crew.
for name in ("CREWAI_DISABLE_TELEMETRY", "OTEL_SDK_DISABLED", "CREWAI_DISABLE_VERSION_CHECK"):
    os.environ[name] = "true"
os.environ["CREWAI_TRACING_ENABLED"] = "false"

from crewai import LLM, Agent, Crew, Task  # noqa: E402
from crewai.tools import BaseTool  # noqa: E402
from pydantic import BaseModel, PrivateAttr  # noqa: E402
from watchkeeper_client import Answer, Ask, Business, Call, Failure, Permanent, Transient, Worker, agent  # noqa: E402

SAID = {"type": "object", "properties": {"said": {"type": "string"}}, "required": ["said"]}
DO = {"type": "object", "properties": {"do": {"type": "string"}}, "required": ["do"], "additionalProperties": False}


class Amount(BaseModel):
    """What the tool takes."""

    amount: int


class Pay(BaseTool):
    """Pays, once people have agreed to the amount."""

    name: str = "pay"
    description: str = "Pay an amount of money."
    args_schema: type[BaseModel] = Amount
    result_as_answer: bool = True  # what it says ends the task: nobody goes on thinking while people have to decide
    _call: Call = PrivateAttr()
    _asked: dict[str, Any] | None = PrivateAttr(default=None)
    _done: int = PrivateAttr(default=0)  # of what people have agreed to in this call

    def __init__(self, call: Call) -> None:
        super().__init__()
        self._call = call

    @property
    def asked(self) -> dict[str, Any] | None:
        """The action that waits for people."""
        return self._asked

    def _run(self, amount: int) -> str:
        granted = self._call.granted(self._done)
        if granted is None or granted[0]["tool"] != self.name:
            self._asked = {"tool": self.name, "amount": amount}
            return "A person is asked first."
        self._done += 1
        action, answer = granted
        return f"paid {answer.get('amount', action['amount'])}"


@agent("contract-crewai", input=DO, output=SAID, timeout=60)
def work(given: dict[str, Any], call: Call) -> Answer:
    pay = Pay(call)
    clerk = Agent(
        role="clerk",
        goal="Do what is asked.",
        backstory="You keep the books.",
        tools=[pay] if given["do"] == "ask" else [],
        llm=LLM(model="openai/local", base_url=os.environ["MODEL_URL"], api_key="none", max_retries=0),
        max_iter=3,
        max_retry_limit=0,
    )
    task = Task(description=given["do"], expected_output="One line.", agent=clerk)
    ended = Crew(agents=[clerk], tasks=[task], memory=False, tracing=False).kickoff()
    if pay.asked is not None:
        raise Ask(pay.asked, reason="The crew wants to pay.", proposal={"amount": pay.asked["amount"]})
    used = {"tokens_in": ended.token_usage.prompt_tokens, "tokens_out": ended.token_usage.completion_tokens}
    return Answer({"said": _read(ended.raw)}, usage=used)


def _read(text: str) -> Any:
    """What the crew said; a failure that it names is one."""
    kinds: dict[str, type[Failure]] = {"permanent": Permanent, "business": Business, "transient": Transient}
    if text in kinds:
        raise kinds[text](f"it is {text}", code="told", retry_after=0.01)
    return 5 if text == "breach" else text


if __name__ == "__main__":
    Worker(sys.argv[1], sys.argv[2], agents=[work], wait=0.2).run()
