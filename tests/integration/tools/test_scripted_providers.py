"""Tool calls over two providers' own protocols: aimock says exactly which, and policies and people decide."""

from pathlib import Path

import pytest

from agents.budgets import AMPLE
from agents.llm import llm_agent
from agents.models import ModelHistory
from approvals.models import Gate
from approvals.services import decide
from orchestrator.models import Run
from tests import people, toolbox
from tests.aimock import Provider, aimock, calls, says
from tests.engine import eventually, finished, publish, shift, start, task
from tests.toolbox import allow

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
SAID = {"type": "object", "properties": {"said": {"type": "string"}}, "required": ["said"]}
MODELS = {"openai": "openai-compatible:gpt-4o@AIMOCK_URL", "anthropic": "anthropic:claude-opus-4-8"}
for _name, _model in MODELS.items():
    llm_agent(
        f"aimock-{_name}", model=_model, instructions="Pay.", prompt="{text}", input=TEXT, output=SAID,
        tools=["test.pay", "test.lookup"], budget=AMPLE,
    )  # fmt: skip


@pytest.fixture(params=MODELS)
def agent(request: pytest.FixtureRequest) -> str:
    return f"aimock-{request.param}"


def point(monkeypatch: pytest.MonkeyPatch, provider: Provider) -> None:
    monkeypatch.setenv("AIMOCK_URL", f"{provider.address}/v1")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", provider.address)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "no key is needed")


def begin(agent: str, *, when: str = "true") -> Run:
    allow(
        f"agent: {agent}, tool: test.pay, scopes: [money], when: '{when}'",
        f"agent: {agent}, tool: test.lookup, scopes: [customers]",
    )
    publish(f"  - {{key: a, type: automated, agent: {agent}, inputs: {{text: '${{input.text}}'}}}}")
    return start(text="pay 5 to ann")


END = says('{"said": "paid"}', userMessage="pay 5", hasToolResult=True)


def test_call_that_people_approve_is_made_once_and_the_model_goes_on(
    agent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = calls("test__pay", {"to": "ann", "amount": 5}, userMessage="pay 5", hasToolResult=False, sequenceIndex=0)
    again = calls("test__pay", {"to": "ann", "amount": 6}, userMessage="pay 5", hasToolResult=False)
    with aimock(tmp_path, [first, again, END]) as provider:
        point(monkeypatch, provider)
        run = begin(agent)
        with shift():
            eventually(lambda: Gate.objects.filter(run=run, status="open").exists())
            gate = Gate.objects.get(run=run)
            by = people.person("lead", decides=gate.queue)
            decide(gate_id=gate.pk, by=by, verdict="approve", gate_version=gate.version, note="because")
            eventually(lambda: finished(run))
        asked = provider.asked()

    assert run.status == "succeeded", run.error
    assert task(run, "a").output == {"said": "paid"}
    assert [given for name, given in toolbox.done if name == "pay"] == [{"to": "ann", "amount": 5}]
    assert len(asked) == 2  # once before the gate, once after: nobody asked it again for the call
    assert not ModelHistory.objects.exists()


def test_call_that_no_policy_allows_is_refused_and_the_model_hears_why(
    agent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = calls("test__pay", {"to": "ann", "amount": 5000}, userMessage="pay 5", hasToolResult=False)
    with aimock(tmp_path, [call, END]) as provider:
        point(monkeypatch, provider)
        run = begin(agent, when="arguments.amount <= 10.0")
        with shift():
            eventually(lambda: finished(run))
        asked = provider.asked()

    assert run.status == "succeeded", run.error
    assert not [given for name, given in toolbox.done if name == "pay"]
    assert "tool_denied" in str(asked[-1])
