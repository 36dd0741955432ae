"""Agents of language models under a real shift: prompts by reference, words while they come, use, price and tier.

The provider is a small HTTP server that streams OpenAI's format; it is no stand-in for our code.
"""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from agents.llm import llm_agent
from agents.models import ModelCall, ModelTier, PartialText, PromptVersion
from agents.prompts import services as prompts
from agents.prompts import uses
from agents.prompts.services import Text
from orchestrator.engine import budgeting
from orchestrator.models import Attempt, Budget, Event, Run
from tests import people
from tests.engine import OPEN, eventually, finished, publish, shift, start, task

pytestmark = pytest.mark.django_db(transaction=True)

LABEL: dict[str, Any] = {
    "type": "object",
    "properties": {"label": {"type": "string", "maxLength": 40}},
    "required": ["label"],
    "additionalProperties": False,
}
FIELDS: dict[str, Any] = {"type": "object", "properties": {"text": {"type": "string"}}}
MODEL = "openai-compatible:dear@TEST_LLM_URL"

llm_agent(
    "test-writer",
    model=MODEL,
    economy="openai-compatible:cheap@TEST_LLM_URL",
    instructions="Answer in JSON.",
    prompt_ref="labels",
    input=FIELDS,
    output=LABEL,
)
STEP = '- {key: write, type: automated, agent: test-writer, inputs: {text: "${input.text}"}}'
assert OPEN


class Model(BaseHTTPRequestHandler):
    """Streams `pieces`; after the first it waits for `go_on`."""

    pieces: tuple[str, ...] = ('{"label": "', "<b>invoice</b>", '"}')
    asked: list[dict[str, Any]] = []
    go_on = threading.Event()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        type(self).asked.append(body)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for number, piece in enumerate(self.pieces):
            self._say({"delta": {"role": "assistant", "content": piece}})
            if number == len(self.pieces) - 2:
                self.go_on.wait(30)
        usage = {"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42}
        self._say({"delta": {}, "finish_reason": "stop"}, usage=usage)
        self.wfile.write(b"data: [DONE]\n\n")

    def _say(self, choice: dict[str, Any], **more: Any) -> None:
        whole = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", **more}
        self.wfile.write(b"data: " + json.dumps(whole | {"choices": [{"index": 0, **choice}]}).encode() + b"\n\n")
        self.wfile.flush()

    def log_message(self, *args: Any) -> None:
        """Silence."""


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Model]]:
    handler = type("Handler", (Model,), {"asked": [], "go_on": threading.Event()})
    handler.go_on.set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("TEST_LLM_URL", f"http://127.0.0.1:{server.server_port}/v1")
    yield handler
    handler.go_on.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def prompt() -> PromptVersion:
    uses.forget()
    budgeting.view.forget()
    author = people.person("ann", "Agent Development Specialist")
    text = Text("Label: {{ text }}", [{"name": "text", "sample": "x"}], docs_link="d")
    made = prompts.create(name="labels", title="Labels", text=text, by=author)
    PromptVersion.objects.filter(pk=made.pk).update(status="published")
    return made


def told(run: Run, kind: str) -> dict[str, Any]:
    facts: dict[str, Any] = Event.objects.filter(run_id=run.pk, kind=kind).latest("id").data
    return facts


def test_call_names_its_prompt_version_and_an_unknown_price(model: type[Model]) -> None:
    publish(STEP)
    run = start(text="a letter")
    with shift():
        eventually(lambda: finished(run))

    call = ModelCall.objects.get()
    assert "Label: a letter" in json.dumps(model.asked[0]["messages"])
    assert (call.prompt, call.model, call.tier, call.cost, call.failure) == ("labels@1", MODEL, "standard", None, "")
    assert (call.tokens_in, call.tokens_out, call.correlation_id) == (30, 12, run.correlation_id)
    facts = told(run, "task.succeeded")
    assert (facts["prompt"], facts["model"], facts["price"]) == ("labels@1", MODEL, None)
    assert (Attempt.objects.get().tokens_in, PartialText.objects.count()) == (30, 0)
    viewer = people.person("wim", "Auditor")
    client = Client()
    client.force_login(viewer, backend="django.contrib.auth.backends.ModelBackend")
    assert "1 call of unknown price" in client.get(f"/runs/{run.pk}/").content.decode()


def test_words_are_shown_while_they_come_and_gone_afterwards(model: type[Model]) -> None:
    model.go_on.clear()
    publish(STEP)
    run = start(text="x")
    client = Client()
    client.force_login(people.person("wim", "Auditor"), backend="django.contrib.auth.backends.ModelBackend")
    stranger = Client()
    stranger.force_login(User.objects.create_user("eve"), backend="django.contrib.auth.backends.ModelBackend")
    with shift():
        eventually(PartialText.objects.exists)
        page = client.get(f"/runs/{run.pk}/words/").content.decode()
        assert "Written by agent test-writer" in page
        assert "label" in page
        assert "<b>" not in page
        assert "load delay:1s" in page
        assert stranger.get(f"/runs/{run.pk}/words/").status_code in {403, 404}
        model.go_on.set()
        eventually(lambda: finished(run))

    after = client.get(f"/runs/{run.pk}/words/").content.decode()
    assert "Written by" not in after
    assert "hx-get" not in after
    assert Event.objects.filter(run_id=run.pk).count() < 10


@pytest.mark.parametrize(("spent", "tier", "name"), [(899.0, "standard", "dear"), (901.0, "economy", "cheap")])
def test_nearly_spent_budget_means_the_cheaper_model(model: type[Model], spent: float, tier: str, name: str) -> None:
    version = publish(STEP)
    Budget.objects.create(
        scope="workflow", ref=version.workflow_id, resource="tokens", limit=1_000_000, spent=spent * 1000
    )
    run = start(text="x")
    with shift():
        eventually(lambda: finished(run))

    assert model.asked[0]["model"] == name
    assert ModelCall.objects.get().tier == tier
    assert Event.objects.filter(kind="model.downgraded").count() == (tier == "economy")


def test_tier_is_restored_with_the_budget(model: type[Model]) -> None:
    version = publish(STEP)
    kept = Budget.objects.create(
        scope="workflow", ref=version.workflow_id, resource="tokens", limit=1_000_000, spent=950_000
    )
    for limit in (1_000_000, 9_000_000):
        Budget.objects.filter(pk=kept.pk).update(limit=limit)
        run = start(text="x")
        with shift():
            eventually(lambda run=run: finished(run))

    assert [asked["model"] for asked in model.asked] == ["cheap", "dear"]
    kinds = Event.objects.filter(kind__startswith="model.").order_by("id").values_list("kind", flat=True)
    assert list(kinds) == ["model.downgraded", "model.restored"]
    assert not ModelTier.objects.exists()


def test_agent_whose_prompt_is_not_published_says_so(model: type[Model], prompt: PromptVersion) -> None:
    publish(STEP.replace("test-writer", "test-lost-writer"))
    run = start(text="x")
    with shift():
        eventually(lambda: task(run, "write").error is not None)

    assert "There is no prompt nowhere@7" in str(task(run, "write").error)
    assert model.asked == []


llm_agent(
    "test-lost-writer",
    model=MODEL,
    instructions="Answer in JSON.",
    prompt_ref="nowhere@7",
    input=FIELDS,
    output=LABEL,
)
