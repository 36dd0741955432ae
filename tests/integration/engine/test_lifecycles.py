"""What a run works on moves through the states that its workflow declares, whoever moves it (B022)."""

from typing import Any

import pytest

from orchestrator import acts, state_queries
from orchestrator.engine import lifecycles, run_state
from orchestrator.engine.run_state import Write
from orchestrator.errors import DefinitionError, IllegalMove
from orchestrator.invariants import violations
from orchestrator.models import Event, Run, StateEntry
from orchestrator.states import RunStatus
from tests import people
from tests.engine import calls, eventually, finished, publish, shift, start, task

pytestmark = pytest.mark.django_db(transaction=True)
DECLARED = """
configuration:
  lifecycles:
    ticket: {start: new, moves: {new: [triage], triage: [closed], closed: [triage]}}
"""
STEPS = """
  - {key: look, type: automated, agent: test-echo, moves: {ticket: triage}}
  - {key: close, type: automated, agent: test-echo, moves: {ticket: closed}}
"""
IN_ORDER = DECLARED + "dependencies: {close: [look]}\n"


def tickets(run: Run) -> list[Any]:
    return list(StateEntry.objects.filter(run=run, key="shared.ticket").order_by("id").values_list("value", flat=True))


def ended(steps: str, rest: str) -> Run:
    publish(steps, rest=rest)
    run = start()
    with shift():
        eventually(lambda: finished(run))
    return run


def test_steps_move_the_ticket_as_they_begin_and_its_history_is_the_runs():
    run = ended(STEPS, IN_ORDER)

    assert (run.status, tickets(run)) == ("succeeded", ["triage", "closed"])
    (newest, *_) = state_queries.history(run.pk, "shared.ticket")
    assert (newest.writer, newest.reason) == ("engine", "step close begins")
    assert not list(violations())


def test_illegal_move_is_refused_before_the_agent_is_called():
    calls.clear()
    run = ended(
        "  - {key: close, type: automated, agent: test-echo, on_error: fail, moves: {ticket: closed}}", DECLARED
    )

    failed = task(run, "close")
    assert (run.status, failed.error["code"], tickets(run)) == ("failed", "illegal_move", [])
    assert "ticket is 'new' and cannot become 'closed'; it may become triage" in failed.error["message"]
    assert calls == []


def test_step_that_is_tried_again_moves_nothing_twice():
    run = ended(
        "  - {key: look, type: automated, agent: test-flaky, inputs: {times: 1}, moves: {ticket: triage}}", DECLARED
    )
    assert (run.status, task(run, "look").attempt, tickets(run)) == ("succeeded", 2, ["triage"])


@pytest.mark.parametrize("value", ["closed", "lost", {"state": "triage"}, None])
def test_agents_and_people_who_write_it_are_held_to_the_same(value: Any):
    publish(STEPS, rest=IN_ORDER)
    run = start()
    with pytest.raises(IllegalMove):
        run_state.write(run.pk, Write("shared.ticket", value), writer="agent:x")
    assert tickets(run) == []
    run_state.write(run.pk, Write("shared.other", value), writer="agent:x")


def test_it_cannot_be_deleted():
    publish(STEPS, rest=IN_ORDER)
    run = start()
    run_state.write(run.pk, Write("shared.ticket", "triage"), writer="agent:x")
    with pytest.raises(IllegalMove, match="deleted"):
        run_state.write(run.pk, Write("shared.ticket", None, deleted=True), writer="agent:x")


def test_person_moves_it_only_to_what_may_follow():
    publish(STEPS, rest=IN_ORDER)
    run = start()
    Run.objects.update(status=RunStatus.RUNNING)
    mia = people.person("mia", "Workflow Orchestration Manager")
    act, target = acts.find("run", "move"), acts.of("run", run.pk)

    assert act.schema(target)["properties"]["to"]["enum"] == ["triage"]
    with pytest.raises(acts.AnswerInvalid):
        acts.perform(act, target, by=mia, reason="r", answers={"what": "ticket", "to": "closed"})
    acts.perform(act, target, by=mia, reason="known already", answers={"what": "ticket", "to": "triage"})

    assert tickets(run) == ["triage"]
    assert Event.objects.get(kind="state.written").data["reason"] == "known already"
    assert act.schema(target)["properties"]["to"]["enum"] == ["closed"]


def test_workflow_without_states_offers_no_move():
    publish("  - {key: a, type: automated, agent: test-echo}")
    run = start()
    act, target = acts.find("run", "move"), acts.of("run", run.pk)
    assert act.why_not(target)
    assert lifecycles.declared(run.pk) == {}


@pytest.mark.parametrize(
    ("declared", "moves", "words"),
    [
        ("ticket: {start: new, moves: {new: [done]}}", "{ticket: lost}", "is not a state"),
        ("ticket: {start: new, moves: {new: [done]}}", "{tikket: done}", "ticket"),
        ("ticket: {start: new, moves: {new: [done], old: [done]}}", "{}", "nothing leads to old"),
        ("ticket: {start: new}", "{}", "start and moves"),
        ("ticket: {start: new, moves: {new: done}}", "{}", "a list"),
        ("'no name!': {start: new, moves: {new: [done]}}", "{}", "is not a name"),
        ("ticket: {start: new, moves: {new: ['a b']}}", "{}", "is not a name"),
    ],
)
def test_what_is_wrong_is_said_at_publishing(declared: str, moves: str, words: str):
    step = f"  - {{key: a, type: automated, agent: test-echo, moves: {moves}}}"
    with pytest.raises(DefinitionError, match=words):
        publish(step, rest=f"configuration: {{lifecycles: {{{declared}}}}}")
