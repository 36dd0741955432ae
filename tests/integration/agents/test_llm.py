"""agents.llm against a real model: SmolLM2 on this machine, its own HTTP server, no fakes.

Providers' refusals come from a small local HTTP server that speaks just enough of the protocol to refuse.
"""

import json
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from agents import local_llm
from agents.calling import call
from agents.errors import InvalidRegistration
from agents.llm import close_models, llm_agent
from agents.process import ProcessPool
from agents.registry import Registry
from agents.types import AgentRequest, Completed, Failed, Outcome

type Ask = Callable[..., Awaitable[Outcome]]
SETTINGS: Any = {"temperature": 0.0, "max_tokens": 200, "seed": 1}


class Incident(BaseModel):
    text: str


class Reply(BaseModel):
    text: str
    audience: str = ""
    channel: str = ""


class Assessment(BaseModel):
    severity: Literal["low", "medium", "high", "critical"]


class Claim(BaseModel):
    """A grammar can force a number, but not keep it below 1: only the contract can."""

    confidence: float = Field(ge=0, le=1)


@pytest.fixture(scope="session")
def model_server() -> Iterator[str]:
    with local_llm.running() as url:
        yield url


@pytest.fixture
async def ask() -> AsyncIterator[Ask]:
    """Register an LLM agent and call it once."""

    async def run(text: str, *, note: str = "", more: dict[str, str] | None = None, **facts: Any) -> Outcome:
        registry = Registry()
        given = {
            "model": "openai-compatible:smollm2@TEST_LLM_URL",
            "instructions": "Answer in JSON.",
            "prompt": "{text}",
        }
        contracts = {"input": Incident, "output": Assessment, "settings": SETTINGS}
        llm_agent("assess", registry=registry, **{**given, **contracts, **facts})
        request = AgentRequest("assess", None, {"text": text, **(more or {})}, "k", 1, 90.0, note)
        with ThreadPoolExecutor(1) as threads:
            return await call(request, threads=threads, processes=ProcessPool(), registry=registry)

    yield run
    await close_models()


class Refusing(BaseHTTPRequestHandler):
    """Answers every request as the test says, and remembers it."""

    answer: tuple[int, dict[str, str], bytes] = (200, {}, b"{}")
    asked: list[dict[str, Any]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        type(self).asked.append(json.loads(body))
        status, headers, answer = self.answer
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(answer)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: Any) -> None:
        """Silence."""


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Refusing]]:
    handler = type("Handler", (Refusing,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("TEST_LLM_URL", f"http://127.0.0.1:{server.server_port}/v1")
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


def completion(content: str) -> bytes:
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    whole = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    return json.dumps(whole).encode()


@pytest.mark.timeout(180)
async def test_real_model_answers_within_its_contract(
    ask: Ask, model_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_LLM_URL", model_server)

    outcome = await ask(
        "A contractor's laptop with the payroll database was stolen.", prompt="Assess this incident:\n{text}"
    )

    assert isinstance(outcome, Completed)
    assert outcome.output.keys() == {"severity"}
    assert outcome.output["severity"] in {"low", "medium", "high", "critical"}
    assert outcome.usage.tokens_in > 10
    assert outcome.usage.tokens_out > 3
    assert outcome.usage.cost == 0


@pytest.mark.timeout(180)
async def test_real_model_with_an_unbounded_confidence_is_refused_by_the_contract(
    ask: Ask, model_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_LLM_URL", model_server)

    outcome = await ask("Write the number 1000000000000", output=Claim)

    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.code) == ("transient", "contract_output")
    assert "confidence" in outcome.message
    assert "greater than the maximum of 1" in outcome.message


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (429, "transient", "model_busy"),
        (503, "transient", "model_busy"),
        (400, "permanent", "model_refused"),
        (401, "permanent", "model_refused"),
        (404, "permanent", "model_refused"),
    ],
)
async def test_provider_refusal_is_asked_once_and_classified(
    ask: Ask, provider: type[Refusing], status: int, kind: str, code: str
) -> None:
    provider.answer = (status, {"retry-after": "7"}, b'{"error": {"message": "key sk-secret"}}')

    outcome = await ask("x")

    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.code, len(provider.asked)) == (kind, code, 1)
    assert outcome.retry_after == (7.0 if kind == "transient" else None)
    assert "sk-secret" not in outcome.message


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(completion("I would say high."), "model_output", id="prose"),
        pytest.param(completion('{"severity": "hi'), "model_output", id="cut off"),
        pytest.param(completion('{"severity": "extreme"}'), "contract_output", id="not in the contract"),
    ],
)
async def test_model_answer_that_breaks_its_promise_may_be_tried_again(
    ask: Ask, provider: type[Refusing], answer: bytes, code: str
) -> None:
    provider.answer = (200, {}, answer)

    outcome = await ask("x")

    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.code, len(provider.asked)) == ("transient", code, 2)
    assert (outcome.usage.tokens_in, outcome.usage.tokens_out) == (6, 4)  # both answers were paid for


async def test_model_is_told_once_what_breaks_its_contract(ask: Ask, provider: type[Refusing]) -> None:
    provider.answer = (200, {}, completion('{"severity": "extreme"}'))

    await ask("x")

    assert len(provider.asked) == 2
    assert "severity" not in json.dumps(provider.asked[0]["messages"])
    assert "breaks its contract at severity" in json.dumps(provider.asked[1]["messages"])


async def test_model_is_told_instructions_prompt_and_the_reviewers_note(ask: Ask, provider: type[Refusing]) -> None:
    provider.answer = (200, {}, completion('{"severity": "low"}'))

    outcome = await ask("the {text}", prompt="Assess: {text}", note="Say why.")

    assert isinstance(outcome, Completed)
    assert (outcome.usage.tokens_in, outcome.usage.tokens_out) == (3, 2)
    sent = json.dumps(provider.asked[0])
    assert "Answer in JSON." in sent
    assert "Assess: the {text}" in sent
    assert "Say why." in sent
    assert provider.asked[0]["response_format"]["type"] == "json_schema"


async def test_agents_profile_is_in_its_prompt_and_follows_the_input(ask: Ask, provider: type[Refusing]) -> None:
    provider.answer = (200, {}, completion('{"severity": "low"}'))
    profile = {"tone": "calm", "reading_level": "age 12", "channel": "{channel}"}

    for channel in ("sms", "letter", ""):
        await ask("it broke", more={"channel": channel}, input=Reply, profile=profile)

    short, formal, plain = (str(one["messages"][-1]["content"]) for one in provider.asked)
    for prompt in (short, formal, plain):
        assert "Write in this tone: calm." in prompt
        assert "Write for readers of this level: age 12." in prompt
        assert prompt.endswith("\n\nit broke")
    assert "channel: sms. At most 160 characters" in short
    assert "160" not in formal
    assert "salutation" in formal
    assert "channel" not in plain


async def test_audience_decides_which_model_is_asked(ask: Ask, provider: type[Refusing]) -> None:
    provider.answer = (200, {}, completion('{"severity": "low"}'))
    routing = {"audience": {"customers": "openai-compatible:premium@TEST_LLM_URL"}}

    for audience in ("customers", "draft", ""):
        await ask("x", more={"audience": audience}, input=Reply, routing=routing)

    assert [one["model"] for one in provider.asked] == ["premium", "smollm2", "smollm2"]


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        ({"profile": {"mood": "calm"}}, "its profile names mood; it may have tone, reading_level, channel"),
        ({"profile": {"tone": "{nowhere}"}}, "its profile uses nowhere, which its input contract does not declare"),
        ({"routing": {"nowhere": {"a": "openai:x"}}}, "its routing must name one field of its input"),
    ],
)
def test_profile_and_routing_that_name_what_is_not_there_are_refused(facts: Any, problem: str) -> None:
    with pytest.raises(InvalidRegistration, match=problem):
        llm_agent(
            "a", model="openai:x", instructions="", prompt="{text}", input=Reply, output=Claim, registry=Registry(),
            **facts,
        )  # fmt: skip


async def test_model_named_by_its_variable_is_asked_by_that_name(
    ask: Ask, provider: type[Refusing], monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.answer = (200, {}, completion('{"severity": "low"}'))
    monkeypatch.setenv("TEST_LLM_URL", f"family/model:8b@{os.environ['TEST_LLM_URL']}")

    outcome = await ask("x", model="openai-compatible:@TEST_LLM_URL")

    assert isinstance(outcome, Completed)
    assert provider.asked[0]["model"] == "family/model:8b"


async def test_model_server_that_is_down_is_a_transient_failure(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_LLM_URL", "http://127.0.0.1:9/v1")

    outcome = await ask("x")

    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.code) == ("transient", "connection")


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        ("openai-compatible:m@TEST_LLM_URL", "TEST_LLM_URL"),
        ("openai-compatible:@TEST_LLM_URL", "a model and the base URL of its server, such as smollm2@http"),
        ("openai:gpt-5", "OPENAI_API_KEY"),
        ("anthropic:claude-sonnet-4-5", "ANTHROPIC_API_KEY"),
        ("google:gemini-2.5-flash", "GOOGLE_API_KEY"),
        ("nosuch:model", "nosuch"),
    ],
)
async def test_model_that_the_environment_does_not_configure_says_what_to_set(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, model: str, variable: str
) -> None:
    for name in ("TEST_LLM_URL", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)

    outcome = await ask("x", model=model)

    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.code) == ("permanent", "model_configuration")
    assert variable in outcome.message


def test_llm_agent_prompt_with_an_undeclared_variable_is_refused() -> None:
    with pytest.raises(InvalidRegistration, match="uses secret, which its input contract does not declare"):
        llm_agent(
            "a", model="openai:x", instructions="", prompt="{secret}", input=Incident, output=Claim, registry=Registry()
        )


def test_llm_agent_is_registered_with_its_configuration() -> None:
    registry = Registry()
    llm_agent(
        "a",
        model="openai:x",
        instructions="Be brief.",
        prompt="{text}",
        input=Incident,
        output=Claim,
        registry=registry,
        version=2,
        settings={"temperature": 0.0},
    )

    spec = registry.get("a", 2)

    assert (spec.kind, spec.isolation, spec.entrypoint.rpartition(":")[2]) == ("llm", "loop", "a")
    assert spec.config == {
        "model": "openai:x",
        "instructions": "Be brief.",
        "prompt": "{text}",
        "settings": {"temperature": 0.0},
    }
    assert "test_llm.py:" in spec.place
