"""Rates, breakers and secrets of tools, called as an agent does, without a run."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from django.db import connections
from pydantic_ai import Agent as ModelAgent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from agents.context import AgentContext
from agents.errors import Business, ToolBusy, ToolDenied, ToolFailed, ToolNeedsApproval, Transient
from agents.models import Tool, ToolUse
from agents.tools import limits, meter, secret_stores, secrets
from agents.tools.model_tools import model_tools
from agents.tools.proxy import ToolProxy
from agents.tools.secret_stores import Found
from agents.types import AgentRequest, Json
from orchestrator.models import Event
from tests import toolbox
from tests.toolbox import allow

pytestmark = pytest.mark.django_db(transaction=True)
CANARY = "canary-7f3k2-do-not-show"


def request(agent: str = "tool-user") -> AgentRequest:
    return AgentRequest(agent, 1, {}, "task-1-0", 1, 30.0, correlation_id="c")


def run(work: Callable[[ToolProxy], Awaitable[Any]], agent: str = "tool-user") -> Any:
    try:
        return asyncio.run(_run(work, agent))
    finally:
        connections.close_all()


async def _run(work: Callable[[ToolProxy], Awaitable[Any]], agent: str) -> Any:
    return await work(ToolProxy(request(agent)))


def test_a_rate_is_shared_by_all_and_belongs_to_people() -> None:
    allow("agent: tool-user, tool: test.limited")

    async def work(tools: ToolProxy) -> None:
        await tools.call("test.limited")
        await tools.call("test.limited")
        with pytest.raises(ToolBusy, match="2 calls a minute"):
            await tools.call("test.limited")

    run(work)
    meter.write_down()
    assert ToolUse.objects.get(decision="limited").calls == 1
    Tool.objects.filter(name="test.limited").update(rate_per_minute=100, filled_at=None)
    toolbox.recording.sync()
    assert Tool.objects.get(name="test.limited").rate_per_minute == 100
    run(lambda tools: tools.call("test.limited"))


def test_a_breaker_opens_after_failures_that_speak_against_the_tool_and_is_tried_again() -> None:
    allow("agent: tool-user, tool: test.wobbly")
    Tool.objects.filter(name="test.wobbly").update(threshold=2, reset_s=3600)

    async def fail(tools: ToolProxy) -> None:
        with pytest.raises(Business):
            await tools.call("test.wobbly", {"how": "business"})
        for how, error in (("transient", Transient), ("crash", ToolFailed)):
            with pytest.raises(error):
                await tools.call("test.wobbly", {"how": how})

    run(fail)
    assert Tool.objects.get(name="test.wobbly").state == "open"
    toolbox.view.forget()
    calls = len(toolbox.done)
    with pytest.raises(ToolBusy, match="left alone"):
        run(lambda tools: tools.call("test.wobbly", {}))
    assert len(toolbox.done) == calls

    Tool.objects.filter(name="test.wobbly").update(reset_s=0)
    toolbox.view.forget()
    run(lambda tools: tools.call("test.wobbly", {}))
    row = Tool.objects.get(name="test.wobbly")
    assert (row.state, row.failures) == ("closed", 0)
    limits.failed("test.wobbly", "x")
    limits.reset("test.wobbly")
    assert Tool.objects.get(name="test.wobbly").failures == 0


def test_an_agent_cannot_use_what_another_is_entitled_to() -> None:
    allow("agent: tool-user, tool: test.lookup, scopes: [customers]")
    for agent in ("tool-thread", "tool-user ", "Tool-User", "tool\u2010user"):
        with pytest.raises(ToolDenied, match="no policy allows it"):
            run(lambda tools: tools.call("test.lookup", {}), agent)


def test_what_waits_for_people_ends_the_attempt_for_every_further_call() -> None:
    allow(
        "agent: tool-user, tool: test.pay, scopes: [money]", "agent: tool-user, tool: test.lookup, scopes: [customers]"
    )

    async def work(tools: ToolProxy) -> None:
        for name, given in (("test.pay", {"to": "a", "amount": 1}), ("test.lookup", {})):
            with pytest.raises(ToolNeedsApproval):
                await tools.call(name, given)
        assert tools.asked is not None
        assert tools.asked.call is not None
        assert tools.asked.call["risk"] == "high"

    run(work)
    assert toolbox.done == []


def test_a_secret_comes_out_nowhere(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("SECRET_TEST_KEY", CANARY)
    allow("agent: tool-user, tool: test.keyed")
    caplog.set_level(logging.DEBUG)
    result = run(lambda tools: tools.call("test.keyed", {"key": "secret://TEST_KEY"}))

    assert toolbox.done == [("keyed", {"key": CANARY})]
    assert result == {"echo": "secret://TEST_KEY", "own": "key=secret://TEST_KEY", "secret://TEST_KEY": "as a name"}
    told = []
    for how in ("raise", "transient"):
        with pytest.raises((ToolFailed, Transient)) as failed:
            run(lambda tools, how=how: tools.call("test.keyed", {"how": how}))
        told += [str(failed.value), repr(failed.value), str(failed.value.__cause__)]
    assert CANARY not in "".join(told) + caplog.text
    row = Tool.objects.get(name="test.keyed")
    assert row.failures == 2
    assert CANARY not in row.last_error
    assert CANARY not in secrets.mask(f"log line with {CANARY}")


def test_rotated_secret_is_used_at_once_it_is_asked_for_and_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [Found(CANARY, "1")]

    class Rotating(secret_stores.Vault):
        def get(self, name: str) -> Found:
            return kept[0]

    monkeypatch.setattr(secret_stores, "_configured", lambda: [Rotating()])
    allow("agent: tool-user, tool: test.keyed")

    def used() -> Any:
        run(lambda tools: tools.call("test.keyed", {"key": "secret://TEST_KEY"}))
        return toolbox.done[-1][1]["key"]

    assert used() == CANARY
    kept[0] = Found(f"{CANARY}-new", "2")
    assert used() == CANARY  # within a minute the store is not asked again
    secrets.forget()
    assert [used(), used()] == [f"{CANARY}-new"] * 2
    [event] = Event.objects.filter(kind="secret.rotated")
    assert event.data == {"name": "TEST_KEY", "version": "2", "before": "1"}


def test_a_model_calls_tools_under_the_same_policies() -> None:
    allow("agent: tool-user, tool: test.lookup, scopes: [customers]")
    heard: list[str] = []

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if len(messages) == 1:
            names = [tool.name for tool in info.function_tools]
            return ModelResponse(parts=[ToolCallPart(name, {"text": "a"}) for name in names])
        heard.extend(str(part.content) for part in messages[-1].parts)  # type: ignore[union-attr]
        return ModelResponse(parts=[TextPart("done")])

    async def work(tools: ToolProxy) -> Json:
        given = model_tools(AgentContext(request(), None, tools), ["test.lookup", "test.note"])
        found = await ModelAgent(FunctionModel(answer), tools=given).run("go")
        return found.output

    assert run(work) == "done"
    assert '"found":"a"' in heard[0]
    assert "tool_denied" in heard[1]


def test_a_model_that_calls_something_risky_ends_its_attempt() -> None:
    allow("agent: tool-user, tool: test.pay, scopes: [money]")

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse(parts=[ToolCallPart("test__pay", {"to": "ann", "amount": 5})])

    async def work(tools: ToolProxy) -> None:
        given = model_tools(AgentContext(request(), None, tools), ["test.pay"])
        with pytest.raises(ToolNeedsApproval):
            await ModelAgent(FunctionModel(answer), tools=given).run("go")
        assert tools.asked is not None

    run(work)
    assert toolbox.done == []
