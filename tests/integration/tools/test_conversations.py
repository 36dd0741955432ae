"""A model whose call waits for people goes on from what was said: approved calls are made once, as approved."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel

from agents import histories, llm
from agents.budgets import AMPLE
from agents.llm import llm_agent
from agents.models import ModelHistory
from approvals.errors import InvalidAnswer
from approvals.models import Gate
from approvals.services import decide
from orchestrator.engine import model_desk
from orchestrator.models import Run, Task, Timer
from tests import engine, people, toolbox
from tests.engine import eventually, finished, publish, shift, start, task
from tests.toolbox import allow

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
SAID = {"type": "object", "properties": {"said": {"type": "string"}}, "required": ["said"]}
llm_agent(
    "llm-payer", model="openai-compatible:scripted@NOWHERE_URL", instructions="Pay.", prompt="{text}", input=TEXT,
    output=SAID, tools=["test.pay", "test.lookup"], budget=AMPLE,
)  # fmt: skip

type Turn = list[tuple[str, dict[str, Any]]] | str
turns: list[list[ModelMessage]] = []  # what the model was sent, turn by turn


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int, list[ModelMessage]], Turn]], None]:
    """Let the model say what a function of (turn, messages) returns: calls of tools, or the answer."""
    turns.clear()

    def use(say: Callable[[int, list[ModelMessage]], Turn]) -> None:
        def parts(messages: list[ModelMessage]) -> Turn:
            turns.append(list(messages))
            return say(len(turns), messages)

        def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
            said = parts(messages)
            if isinstance(said, str):
                return ModelResponse(parts=[TextPart(said)])
            return ModelResponse(parts=[ToolCallPart(name, given) for name, given in said])

        async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
            import json

            said = parts(messages)
            if isinstance(said, str):
                yield said
                return
            for place, (name, given) in enumerate(said):
                yield {place: DeltaToolCall(name, json.dumps(given), tool_call_id=f"c{len(turns)}-{place}")}

        model = FunctionModel(answer, stream_function=stream, profile={"supports_json_schema_output": True})
        monkeypatch.setattr(llm, "model_for", lambda _name: model)

    return use


def wait_for_gate(run: Run) -> Gate:
    eventually(lambda: Gate.objects.filter(run=run, status="open").exists())
    return Gate.objects.get(run=run, status="open")


def say(gate: Gate, verdict: str, edited: Any = None) -> None:
    by = people.person(f"lead{gate.pk}", decides=gate.queue)
    decide(gate_id=gate.pk, by=by, verdict=verdict, gate_version=gate.version, note="because", edited=edited)


def paid() -> list[dict[str, Any]]:
    return [given for name, given in toolbox.done if name == "pay"]


def begin(text: str = "pay 5 to ann", *, when: str = "true") -> Run:
    allow(
        f"agent: llm-payer, tool: test.pay, scopes: [money], when: '{when}'",
        "agent: llm-payer, tool: test.lookup, scopes: [customers]",
    )
    publish("  - {key: a, type: automated, agent: llm-payer, inputs: {text: '${input.text}'}}")
    return start(text=text)


def test_approved_call_is_made_once_and_the_model_goes_on_from_there(script: Any) -> None:
    amounts = iter((5, 6, 7))  # a model that words its call differently each time it is asked anew

    def model(turn: int, messages: list[ModelMessage]) -> Turn:
        answered = any(isinstance(part, ToolReturnPart) for message in messages for part in message.parts)
        return '{"said": "paid"}' if answered else [("test__pay", {"to": "ann", "amount": next(amounts)})]

    script(model)
    run = begin()
    with shift():
        gate = wait_for_gate(run)
        assert paid() == []
        [kept] = ModelHistory.objects.all()
        assert "ann" not in kept.body
        say(gate, "approve")
        eventually(lambda: finished(run))
    assert run.status == "succeeded"
    assert paid() == [{"to": "ann", "amount": 5}]
    assert len(turns) == 2  # asked once before, once after: nobody asked it again for the call
    assert Gate.objects.filter(run=run).count() == 1
    assert not ModelHistory.objects.exists()


def test_same_call_a_second_time_is_another_call(script: Any) -> None:
    def model(turn: int, messages: list[ModelMessage]) -> Turn:
        return [("test__pay", {"to": "ann", "amount": 5})] if turn < 3 else '{"said": "twice"}'

    script(model)
    run = begin()
    with shift():
        say(wait_for_gate(run), "approve")
        eventually(lambda: Gate.objects.filter(run=run).count() == 2)
        assert len(paid()) == 1
        say(wait_for_gate(run), "approve")
        eventually(lambda: finished(run))
    assert len(paid()) == 2
    assert len(turns) == 3


def test_two_calls_of_one_answer_are_approved_one_after_the_other_and_made_once_each(script: Any) -> None:
    def model(turn: int, messages: list[ModelMessage]) -> Turn:
        both = [("test__pay", {"to": who, "amount": 5}) for who in ("ann", "bob")]
        return both if turn == 1 else '{"said": "both"}'

    script(model)
    run = begin()
    with shift():
        say(wait_for_gate(run), "approve")
        eventually(lambda: Gate.objects.filter(run=run).count() == 2)
        say(wait_for_gate(run), "approve")
        eventually(lambda: finished(run))
    assert sorted(given["to"] for given in paid()) == ["ann", "bob"]
    assert len(turns) == 2


def test_rejected_call_is_never_made_and_what_was_said_is_forgotten(script: Any) -> None:
    script(lambda turn, messages: [("test__pay", {"to": "ann", "amount": 5})])
    run = begin()
    with shift():
        say(wait_for_gate(run), "reject")
        eventually(lambda: task(run, "a").status == "failed")
    assert paid() == []
    assert len(turns) == 1
    assert model_desk.forget_ended() == 1
    assert not ModelHistory.objects.exists()


def test_work_that_is_sent_back_begins_anew_with_the_note(script: Any) -> None:
    def model(turn: int, messages: list[ModelMessage]) -> Turn:
        return [("test__pay", {"to": "ann", "amount": 5})] if turn == 1 else '{"said": "left it"}'

    script(model)
    run = begin()
    with shift():
        say(wait_for_gate(run), "request_changes")
        eventually(lambda: finished(run))
    assert paid() == []
    assert len(turns[1]) == 1  # not what was said before: the prompt with the note
    assert "because" in str(turns[1])
    assert model_desk.forget_ended() == 1


def test_nothing_else_may_be_done_with_a_sealed_call_than_what_was_shown(script: Any) -> None:
    script(lambda turn, messages: [("test__pay", {"to": "ann", "amount": 5})] if turn == 1 else '{"said": "ok"}')
    run = begin()
    with shift():
        gate = wait_for_gate(run)
        kept = ModelHistory.objects.get()
        said = histories.load(kept.key, kept.agent, kept.about)
        said["messages"][-1]["parts"][0]["args"] = '{"to": "mallory", "amount": 5000}'
        histories.keep(kept.key, kept.agent, kept.about, said)
        say(gate, "approve")
        second = None
        eventually(lambda: Gate.objects.filter(run=run).count() == 2)
        second = wait_for_gate(run)
        assert "mallory" in str(second.subject)  # other arguments: people are asked about them
    assert paid() == []


def test_edited_arguments_are_those_that_the_call_is_made_with_once(script: Any) -> None:
    def model(turn: int, messages: list[ModelMessage]) -> Turn:
        return [("test__pay", {"to": "ann", "amount": 5})] if turn == 1 else '{"said": "paid"}'

    script(model)
    run = begin()
    with shift():
        gate = wait_for_gate(run)
        assert gate.subject["proposal"] == {"to": "ann", "amount": 5}
        with pytest.raises(InvalidAnswer):
            say(gate, "edit", {"to": "ann", "amount": "a lot"})
        decide(
            gate_id=gate.pk, by=people.User.objects.get(username=f"lead{gate.pk}"), verdict="edit", note="less",
            gate_version=gate.version, edited={"to": "ann", "amount": 3},
        )  # fmt: skip
        eventually(lambda: finished(run))
    assert run.status == "succeeded"
    assert paid() == [{"to": "ann", "amount": 3}]
    assert len(turns) == 2
    assert Gate.objects.filter(run=run).count() == 1


def test_edited_arguments_that_no_policy_allows_are_not_used(script: Any) -> None:
    def model(turn: int, messages: list[ModelMessage]) -> Turn:
        return [("test__pay", {"to": "ann", "amount": 5})] if turn == 1 else '{"said": "it was refused"}'

    script(model)
    run = begin(when="arguments.amount <= 10.0")
    with shift():
        say(wait_for_gate(run), "edit", {"to": "ann", "amount": 5000})
        eventually(lambda: finished(run))
    assert paid() == []
    assert "tool_denied" in str(turns[1])


def test_expired_question_makes_no_call(script: Any) -> None:
    script(lambda turn, messages: [("test__pay", {"to": "ann", "amount": 5})])
    run = begin()
    with shift():
        gate = wait_for_gate(run)
        Gate.objects.filter(pk=gate.pk).update(deadline_at=gate.opened_at, on_timeout="reject")
        Timer.objects.filter(kind="gate_deadline", ref=gate.pk).update(due_at=gate.opened_at)
        eventually(lambda: task(run, "a").status == "failed")
    assert paid() == []
    assert model_desk.forget_ended() == 1


def test_data_that_left_as_tokens_reaches_the_tool_as_it_was_shown(script: Any) -> None:
    def model(turn: int, messages: list[ModelMessage]) -> Turn:
        if turn > 1:
            return '{"said": "done"}'
        prompt = str(messages[0].parts[-1].content)
        assert "ann@example.com" not in prompt
        return [("test__pay", {"to": prompt.rsplit(maxsplit=1)[-1], "amount": 5})]

    script(model)
    run = begin("pay 5 to ann@example.com")
    with shift():
        say(wait_for_gate(run), "approve")
        eventually(lambda: finished(run))
    assert paid() == [{"to": "ann@example.com", "amount": 5}]
    assert Gate.objects.filter(run=run).count() == 1
    assert "ann@example.com" not in str(turns)


def test_history_that_no_key_opens_or_that_is_about_something_else_begins_anew(settings: Any) -> None:
    assert histories.keep("task-1-0", "a", "x" * 64, {"messages": []})
    assert histories.load("task-1-0", "a", "x" * 64) == {"messages": []}
    assert histories.load("task-1-0", "a", "y" * 64) is None
    ModelHistory.objects.update(body="gAAAAA")
    assert histories.load("task-1-0", "a", "x" * 64) is None
    assert not histories.keep("task-1-0", "a", "x" * 64, {"messages": ["x" * histories.MOST]})
    assert not ModelHistory.objects.exists()


def test_histories_of_live_tasks_stay(script: Any) -> None:
    run = begin()
    live = Task.objects.get(pk=run.pk << 20)
    histories.keep(f"task-{live.pk}-0", "a", "x", {})
    histories.keep(f"task-{live.pk}-1", "a", "x", {})
    assert model_desk.forget_ended() == 1
    assert engine.task(run, "a").status == "ready"
    assert ModelHistory.objects.get().key.endswith("-0")
