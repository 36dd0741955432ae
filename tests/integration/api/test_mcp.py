"""Watchkeeper as an MCP server, and its tools through our own MCP client: uvicorn, HTTP and the real `mcp` package."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import httpx2
import orjson
import pytest
import uvicorn
from django.contrib.auth.models import User
from django.core.asgi import get_asgi_application
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from agents.adapters import mcp_tools
from agents.errors import Business, Permanent, Transient
from agents.models import ToolUse
from approvals import access, tokens
from approvals.models import Decision, Gate
from approvals.services import decide
from config import mcp_server
from config.mcp_server.tools import in_thread
from orchestrator.models import Run
from tests import engine, people, toolbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def url(transactional_db: None) -> Iterator[str]:
    app: Any = mcp_server.beside(get_asgi_application())
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/mcp"
    server.should_exit = True
    thread.join()


def secret_of(user: Any, *scopes: str, may_decide: bool = False) -> str:
    return tokens.create(user=user, name="mcp", scopes=list(scopes), may_decide=may_decide)[1]


async def call(url: str, secret: str, tool: str, **given: Any) -> Any:
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {secret}"}) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        return await client.call_tool(tool, given)


def text(answer: Any) -> str:
    return "\n".join(part.text for part in answer.content)


@pytest.fixture
def scene() -> dict[str, Any]:
    """One open gate, its reviewer and a watcher; the fixture's rows are committed."""
    gate = people.gate()
    reviewer = people.person("ana", "Reviewer", "Quality Assurance Lead", decides=people.queue())
    return {
        "gate": gate.pk,
        "run": gate.run_id,
        "reader": secret_of(people.person("wim", "Auditor"), "read"),
        "undecided": secret_of(reviewer, "read", "decide"),
        "decider": secret_of(reviewer, "read", "decide", may_decide=True),
        "stranger": secret_of(people.person("eve", "Reviewer"), "read"),
    }


async def test_runs_gates_and_story_are_read(scene: dict[str, Any], url: str) -> None:
    run = await call(url, scene["reader"], "get_run", run=scene["run"])
    story = await call(url, scene["reader"], "read_story", run=scene["run"])
    gates = await call(url, scene["reader"], "list_gates")

    assert not run.is_error, text(run)
    assert f'"id": {scene["run"]}' in text(run)
    assert not story.is_error, text(story)
    assert not gates.is_error, text(gates)
    assert f'"id": {scene["gate"]}' in text(gates)


async def test_object_rights_hold(scene: dict[str, Any], url: str) -> None:
    answer = await call(url, scene["stranger"], "get_run", run=scene["run"])

    assert answer.is_error


async def test_gate_is_decided_only_by_a_token_that_may(scene: dict[str, Any], url: str) -> None:
    given = {"gate": scene["gate"], "version": 1, "verdict": "approve"}

    for name in ("reader", "undecided", "stranger"):
        assert (await call(url, scene[name], "decide_gate", **given)).is_error
    assert await in_thread(Decision.objects.count) == 0
    done = await call(url, scene["decider"], "decide_gate", **given)

    assert not done.is_error, text(done)
    assert await in_thread(Decision.objects.count) == 1


async def test_wait_for_a_gate_ends_with_its_time(scene: dict[str, Any], url: str) -> None:
    answer = await call(url, scene["reader"], "wait_for_gate", gate=scene["gate"], seconds=0.1)

    assert '"status": "open"' in text(answer)


async def test_run_is_not_started_without_the_scope(scene: dict[str, Any], url: str) -> None:
    answer = await call(url, scene["reader"], "start_run", workflow="incident", given={}, key="k")

    assert answer.is_error


@pytest.mark.parametrize("secret", ["none", "wk_wrong"])
def test_nobody_gets_in_without_a_token(url: str, secret: str) -> None:
    headers = {"Authorization": f"Bearer {secret}", "Accept": "application/json, text/event-stream"}
    answer = httpx2.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, headers=headers)

    assert answer.status_code == 401
    assert answer.json()["error"]["code"]


def test_foreign_host_and_origin_are_refused(scene: dict[str, Any], url: str) -> None:
    sent = {"Authorization": f"Bearer {scene['reader']}", "Accept": "application/json, text/event-stream"}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}

    assert httpx2.post(url, json=body, headers=sent | {"Host": "evil.example"}).status_code in {403, 421}
    assert httpx2.post(url, json=body, headers=sent | {"Origin": "http://evil.example"}).status_code == 403


async def test_other_servers_tools_are_listed_called_and_held_to_their_contract(
    scene: dict[str, Any], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCP_SERVERS", f"watch={url}")
    monkeypatch.setenv("MCP_WATCH_TOKEN", scene["reader"])

    found = {tool.name: tool for tool in await mcp_tools.list_tools("watch")}
    answer = await mcp_tools.call_tool(found["watch.get_run"], {"run": scene["run"]})

    assert f'"id": {scene["run"]}' in str(answer["text"])
    with pytest.raises(Permanent, match="does not fit"):
        await mcp_tools.call_tool(found["watch.get_run"], {"run": "x"})
    with pytest.raises(Business, match="refused"):
        await mcp_tools.call_tool(found["watch.get_run"], {"run": 1})


@pytest.mark.parametrize(("headers", "most"), [({}, 12_000_000), ({"Content-Encoding": "gzip"}, 10_000_000)])
async def test_server_that_never_stops_talking_is_left(
    monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], most: int
) -> None:
    sent = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        told = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{told}\r\n".encode())
        with suppress(ConnectionError):
            while sent < 50_000_000:
                writer.write(b" " * 65_536)
                sent += 65_536
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    monkeypatch.setenv(mcp_tools.VARIABLE, f"loud=http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp")
    with pytest.raises(Transient):
        await mcp_tools.list_tools("loud", seconds=20)
    server.close()
    assert sent < most  # what the sockets between us hold, and no more


@pytest.mark.parametrize("address", ["http://tools.example/mcp", "http://10.0.0.1/mcp", "ftp://127.0.0.1/mcp"])
async def test_server_is_spoken_to_readable_on_this_machine_only(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv(mcp_tools.VARIABLE, f"far={address}")
    with pytest.raises(Permanent, match="plain http is for addresses of this machine alone"):
        await mcp_tools.list_tools("far")


RUN_IN = {"type": "object", "properties": {"run": {"type": "integer"}}, "required": ["run"]}
RUN_OUT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
mcp_tools.mcp_tool(
    "watch.run", server="watch", tool="get_run", input=RUN_IN, output=RUN_OUT, risk="low", data_scopes=["runs"]
)
mcp_tools.mcp_tool("watch.risky", server="watch", tool="get_run", input=RUN_IN, output=RUN_OUT)


def test_tool_of_a_server_is_called_under_the_policies_like_any_other(
    scene: dict[str, Any], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCP_SERVERS", f"watch={url}")
    monkeypatch.setenv("MCP_WATCH_TOKEN", scene["reader"])
    toolbox.forget()
    given = {"run": scene["run"]}
    calls = [["watch.run", given], ["watch.run", {"run": scene["run"], "more": 1}], ["watch.risky", given]]
    source = "  - {key: work, type: automated, agent: tool-user, timeout: 30s, inputs: {calls: '${input.calls}'}}"
    engine.publish(source)

    denied = engine.start(calls=calls)
    with engine.shift():
        engine.eventually(lambda: engine.finished(denied))
    toolbox.allow("agent: tool-user, tool: watch.run, scopes: [runs]", "agent: tool-user, tool: watch.risky")
    allowed = engine.start(calls=calls)
    with engine.shift():
        engine.eventually(lambda: Gate.objects.filter(run=allowed, kind="tool").exists())
    toolbox.forget()

    refused = engine.task(denied, "work").output["answers"]
    assert refused == ["tool_denied", "tool_arguments", "tool_denied"]
    uses = ToolUse.objects.filter(tool="watch.run", decision="allowed")
    assert [use.calls for use in uses] == [1]
    assert Gate.objects.get(run=allowed).subject["proposal"] == given  # what has no risk named waits for people


async def test_only_named_servers_are_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_SERVERS", "down=http://127.0.0.1:9/mcp")

    with pytest.raises(Permanent, match="No MCP server"):
        await mcp_tools.list_tools("other")
    with pytest.raises(Transient):
        await mcp_tools.list_tools("down", seconds=5)


APPROVAL = """
  - {key: offer, type: automated, agent: test-echo, inputs: {n: "${input.n}"}}
  - {key: sure, type: approval, subject: offer, queue: main, title: "Publish?"}
  - {key: publish, type: automated, agent: test-echo, inputs: {n: "${input.n}"}}
"""


@pytest.fixture
def asking(transactional_db: None) -> dict[str, Any]:
    """A workflow with an approval step, who may start it (by several tokens), and who may answer."""
    engine.publish(APPROVAL, name="ask", rest="dependencies: {sure: [offer], publish: [sure]}")
    manager = people.person("mia", "Workflow Orchestration Manager")
    return {
        "starter": secret_of(manager, "read", "run"),
        "reader": secret_of(manager, "read"),
        "queue": people.queue("main"),
        "boss": people.person("boss", "Human Oversight Coordinator", decides=people.queue("main")),
    }


@pytest.fixture
def at_work(asking: dict[str, Any]) -> Iterator[None]:
    with engine.shift():
        yield


async def test_run_is_started_once_per_key_and_only_by_a_token_that_may(asking: dict[str, Any], url: str) -> None:
    given = {"workflow": "ask", "given": {"n": 7}, "key": "order-7"}

    refused = await call(url, asking["reader"], "start_run", **given)
    assert refused.is_error
    assert await in_thread(Run.objects.count) == 0
    first, again = [await call(url, asking["starter"], "start_run", **given) for _ in range(2)]

    assert not first.is_error, text(first)
    assert orjson.loads(text(first))["id"] == orjson.loads(text(again))["id"]
    run = await in_thread(Run.objects.get)
    assert (run.input, run.started_by_id) == ({"n": 7}, (await in_thread(User.objects.get, username="mia")).pk)


@pytest.mark.parametrize(("verdict", "status"), [("approve", "succeeded"), ("reject", "failed")])
async def test_question_waits_for_a_person_and_comes_back_with_the_verdict(
    asking: dict[str, Any], at_work: None, url: str, verdict: str, status: str
) -> None:
    """Over HTTP to the server, with a worker at work and a person at the one door for decisions."""
    given = {"workflow": "ask", "proposal": {"n": 7}, "key": "q-1"}

    early = await call(url, asking["starter"], "ask_for_approval", **given, seconds=0.2)
    assert orjson.loads(text(early))["status"] == "running"
    waiting = asyncio.create_task(call(url, asking["starter"], "ask_for_approval", **given, seconds=60))
    await in_thread(answer_gate, asking["boss"], verdict)
    ended = await waiting

    assert not ended.is_error, text(ended)
    told = orjson.loads(text(ended))
    assert (told["status"], told["id"]) == (status, orjson.loads(text(early))["id"])
    assert await in_thread(Decision.objects.count) == 1


async def test_who_asked_by_mcp_cannot_answer_by_it(asking: dict[str, Any], at_work: None, url: str) -> None:
    mia = await in_thread(User.objects.get, username="mia")
    await in_thread(partial(access.grant, to=mia, permission="decide_gates", on=asking["queue"], by=None))
    both = await in_thread(partial(secret_of, mia, "read", "run", "decide", may_decide=True))
    given = {"workflow": "ask", "proposal": {"n": 7}, "key": "q-2"}

    await call(url, both, "ask_for_approval", **given, seconds=0.1)
    gate = await in_thread(open_gate)
    own = await call(url, both, "decide_gate", gate=gate.pk, version=gate.version, verdict="approve")

    assert own.is_error
    assert await in_thread(Decision.objects.count) == 0


def open_gate() -> Gate:
    engine.eventually(lambda: Gate.objects.filter(status="open").exists())
    return Gate.objects.get(status="open")


def answer_gate(boss: User, verdict: str) -> None:
    gate = open_gate()
    decide(gate_id=gate.pk, by=boss, verdict=verdict, gate_version=gate.version, note="as agreed")
