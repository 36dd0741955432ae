"""The swarm's rule: nobody sees what has expired, and nothing runs past a day without an approved checkpoint."""

from typing import Any

import pytest

from orchestrator.patterns.moves import Child, Fail, Note
from orchestrator.patterns.swarm import DAY, Swarm, alive, is_due, scored
from tests.patterns import failed, play

SWARM = Swarm()
HOUR = 3600.0
SCORES = {"novelty": 0.4, "feasibility": 0.5, "risk": 0.1}


def options(**more: Any) -> dict[str, Any]:
    members = [{"name": name, "agent": f"agent-{name}"} for name in ("ann", "ben")]
    return {"goal": "a way", "agents": members, "evaluator": "judge", "queue": "ops", "rounds": 60, **more}


def kind(child: Child) -> str:
    return next((word for word in ("checkpoint", "approval") if word in child.key), "member")


def answer(child: Child) -> dict[str, Any]:
    match kind(child):
        case "checkpoint":
            return {**SCORES, "reason": "as ever"}
        case "approval":
            return {**SCORES, "then": "go on"}
    assert child.given is not None
    return {"memory": {f"{child.given['you']}{child.given['round']}": child.given["round"]}}


def test_no_round_starts_that_could_run_past_a_day_since_the_last_approval():
    begun: list[float] = []
    approved = 0.0

    def watch(child: Child) -> dict[str, Any]:
        nonlocal approved
        now = clock[0]
        if kind(child) == "member":
            begun.append(now)
            assert now + 60 <= approved + DAY
        if kind(child) == "approval":
            approved = now + HOUR  # its answer is seen at the next turn
        return answer(child)

    clock = [0.0]

    def at(number: int) -> float:
        clock[0] = (number - 1) * HOUR
        return clock[0]

    played = play(SWARM, options(), watch, clock=at)

    assert len(begun) == 120
    approvals = played.of_kind("manual")
    assert len(approvals) == 2
    assert [one["round"] for one in played.output["checkpoints"]] == [24, 48]
    assert [one["novelty"] for one in played.output["checkpoints"]] == [0.4, 0.4]


@pytest.mark.parametrize(
    ("now", "due"), [(0.0, False), (DAY - 60, False), (DAY - 59, True), (DAY, True), (30 * DAY, True)]
)
def test_checkpoint_is_due_before_a_round_could_pass_it(now, due):
    assert is_due(0.0, now, every=DAY, round_s=60) is due
    assert is_due(0.0, now, every=99 * DAY, round_s=60) is due


def test_person_who_ends_it_at_a_checkpoint_ends_it():
    played = play(
        SWARM,
        options(checkpoint_s=2 * HOUR),
        lambda child: {**SCORES, "then": "end"} if kind(child) == "approval" else answer(child),
        clock=lambda number: number * HOUR,
    )

    assert played.output["ended"] == "person"
    assert played.output["rounds"] == 2


@pytest.mark.parametrize("missing", [{"then": "go on"}, {**SCORES, "risk": 2, "then": "go on"}])
def test_checkpoint_without_its_scores_lets_nothing_go_on(missing):
    played = play(
        SWARM,
        options(checkpoint_s=2 * HOUR),
        lambda child: missing if kind(child) == "approval" else answer(child),
        clock=lambda number: number * HOUR,
    )

    assert isinstance(played.end, Fail)
    assert played.end.code == "checkpoint_missing"


def test_evaluator_that_fails_leaves_the_scores_to_people():
    played = play(
        SWARM,
        options(checkpoint_s=2 * HOUR, rounds=3),
        lambda child: failed("dull") if kind(child) == "checkpoint" else answer(child),
        clock=lambda number: number * HOUR,
    )

    asked = played.of_kind("manual")[0]
    assert asked.step is not None
    assert "default" not in asked.step.form["properties"]["novelty"]
    assert asked.step.form["required"] == ["novelty", "feasibility", "risk", "then"]
    assert played.output["checkpoints"][0]["evaluated"] is None


def test_expired_entries_never_reach_an_agent():
    def first_only(child: Child) -> dict[str, Any]:
        said = answer(child)
        if kind(child) == "member" and child.given and child.given["round"] == 1:
            said["memory"]["brief"] = {"value": "soon gone", "ttl_s": 10}
            said["memory"]["never"] = {"value": "gone at once", "ttl_s": 0}
        return said

    played = play(SWARM, options(ttl_s=25, rounds=6), first_only, clock=lambda number: number * 10.0)

    seen = [set(child.given["memory"]) for child in played.children if child.given and child.given.get("you") == "ann"]
    assert "brief" in seen[1]
    assert not any("brief" in known for known in seen[2:])
    assert not any("never" in known for known in seen)
    assert "ann1" in seen[3]
    assert "ann1" not in seen[4]


def test_entry_that_expires_now_has_expired():
    entries = [{"key": "a", "expires_at": 10.0}, {"key": "b", "expires_at": 10.1}, {"key": "c"}]

    assert [entry["key"] for entry in alive(entries, 10.0)] == ["b"]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (SCORES, SCORES),
        ({**SCORES, "risk": 1.1}, None),
        ({"novelty": 1, "risk": 0}, None),
        ({**SCORES, "risk": "0"}, None),
    ],
)
def test_checkpoint_is_scored_only_with_all_three_numbers(said, found):
    assert scored(said) == found


def test_what_people_say_becomes_memory_and_may_end_it():
    notes = {2: [Note("olga", "mind the cold")], 4: [Note("olga", "", kind="end")]}

    played = play(SWARM, options(), answer, notes=notes)

    third = played.children[2].given
    assert third is not None
    assert third["memory"]["note by olga"] == "mind the cold"
    assert (played.output["ended"], played.output["rounds"]) == ("done", 3)


def test_swarm_of_which_all_fail_at_once_fails():
    played = play(SWARM, options(), lambda child: failed("lost"))

    assert isinstance(played.end, Fail)
    assert "lost" in played.end.message


def test_flaws_of_the_members_and_the_time_limit():
    twice = [{"name": "ann", "agent": "x"}] * 2

    assert [field for field, _, _ in SWARM.flaws(options(agents=twice))] == ["options.agents"]
    assert [field for field, _, _ in SWARM.flaws(options(checkpoint_s=60, timeout_s=61))] == ["options.timeout_s"]
    assert not list(SWARM.flaws(options()))
