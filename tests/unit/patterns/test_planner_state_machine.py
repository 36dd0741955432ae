"""The state machine's rule: only declared transitions, pauses for talk, and people where a disposition is ambiguous."""

from typing import Any

import pytest

from orchestrator.patterns.moves import Child, Fail
from orchestrator.patterns.planner_state_machine import PAUSED, RUNNING, PlannerStateMachine, settled
from tests.patterns import failed, play

MACHINE = PlannerStateMachine()
PEOPLE = [{"name": "ann", "agent": "agent-ann"}, {"name": "ben", "agent": "agent-ben"}]
TALK = {"participants": PEOPLE, "dispositions": {"grant": "granted", "refuse": "refused"}, "cap": 4}


def options(**more: Any) -> dict[str, Any]:
    states = [
        {
            "name": "intake",
            "agent": "read",
            "to": [{"when": "output.score > 8", "state": "granted"}, {"state": "talk"}],
        },
        {"name": "talk", "talk": TALK},
        {"name": "granted"},
        {"name": "refused"},
    ]
    return {"start": "intake", "queue": "ops", "states": states, **more}


def machine(*said: dict[str, Any], score: float = 5, person: str = "refuse"):
    """Intake gives `score`; then the participants say these things in their order, the last one again and again."""
    lines = list(said)

    def answer(child: Child) -> dict[str, Any]:
        if child.step is not None and child.step.kind == "manual":
            return {"disposition": person, "say": "I know them"}
        if child.given and "you" in child.given:
            return dict(lines.pop(0) if len(lines) > 1 else lines[0])
        return {"score": score}

    return answer


def states(output: dict[str, Any]) -> list[str]:
    return [line["to"] for line in output["log"]]


def test_clear_case_takes_its_way_without_talk():
    played = play(MACHINE, options(), machine(score=9))

    assert states(played.output) == ["intake", "granted"]
    assert played.output["log"][1]["why"] == "output.score > 8"
    assert played.output["state"] == "granted"
    assert len(played.children) == 1


def test_graph_pauses_for_a_conversation_and_resumes_with_its_disposition():
    played = play(MACHINE, options(), machine({"text": "hm"}, {"text": "yes", "disposition": "grant"}))

    status = [(spawn.shared["state"]["name"], spawn.shared["state"]["status"]) for spawn in played.spawns]  # type: ignore[index, call-overload]
    assert status == [("intake", RUNNING), ("talk", PAUSED), ("talk", PAUSED)]
    assert states(played.output) == ["intake", "talk", "granted"]
    last = played.output["log"][-1]
    assert (last["why"], last["by"]) == ("talk ended with grant", "conversation")
    assert played.output["output"]["disposition"] == "grant"
    assert [one["text"] for one in played.output["talks"][0]["messages"]] == ["hm", "yes"]


@pytest.mark.parametrize(
    ("said", "turns"),
    [
        ([{"text": "well", "disposition": "perhaps"}], 1),
        ([{"text": "yes", "disposition": "grant", "confidence": 0.69}], 1),
        ([{"text": "yes", "disposition": "grant", "confidence": 0.6}], 1),
        ([{"text": "hm"}], 4),
    ],
)
def test_ambiguous_disposition_goes_to_a_person(said, turns):
    played = play(MACHINE, options(), machine(*said))

    assert len([child for child in played.children if child.given and "you" in child.given]) == turns
    (asked,) = played.of_kind("manual")
    assert asked.step is not None
    assert asked.step.form["properties"]["disposition"]["enum"] == ["grant", "refuse"]
    assert played.spawns[-1].shared["state"]["status"] == PAUSED  # type: ignore[index, call-overload]
    assert states(played.output)[-1] == "refused"
    assert played.output["log"][-1]["by"] == "person"


@pytest.mark.parametrize(
    ("said", "disposition", "doubt"),
    [
        ([("ann", "", None)], "", ""),
        ([("ann", "yes", None)], "yes", ""),
        ([("ann", "yes", 0.7)], "yes", ""),
        ([("ann", "yes", 0.69)], "", "below 0.70"),
        ([("ann", "yes", None), ("ben", "no", None)], "", "disagree"),
        ([("ann", "yes", None), ("ben", "no", None), ("ann", "no", None)], "no", ""),
        ([("ann", "maybe", None)], "", "none of the dispositions"),
    ],
)
def test_disposition_is_settled_only_when_it_is_known_shared_and_sure(said, disposition, doubt):
    lines = [{"author": author, "disposition": stated, "confidence": sure} for author, stated, sure in said]

    found, why = settled(lines, ["yes", "no"], 0.7)

    assert found == disposition
    assert doubt in why
    assert bool(why) == bool(doubt)


def test_no_way_out_that_holds_asks_a_person_for_one_of_the_declared_ways():
    only = [
        {"name": "intake", "agent": "read", "to": [{"when": "output.score > 8", "state": "granted"}]},
        {"name": "granted"},
    ]

    played = play(MACHINE, options(states=only), machine(person="granted"))

    assert [child.key for child in played.of_kind("manual")] == ["talk.intake.1.people"]
    assert played.output["log"][-1]["why"] == "I know them"


def test_states_that_go_round_for_ever_are_stopped():
    ring = [
        {"name": "intake", "agent": "read", "to": [{"when": "false", "state": "end"}, {"state": "again"}]},
        {"name": "again", "to": [{"state": "intake"}]},
        {"name": "end"},
    ]

    played = play(MACHINE, options(states=ring), machine())

    assert isinstance(played.end, Fail)
    assert (played.end.code, played.end.kind) == ("too_many_states", "ask")


def test_state_that_fails_fails_the_step():
    played = play(MACHINE, options(), lambda child: failed("unreadable"))

    assert isinstance(played.end, Fail)
    assert "unreadable" in played.end.message


@pytest.mark.parametrize(
    ("states", "wrong"),
    [
        ([{"name": "intake", "to": [{"state": "nowhere"}]}, {"name": "intake2"}], "not a state"),
        ([{"name": "intake"}, {"name": "alone"}], "no transition reaches it"),
        ([{"name": "intake", "to": [{"state": "b"}]}, {"name": "b", "to": [{"state": "intake"}]}], "no final state"),
        (
            [{"name": "intake", "agent": "x", "talk": TALK}, {"name": "granted"}, {"name": "refused"}],
            "converses and works",
        ),
        ([{"name": "intake", "to": [{"when": "item.x > 1", "state": "b"}]}, {"name": "b"}], "not known here"),
        ([{"name": "b"}, {"name": "c"}], '"intake" is not a state'),
        ([{"name": "intake"}, {"name": "intake"}], "two states have one name"),
    ],
)
def test_flaws(states, wrong):
    assert any(wrong in text for _, text, _ in MACHINE.flaws(options(states=states)))
    assert not list(MACHINE.flaws(options()))
