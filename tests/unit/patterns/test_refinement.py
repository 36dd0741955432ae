"""Progressive refinement's rule: what goes on, what stops, and what that saved."""

from typing import Any

import pytest

from orchestrator.patterns.moves import Child, Fail
from orchestrator.patterns.refinement import Refinement, saved, worth
from tests.patterns import failed, play

REFINEMENT = Refinement()
STAGES = [
    {"name": "broad", "agent": "scan", "at_least": 0.3},
    {"name": "focused", "agent": "look", "at_least": 0.5},
    {"name": "detailed", "agent": "study"},
]
OPTIONS: dict[str, Any] = {"question": "where?", "stages": STAGES}


def path(key: str, value: float) -> dict[str, Any]:
    return {"key": key, "value": value}


def answer(child: Child) -> dict[str, Any]:
    """a is worth much, b stops after the focused look, c after the broad one."""
    if child.key == "talk.broad":
        return {"paths": [path("a", 0.9), path("b", 0.6), path("c", 0.1)]}
    assert child.given is not None
    return {"value": {"a": 0.8, "b": 0.4}[str(child.given["path"])]}


def test_paths_below_the_threshold_stop_and_the_rest_is_looked_at_more_closely():
    played = play(REFINEMENT, OPTIONS, answer)

    assert [child.key for child in played.children] == [
        "talk.broad", "talk.focused.1", "talk.focused.2", "talk.detailed.1",
    ]  # fmt: skip
    assert [one["key"] for one in played.output["paths"]] == ["a"]
    assert [(one["key"], one["stage"], one["why"]) for one in played.output["stopped"]] == [
        ("c", "broad", "its value 0.10 is below 0.30"),
        ("b", "focused", "its value 0.40 is below 0.50"),
    ]


def test_saved_tokens_are_said_in_the_narrative_and_in_the_output():
    played = play(REFINEMENT, OPTIONS, answer)

    assert played.output["tokens"] == 40
    assert played.output["saved_tokens"] == 30  # c: two looks of 10, b: one
    assert [spawn.facts.get("saved_tokens") for spawn in played.spawns] == [None, 20, 30]
    assert "about 20 tokens saved" in str(played.spawns[1].facts["says"])


def test_path_at_the_threshold_goes_on():
    assert worth([path("a", 0.3), path("b", 0.29)], at_least=0.3)[0] == [path("a", 0.3)]


def test_only_the_most_valuable_go_on_in_their_order_and_ties_by_place():
    going, stopped = worth([path("a", 0.5), path("b", 0.9), path("c", 0.5)], keep=2)

    assert [one["key"] for one in going] == ["a", "b"]
    assert [(one["key"], one["why"]) for one in stopped] == [("c", "2 paths are worth more")]


@pytest.mark.parametrize(
    ("used", "stopped", "tokens"),
    [([[10], [20, 40], [5]], [0], 35), ([[10], [20, 40], [5]], [1], 5), ([[10]], [0], 20), ([[10], [4]], [2], 0)],
)
def test_look_not_taken_saves_what_the_others_of_its_stage_took(used, stopped, tokens):
    assert saved(used, stopped, 3) == tokens


def test_path_whose_look_failed_stops_with_the_reason():
    played = play(REFINEMENT, OPTIONS, lambda child: failed("ill") if child.key == "talk.focused.1" else answer(child))

    assert played.output["paths"] == []
    assert "the look at it failed: ill" in [one["why"] for one in played.output["stopped"]]


def test_nothing_worth_going_on_ends_with_no_paths():
    played = play(REFINEMENT, OPTIONS, lambda child: {"paths": [path("a", 0.1)]})

    assert played.output["paths"] == []
    assert len(played.children) == 1


def test_broad_look_that_fails_fails_the_step():
    played = play(REFINEMENT, OPTIONS, lambda child: failed("blind"))

    assert isinstance(played.end, Fail)
    assert "blind" in played.end.message


@pytest.mark.parametrize(
    ("stages", "wrong"),
    [
        ([STAGES[0], STAGES[0] | {"at_least": 0.4}, STAGES[2]], "one name"),
        ([{"name": "broad", "agent": "x"}, STAGES[2]], "stops no path"),
        ([STAGES[0], STAGES[1]], "no stage comes after"),
    ],
)
def test_flaws_of_the_stages(stages, wrong):
    assert [wrong in text for _, text, _ in REFINEMENT.flaws({"question": "?", "stages": stages})] == [True]
    assert not list(REFINEMENT.flaws(OPTIONS))
