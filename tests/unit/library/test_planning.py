"""Both planners keep one contract: what they hand in is a plan that can run, whatever the goal."""

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from agents import registry as registry_module
from agents.calling import call
from agents.library import planning
from agents.process import ProcessPool
from agents.registry import Registry
from agents.types import AgentRequest, Completed
from orchestrator.patterns.planner import nodes_of, plan_flaws

AGENTS = [
    {"agent": "summariser", "does": "summarise a text"},
    {"agent": "extractor", "does": "extract indicators"},
    {"agent": "matcher", "does": "find techniques that are alike"},
]
GOALS = ["Summarise the text, then find techniques", "Extract indicators", "Something else altogether"]
ANSWERED = {  # what a model answered to the first goal, recorded
    "tasks": [
        {"key": "sum", "title": "Summarise", "agent": "summariser", "input": {"text": "t"}, "after": [], "uses": []},
        {"key": "match", "agent": "matcher", "input": {"text": "t"}, "after": ["sum"]},
    ]
}


class Model(BaseHTTPRequestHandler):
    """Speaks enough of OpenAI's protocol to give the recorded answer, and remembers what it was asked."""

    asked: list[dict[str, Any]] = []

    def do_POST(self) -> None:
        type(self).asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        message = {"role": "assistant", "content": json.dumps(ANSWERED)}
        usage = {"prompt_tokens": 30, "completion_tokens": 20, "total_tokens": 50}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        body = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
        sent = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *args: Any) -> None:
        """Silence."""


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """Both planners, the second with a model server of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("TEST_PLANNER", f"m@http://127.0.0.1:{server.server_port}/v1")
    made = Registry()
    made.add(registry_module.get("rule-planner"))
    planning.register_llm_planner(made, variable="TEST_PLANNER")
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def asked(registry: Registry, planner: str, goal: str, **more: Any) -> Completed:
    async def ask() -> Any:
        given = {"goal": goal, "agents": AGENTS, "context": {"text": "some text"}, **more}
        with ThreadPoolExecutor(1) as threads:
            request = AgentRequest(planner, None, given, "k", 1, 30.0)
            return await call(request, threads=threads, processes=ProcessPool(), registry=registry)

    outcome = asyncio.run(ask())
    assert isinstance(outcome, Completed), outcome
    return outcome


@pytest.mark.parametrize("planner", ["rule-planner", "llm-planner"])
@pytest.mark.parametrize("goal", GOALS)
def test_plan_of_either_planner_can_run(registry: Registry, planner: str, goal: str) -> None:
    tasks = asked(registry, planner, goal).output["tasks"]

    assert not list(plan_flaws(tasks, [one["agent"] for one in AGENTS]))
    assert len(nodes_of(tasks)) >= 1


@pytest.mark.parametrize("planner", ["rule-planner", "llm-planner"])
def test_what_is_asked_for_second_comes_after_what_is_asked_for_first(registry: Registry, planner: str) -> None:
    nodes = nodes_of(asked(registry, planner, GOALS[0]).output["tasks"])

    assert [node.agent for node in nodes] == ["summariser", "matcher"]
    assert nodes[1].before == (nodes[0].key,)


def test_model_is_told_the_goal_the_agents_and_what_was_wrong(registry: Registry) -> None:
    outcome = asked(registry, "llm-planner", GOALS[0], flaws=["plan_cycle: a waits for a"])

    told = json.dumps(Model.asked[-1]["messages"])
    assert GOALS[0] in told
    assert "summariser" in told
    assert "plan_cycle" in told
    assert outcome.usage.tokens_out == 20
