"""Calls of tools by agents in runs: allowed, denied, approved, repeated."""

from typing import Any

import pytest

from agents.models import ToolCall, ToolUse
from approvals import services as decisions
from approvals.models import Gate
from orchestrator.models import Effect, Event, Run
from tests import engine, people, toolbox
from tests.toolbox import allow

pytestmark = pytest.mark.django_db(transaction=True)
LOOKUP = "agent: tool-user, tool: test.lookup, scopes: [customers]"
PAY = "agent: tool-user, tool: test.pay, scopes: [money]"


def flow(*calls: Any, agent: str = "tool-user", rest: str = "", **given: Any) -> Run:
    inputs = "{calls: '${input.calls}', times: '${input.times}', fail_at_end: '${input.fail}'}"
    engine.publish(f"  - {{key: work, type: automated, agent: {agent}, timeout: 30s, inputs: {inputs}}}", rest=rest)
    told = {"times": given.get("times", 0), "fail": given.get("fail", False)}
    return engine.start(calls=[list(call) for call in calls], **told)


def answers(run: Run) -> list[Any]:
    output = engine.task(run, "work").output
    assert output is not None, engine.task(run, "work").error
    return output["answers"]


def kinds(run: Run) -> list[str]:
    found = Event.objects.filter(run_id=run.pk, kind__startswith="tool.").order_by("id")
    return list(found.values_list("kind", flat=True))


def decide(gate: Gate, verdict: str = "approve", note: str = "fine") -> None:
    by = people.person(f"lead{gate.pk}", decides=gate.queue)
    decisions.decide(gate_id=gate.pk, by=by, verdict=verdict, gate_version=gate.version, note=note)


def open_gate(run: Run) -> Gate | None:
    return Gate.objects.filter(run_id=run.pk, status="open").first()


def test_what_no_policy_allows_is_denied_recorded_and_told() -> None:
    run = flow(("test.lookup", {"text": "a"}))
    with engine.shift():
        engine.eventually(lambda: engine.finished(run))

    assert answers(run) == ["tool_denied"]
    assert toolbox.done == []
    assert kinds(run) == ["tool.refused"]
    use = ToolUse.objects.get(agent="tool-user", tool="test.lookup")
    assert (use.decision, use.code, use.calls) == ("denied", "no_entitlement", 1)


@pytest.mark.parametrize("agent", ["tool-user", "tool-thread", "tool-apart"])
def test_an_entitled_agent_calls_wherever_it_runs(agent: str) -> None:
    allow(f"agent: {agent}, tool: test.lookup, scopes: [customers], when: 'run.workflow == \"flow\"'")
    run = flow(("test.lookup", {"text": "a"}), agent=agent)
    with engine.shift():
        engine.eventually(lambda: engine.finished(run))

    assert answers(run) == [{"found": "a", "scopes": ["customers"]}]
    assert kinds(run) == ["tool.called"]
    assert ToolUse.objects.get(decision="allowed").entitlement == "e1"


def test_a_process_is_refused_what_it_may_not_and_knows_what_it_may() -> None:
    allow("agent: tool-apart, tool: test.note")
    run = flow(("test.lookup", {}), ("test.note", {"text": "x"}), ("test.note", {"text": 5}), agent="tool-apart")
    with engine.shift():
        engine.eventually(lambda: engine.finished(run))

    assert answers(run) == ["tool_denied", {"number": 1}, "tool_arguments"]
    assert engine.task(run, "work").output["tools"] == ["test.note"]


@pytest.mark.parametrize("agent", ["tool-user", "tool-thread", "tool-apart"])
def test_a_risky_call_waits_for_people_and_then_goes_through_once(agent: str) -> None:
    allow(f"agent: {agent}, tool: test.pay, scopes: [money]", approval="{high: leads}")
    run = flow(("test.pay", {"to": "ann", "amount": 50.0}), agent=agent)
    with engine.shift():
        engine.eventually(lambda: open_gate(run))
        gate = open_gate(run)
        assert gate is not None
        assert (gate.kind, gate.queue.name, gate.risk) == ("tool", "leads", "high")
        action = gate.subject["action"]
        assert action["tool"] == "test.pay v1"
        assert action["arguments"] == {"to": "ann", "amount": 50}
        assert action["dry_run"] == {"would_pay": 50}
        assert action["policy"] == "test v1"
        assert toolbox.done == []
        decide(gate)
        engine.eventually(lambda: engine.finished(run))

    assert [what for what, _ in toolbox.done] == ["pay"]
    assert answers(run)[0]["receipt"] == "r1"
    assert Effect.objects.get().status == "confirmed"
    assert kinds(run) == ["tool.asked", "tool.called"]


def test_a_later_attempt_is_answered_from_memory() -> None:
    allow(PAY)
    run = flow(("test.pay", {"to": "ann", "amount": 50}), times=2)
    with engine.shift():
        engine.eventually(lambda: open_gate(run))
        decide(open_gate(run))
        engine.eventually(lambda: engine.finished(run))

    assert run.status == "succeeded"
    assert len(toolbox.done) == 1


def test_the_same_call_again_in_one_attempt_needs_another_approval() -> None:
    allow(PAY)
    call = ("test.pay", {"to": "ann", "amount": 50})
    run = flow(call, call)
    with engine.shift():
        engine.eventually(lambda: open_gate(run))
        first = open_gate(run)
        decide(first)
        engine.eventually(lambda: (gate := open_gate(run)) is not None and gate.pk != first.pk)
        assert len(toolbox.done) == 1
        decide(open_gate(run))
        engine.eventually(lambda: engine.finished(run))

    assert len(toolbox.done) == 2
    assert answers(run)[0]["key"] != answers(run)[1]["key"]


def test_a_rejected_call_never_happens_and_the_run_fails() -> None:
    allow(PAY)
    run = flow(("test.pay", {"to": "ann", "amount": 50}))
    with engine.shift():
        engine.eventually(lambda: open_gate(run))
        decide(open_gate(run), "reject", "no")
        engine.eventually(lambda: engine.finished(run))

    assert run.status == "failed"
    assert toolbox.done == []


def test_a_call_sent_back_reaches_the_agent_as_a_note_and_is_asked_about_again() -> None:
    allow(PAY)
    run = flow(("test.pay", {"to": "ann", "amount": 50}))
    with engine.shift():
        engine.eventually(lambda: open_gate(run))
        first = open_gate(run)
        decide(first, "request_changes", "pay less")
        engine.eventually(lambda: (gate := open_gate(run)) is not None and gate.pk != first.pk)
        decide(open_gate(run))
        engine.eventually(lambda: engine.finished(run))

    assert engine.task(run, "work").output["note"] == "pay less"
    assert len(toolbox.done) == 1


def test_an_entitlement_revoked_while_people_look_is_not_used() -> None:
    from agents.models import Policy
    from agents.policies import store

    allow(PAY)
    run = flow(("test.pay", {"to": "ann", "amount": 50}))
    with engine.shift():
        engine.eventually(lambda: open_gate(run))
        store.revoke(Policy.objects.get(name="test"), "e1", by="user:x", reason="leak")
        decide(open_gate(run))
        engine.eventually(lambda: engine.finished(run))

    assert answers(run) == ["tool_denied"]
    assert toolbox.done == []


def test_what_the_run_has_done_by_tools_is_undone_when_it_fails() -> None:
    allow("agent: tool-user, tool: test.note", PAY)
    run = flow(("test.note", {"text": "x"}), ("test.pay", {"to": "ann", "amount": 50}), fail=True)
    with engine.shift():
        engine.eventually(lambda: open_gate(run))
        decide(open_gate(run))
        engine.eventually(lambda: "take_back" in [what for what, _ in toolbox.done])
        engine.eventually(lambda: engine.statuses(run).get("undo_work") == "succeeded")

    assert toolbox.done[-1] == ("take_back", {"to": "ann", "amount": 50.0, "receipt": "r2"})


def test_what_went_into_a_tool_and_came_back_is_kept_masked_for_the_story() -> None:
    allow("agent: tool-user, tool: test.lookup, scopes: [customers]")
    run = flow(("test.lookup", {"text": "mail to jane.doe@example.org"}), agent="tool-user")
    with engine.shift():
        engine.eventually(lambda: engine.finished(run))

    call = ToolCall.objects.get()
    event = Event.objects.get(run_id=run.pk, kind="tool.called")
    assert (event.data or {})["seal"] == call.seal
    assert call.correlation_id == run.correlation_id
    assert "mail to [email address hidden]" in call.given
    assert "[email address hidden]" in call.got
    assert "jane.doe" not in call.given + call.got
