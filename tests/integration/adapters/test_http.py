"""Remote agents over HTTP: a real server that checks the signature, stalls, redirects, sends garbage."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from agents.adapters import destinations
from agents.adapters.http import http_agent
from agents.calling import call
from agents.closing import close_all
from agents.errors import Permanent
from agents.models import ModelHistory
from agents.process import ProcessPool
from agents.registry import Registry
from agents.types import AgentRequest, Completed, Failed
from orchestrator.models import RemoteCall
from tests.api import Api
from tests.engine import eventually, finished, publish, shift, start, task
from tests.remote_agent import SECRET, RemoteAgent, remote_agent

INPUT = {"type": "object", "properties": {"do": {"type": "string"}}, "required": ["do"]}
OUTPUT = {"type": "object", "properties": {"said": {"type": "string"}}, "required": ["said"]}
FACTS: Any = {"input": INPUT, "output": OUTPUT, "url": "TEST_REMOTE_URL", "secret": "TEST_REMOTE_SECRET"}
http_agent("test-remote", **FACTS)
MAIL = {"type": "object", "properties": {"do": {"type": "string"}, "to": {"type": "string"}}, "required": ["do", "to"]}
http_agent("test-remote-mail", **{**FACTS, "input": MAIL})


@pytest.fixture
def elsewhere(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[RemoteAgent]:
    with remote_agent() as agent:
        settings.REMOTE_AGENT_HOSTS = [agent.host]
        settings.REMOTE_AGENT_NETWORKS = []
        monkeypatch.setenv("TEST_REMOTE_URL", f"http://{agent.host}/work")
        monkeypatch.setenv("TEST_REMOTE_SECRET", SECRET)
        yield agent


def called(do: str, *, timeout: float = 10, key: str = "task-1-0", url: str = "") -> Any:
    """Call it once, as a shift does."""
    registry = Registry()
    http_agent("test-once", **(FACTS | ({"url": url} if url else {})), registry=registry)

    async def run() -> Any:
        request = AgentRequest("test-once", None, {"do": do}, key, 1, timeout)
        with ThreadPoolExecutor(1) as threads:
            outcome = await call(request, threads=threads, processes=ProcessPool(1), registry=registry)
        await close_all()
        return outcome

    return asyncio.run(run())


def test_signed_call_carries_a_stable_key(elsewhere: RemoteAgent):
    assert called("work") == Completed({"said": "work", "key": "task-1-0"}, None, called("work").usage, 1)
    assert elsewhere.headers[0]["idempotency-key"] == "task-1-0"
    assert elsewhere.headers[0]["host"] == elsewhere.host


def test_wrong_secret_is_noticed_by_the_other_side(elsewhere: RemoteAgent, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TEST_REMOTE_SECRET", "whsec_" + "d3Jvbmd3cm9uZ3dyb25n")
    assert called("work").code == "remote_refused"
    assert elsewhere.heard == []


@pytest.mark.parametrize(
    ("do", "kind", "code"),
    [
        ("redirect", "permanent", "remote_redirect"),
        ("garbage", "transient", "remote_answer"),
        ("busy", "transient", "remote_busy"),
        ("refuse", "permanent", "remote_refused"),
        ("huge", "permanent", "output_too_large"),
        ("packed", "permanent", "remote_answer"),
        ("breach", "permanent", "contract_output"),
        ("business", "business", "told"),
    ],
)
def test_bad_answers_are_typed_failures(elsewhere: RemoteAgent, do: str, kind: str, code: str):
    outcome = called(do)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.code) == (kind, code)
    assert len(elsewhere.heard) == 1  # not followed, not repeated here


def test_busy_server_says_when_to_come_back(elsewhere: RemoteAgent):
    assert called("busy").retry_after == 7


def test_stalled_server_is_given_up(elsewhere: RemoteAgent):
    outcome = called("slow", timeout=0.3)
    assert (outcome.kind, outcome.code) == ("transient", "timeout")


def test_server_that_is_away_is_transient(settings: Any, monkeypatch: pytest.MonkeyPatch):
    settings.REMOTE_AGENT_HOSTS = ["127.0.0.1:1"]
    monkeypatch.setenv("TEST_REMOTE_SECRET", SECRET)
    assert called("work", url="http://127.0.0.1:1/").code == "connection"


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:5432/",
        "http://localhost:{port}/",
        "http://user:pw@127.0.0.1:{port}/",
        "file:///etc/passwd",
        "http://127.0.0.1:{port}@evil.example/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://2130706433:{port}/",
        "http://127.0.0.1:99999999/",
    ],
)
def test_addresses_that_nobody_allowed_are_never_reached(elsewhere: RemoteAgent, url: str):
    outcome = called("work", url=url.format(port=elsewhere.port))
    assert (outcome.kind, outcome.code) == ("permanent", "remote_not_allowed")
    assert elsewhere.heard == []


def test_allowed_name_that_leads_to_a_private_address_is_refused(settings: Any):
    settings.REMOTE_AGENT_HOSTS, settings.REMOTE_AGENT_NETWORKS = ["localhost"], []
    with pytest.raises(Permanent, match="private address"):
        asyncio.run(destinations.resolve("https://localhost/"))
    settings.REMOTE_AGENT_NETWORKS = ["127.0.0.0/8", "::1/128"]
    found = asyncio.run(destinations.resolve("https://localhost/x?y=1"))
    assert found.pinned in {"https://127.0.0.1/x?y=1", "https://[::1]/x?y=1"}  # the name is not looked up again
    assert (found.host, found.authority) == ("localhost", "localhost")


@pytest.mark.django_db(transaction=True)
def test_answer_comes_later_to_a_signed_address(elsewhere: RemoteAgent):
    publish('  - {key: work, type: automated, agent: test-remote, inputs: {do: "later"}}')
    run = start()
    with shift():
        eventually(lambda: task(run, "work").wait_for == "answer")
        path = "/" + elsewhere.heard[0]["answer_to"].partition("/api/v1/")[2]
        assert Api().post(path[:-1] + ("0" if path[-1] != "0" else "1"), {"output": {"said": "x"}}).status_code == 404
        assert Api().post(path, {"output": {"said": "x"}, "failure": None}).json()["outcome"] == "completed"
        assert Api().post(path, {"output": {"said": "y"}}).status_code == 409
        eventually(lambda: finished(run))
    assert task(run, "work").output == {"said": "x"}


@pytest.mark.django_db(transaction=True)
def test_remote_agent_gets_tokens_and_its_late_answer_gets_the_data_back(elsewhere: RemoteAgent):
    publish('  - {key: work, type: automated, agent: test-remote-mail, inputs: {do: "later", to: "jane@example.com"}}')
    run = start()
    with shift():
        eventually(lambda: task(run, "work").wait_for == "answer")
        heard = elsewhere.heard[0]
        assert heard["input"]["to"].endswith("@masked.invalid")
        assert "jane" not in str(heard)
        path = "/" + heard["answer_to"].partition("/api/v1/")[2]
        Api().post(path, {"output": {"said": f"wrote to {heard['input']['to']}"}})
        eventually(lambda: finished(run))
    assert task(run, "work").output == {"said": "wrote to jane@example.com"}
    assert "jane" not in str(list(ModelHistory.objects.values()))


@pytest.mark.django_db(transaction=True)
def test_answer_that_never_comes_is_a_timeout(elsewhere: RemoteAgent):
    publish('  - {key: work, type: automated, agent: test-remote, timeout: 1, inputs: {do: "later"}}')
    run = start()
    with shift():
        eventually(lambda: task(run, "work").failures == 1)
    call_row = RemoteCall.objects.get(task=task(run, "work").pk)
    assert call_row.answer["fields"]["code"] == "timeout"
