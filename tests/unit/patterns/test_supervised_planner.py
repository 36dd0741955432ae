"""The supervised planner's rule: who speaks, what a verdict does, and that it always ends."""

from typing import Any

import pytest

from orchestrator.patterns.moves import Child, Fail, Note, Result
from orchestrator.patterns.supervised_planner import SupervisedPlanner, verdict_of
from tests.patterns import failed, play

PLANNER = SupervisedPlanner()


def options(**more: Any) -> dict[str, Any]:
    workers = [{"name": name, "agent": f"agent-{name}", "does": "things"} for name in ("ann", "ben")]
    plain = {"goal": "a wall", "planner": "plan", "workers": workers, "supervisor": "watch", "queue": "ops"}
    return {**plain, "end": {"says": "DONE"}, **more}


def spoken(children: list[Child]) -> list[str]:
    return [str(child.given["you"]) for child in children if child.given and "you" in child.given]


def talk(verdicts: dict[int, dict[str, Any]] | None = None, *, until: int = 99, people: dict[str, Any] | None = None):
    """The planner asks ann and ben in turn; the supervisor says what `verdicts` has for a turn, else continue."""

    def answer(child: Child) -> dict[str, Any]:
        if child.step is not None and child.step.kind == "manual":
            return people or {"disposition": "not reached"}
        assert child.given is not None
        if child.key.endswith("verdict"):
            return (verdicts or {}).get(int(child.key.split(".")[1]), {"verdict": "continue"})
        turn = int(str(child.given["turn"]))
        if turn >= until:
            return {"text": "DONE"}
        following = "ann" if turn % 4 == 1 else "ben"
        return {"text": f"words {turn}", **({"next": following, "ask": f"do {turn}"} if turn % 2 else {})}

    return answer


def test_planner_and_workers_take_turns_and_each_is_judged():
    played = play(PLANNER, options(), talk(until=5))

    assert spoken(played.children) == ["planner", "ann", "planner", "ben", "planner"]
    assert [child.key for child in played.children][:4] == ["talk.1", "talk.1.verdict", "talk.2", "talk.2.verdict"]
    second = played.children[2].given
    assert second is not None
    assert (second["asked"], second["does"]) == ("do 1", "things")
    assert (played.output["ended"], played.output["answer"], played.output["turns"]) == ("said", "DONE", 5)


def test_supervisor_ends_it():
    played = play(PLANNER, options(), talk({2: {"verdict": "end", "reason": "enough"}}))

    assert (played.output["ended"], played.output["disposition"], played.output["turns"]) == ("supervisor", "enough", 2)


def test_supervisor_redirects_to_somebody_else():
    redirect = {"verdict": "redirect", "next": "ben", "reason": "ben knows"}

    played = play(PLANNER, options(), talk({1: redirect}, until=4))

    assert spoken(played.children)[:2] == ["planner", "ben"]
    second = played.children[2].given
    assert second is not None
    assert second["asked"] == "ben knows"


@pytest.mark.parametrize(
    "verdict",
    [
        {"verdict": "escalate", "reason": "odd"},
        {"verdict": "perhaps"},
        {},
        {"verdict": "redirect", "next": "zoe"},
    ],
)
def test_escalation_and_every_unclear_verdict_ask_people(verdict):
    played = play(PLANNER, options(), talk({2: verdict}, people={"then": "end", "disposition": "reached"}))

    asked = played.of_kind("manual")
    assert [child.key for child in asked] == ["talk.2.people"]
    assert (played.output["ended"], played.output["disposition"]) == ("person", "reached")


def test_supervisor_that_fails_escalates():
    assert verdict_of(Result("v", "failed", error={"message": "ill"}), ["ann"]) == ("escalate", "", "ill")


def test_person_lets_it_go_on_and_says_who_is_next():
    people = {"then": "go on", "next": "ben", "say": "ask ben"}

    played = play(PLANNER, options(), talk({1: {"verdict": "escalate"}}, until=3, people=people))

    assert spoken(played.children)[:2] == ["planner", "ben"]
    assert "ask ben" in [one["text"] for one in played.output["messages"]]


@pytest.mark.parametrize(("cap", "turns"), [({}, 20), ({"cap": 3}, 3)])
def test_turn_after_the_cap_never_runs_and_people_say_how_it_ends(cap, turns):
    played = play(PLANNER, options(**cap), talk())

    assert len(spoken(played.children)) == turns
    last = played.children[-1]
    assert last.step is not None
    assert "then" not in last.step.form["properties"]
    assert (played.output["ended"], played.output["disposition"]) == ("cap", "not reached")


def test_escalation_of_the_last_turn_offers_no_further_one():
    played = play(PLANNER, options(cap=2), talk({2: {"verdict": "escalate"}}, people={"then": "go on"}))

    assert len(spoken(played.children)) == 2
    assert played.output["ended"] == "cap"


def test_condition_ends_it():
    played = play(PLANNER, options(end={"when": "round >= 4"}), talk())

    assert (played.output["ended"], played.output["turns"]) == ("condition", 4)


def test_people_say_something_and_end_it_between_turns():
    notes = {2: [Note("olga", "mind the cost")], 5: [Note("olga", "", kind="end", data={"disposition": "later"})]}

    played = play(PLANNER, options(), talk(), notes=notes)

    assert played.output["messages"][1]["text"] == "mind the cost"
    assert (played.output["ended"], played.output["disposition"]) == ("person", "later")
    assert played.output["turns"] == 2


def test_two_failed_turns_in_a_row_fail_the_step():
    played = play(
        PLANNER, options(), lambda child: failed() if "you" in (child.given or {}) else {"verdict": "continue"}
    )

    assert isinstance(played.end, Fail)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"end": {}}, "options.end"),
        ({"end": {"when": "outpt.x > 1"}}, "options.end.when"),
        ({"end": {"when": "1 +"}}, "options.end.when"),
        ({"workers": [{"name": "planner", "agent": "x"}]}, "options.workers"),
    ],
)
def test_flaws(more, field):
    assert [where for where, _, _ in PLANNER.flaws(options(**more))] == [field]
    assert not list(PLANNER.flaws(options()))


def test_note_that_ends_it_does_not_overrule_the_people_who_were_asked():
    notes = {4: [Note("user:mia", "fine by me", kind="end", data={"disposition": "reached"})]}

    played = play(PLANNER, options(cap=1), talk(people={"disposition": "not reached"}), notes=notes)

    assert len(played.of_kind("manual")) == 1
    assert (played.output["ended"], played.output["disposition"]) == ("cap", "not reached")
