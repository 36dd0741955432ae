"""What each pattern does when a person rejects its question: an end, or another plan, never without a bound."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from orchestrator.patterns.concurrent_sync import ConcurrentSync
from orchestrator.patterns.group_chat import GroupChat
from orchestrator.patterns.magentic import Magentic
from orchestrator.patterns.moves import Child, Fail, Result
from orchestrator.patterns.planner import Planner
from orchestrator.patterns.planner_state_machine import PlannerStateMachine
from orchestrator.patterns.supervised_planner import SupervisedPlanner
from orchestrator.patterns.swarm import Swarm
from tests.patterns import failed, play, rejected

PEOPLE = [{"name": name, "agent": f"agent-{name}"} for name in ("ann", "ben")]
NOTE = "not like this"


def asking(agents: Callable[[Child], Any], people: Callable[[int], Any] | None = None) -> Callable[[Child], Any]:
    """Agents answer as they do; people reject everything, or say what `people` has for their first, second ... card."""
    cards = count(1)

    def answer(child: Child) -> Any:
        assert child.step is not None
        if child.step.kind != "manual":
            return agents(child)
        assert "Rejecting this: " in child.step.instructions
        return people(next(cards)) if people else rejected(NOTE)

    return answer


@pytest.mark.parametrize("cap", [2, 20], ids=["at the cap", "in a loop"])
def test_group_chat_ends_with_the_disposition_rejected_and_the_note(cap):
    options = {"topic": "x", "participants": PEOPLE, "queue": "ops", "end": {"says": "DONE"}, "cap": cap}
    options |= {"drift": {"below": 0}, "loop": {"repeats": 2 if cap == 20 else 10}}

    played = play(GroupChat(), options, asking(lambda child: {"text": "the same words"}))

    assert (played.output["ended"], played.output["disposition"]) == ("person", "rejected")
    assert played.output["messages"][-1]["text"] == NOTE


def test_speaker_that_fails_with_the_code_rejected_rejects_nothing():
    broken = Result(key="", status="failed", error={"code": "rejected", "message": "the provider said no"})
    options = {"topic": "x", "participants": PEOPLE, "queue": "ops", "end": {"says": "DONE"}, "drift": {"below": 0}}

    played = play(GroupChat(), options, lambda child: broken if child.key == "talk.1" else {"text": "DONE"})

    assert played.output["ended"] == "said"


def test_supervised_planner_ends_as_rejected():
    options = {"goal": "g", "planner": "plan", "workers": PEOPLE, "supervisor": "watch", "queue": "ops"}

    def agents(child: Child) -> dict[str, Any]:
        return {"verdict": "escalate", "reason": "odd"} if child.key.endswith("verdict") else {"text": "words"}

    played = play(SupervisedPlanner(), options | {"end": {"says": "DONE"}}, asking(agents))

    assert (played.output["ended"], played.output["disposition"]) == ("person", "rejected")
    assert played.output["messages"][-1]["text"] == NOTE


def magentic(manager: Callable[[Child], dict[str, Any]], people: Callable[[int], Any] | None = None) -> Any:
    options = {"goal": "g", "manager": "boss", "agents": [{"agent": "digger"}], "queue": "ops"}

    def agents(child: Child) -> dict[str, Any]:
        assert child.step is not None
        return manager(child) if child.step.agent == "boss" else {"found": 1}

    return play(Magentic(), options, asking(agents, people))


def test_magentic_plans_again_with_the_note():
    def manager(child: Child) -> dict[str, Any]:
        assert child.given is not None
        if not child.given["notes"] and not child.given["ledger"]:
            return {}
        if not child.given["ledger"]:
            assert child.given["notes"] == [{"by": "a person", "text": f"Rejected: {NOTE}"}]
            return {"changes": [{"do": "add", "id": "a", "agent": "digger"}], "run": ["a"]}
        return {"done": True, "answer": 42}

    played = magentic(manager)

    assert played.output["answer"] == 42
    assert len(played.of_kind("manual")) == 1


def test_magentic_that_is_rejected_a_third_time_fails():
    played = magentic(lambda child: {})

    assert isinstance(played.end, Fail)
    assert played.end.code == "magentic_rejected"
    assert len(played.of_kind("manual")) == 3


def planned(people: Callable[[int], Any] | None = None) -> tuple[Any, list[Any]]:
    told: list[Any] = []

    def agents(child: Child) -> dict[str, Any]:
        assert child.step is not None
        assert child.given is not None
        if child.step.agent != "brain":
            return {"did": 1}
        told.append(child.given["said"])
        return {"tasks": [{"key": "a", "agent": "digger"}]}

    options = {"goal": "g", "planner": "brain", "agents": [{"agent": "digger"}], "queue": "ops"}
    return play(Planner(), options, asking(agents, people)), told


def test_planner_makes_another_plan_with_the_note():
    played, told = planned(lambda card: rejected(NOTE) if card == 1 else {"then": "run it"})

    assert told == ["", NOTE]
    assert played.output["results"] == {"a": {"did": 1}}


def test_planner_whose_third_plan_is_rejected_fails():
    played, told = planned()

    assert isinstance(played.end, Fail)
    assert (played.end.code, NOTE in played.end.message) == ("plan_rejected", True)
    assert len(told) == 3


def test_sync_point_leaves_out_what_people_reject_and_does_not_take_it_up_again():
    branches = [{"name": name, "agent": name} for name in ("a", "b")]

    def agents(child: Child) -> dict[str, Any]:
        assert child.step is not None
        return {"findings": {"x": {"a": 1, "b": 2}[child.step.agent], "y": 3}}

    played = play(ConcurrentSync(), {"branches": branches, "queue": "ops", "rounds": 3}, asking(agents))

    assert played.output["findings"] == {"y": 3}
    assert [(one["key"], one["chosen"], one["why"]) for one in played.output["conflicts"]] == [("x", None, NOTE)]
    assert len(played.of_kind("manual")) == 1
    assert played.output["rounds"] == 3


def test_swarm_ends_at_a_rejected_checkpoint_with_what_it_knows():
    options = {"goal": "g", "agents": PEOPLE, "evaluator": "judge", "queue": "ops", "rounds": 60}

    def agents(child: Child) -> dict[str, Any]:
        if "checkpoint" in child.key:
            return {"novelty": 0.1, "feasibility": 0.1, "risk": 0.9}
        return {"memory": {"k": 1}}

    played = play(Swarm(), options, asking(agents), clock=lambda number: number * 40000.0)

    assert (played.output["ended"], played.output["rejection"]) == ("rejected", NOTE)
    assert played.output["checkpoints"] == []


def machine(**more: Any) -> dict[str, Any]:
    talk = {"participants": PEOPLE, "dispositions": {"grant": "granted", "refuse": "refused"}, "cap": 1}
    states = [{"name": "talk", "talk": talk}, {"name": "granted"}, {"name": "refused"}, {"name": "dropped"}]
    return {"start": "talk", "queue": "ops", "states": states, **more}


def test_state_machine_goes_to_the_state_that_a_rejection_leads_to():
    played = play(PlannerStateMachine(), machine(rejected="dropped"), asking(lambda child: {"text": "hm"}))

    assert played.output["state"] == "dropped"
    assert (played.output["log"][-1]["why"], played.output["log"][-1]["by"]) == (f"rejected: {NOTE}", "person")


def test_state_machine_without_such_a_state_fails_with_the_note():
    played = play(PlannerStateMachine(), machine(), asking(lambda child: {"text": "hm"}))

    assert isinstance(played.end, Fail)
    assert (played.end.code, NOTE in played.end.message) == ("disposition_rejected", True)


def test_state_after_a_rejection_must_exist_and_counts_as_reached():
    assert not list(PlannerStateMachine().flaws(machine(rejected="dropped")))
    assert [field for field, _, _ in PlannerStateMachine().flaws(machine())] == ["options.states.dropped"]
    assert ("options.rejected", '"gone" is not a state') in [
        flaw[:2] for flaw in PlannerStateMachine().flaws(machine(rejected="gone"))
    ]


def test_failure_without_a_note_is_no_rejection():
    assert failed().rejection is None
    assert rejected("").rejection == "Rejected by Ana."
