"""The rule of hierarchical supervision: who sees what, and what becomes of those who fail."""

from typing import Any

from orchestrator.patterns.hierarchy import Hierarchy
from orchestrator.patterns.moves import Child, Fail
from tests.patterns import failed, play

HIERARCHY = Hierarchy()
OPTIONS: dict[str, Any] = {
    "goal": "the whole picture",
    "orchestrator": "boss",
    "specialists": [{"name": name, "agent": f"agent-{name}"} for name in ("a", "b", "c")],
    "synthesis": "writer",
}
PARTS = {name: {"text": f"part {name}"} for name in ("a", "b", "c")}


def answer(child: Child) -> Any:
    assert child.step is not None
    match child.step.agent:
        case "boss":
            return {"parts": PARTS, "memory": {"secret": "all"}}
        case "writer":
            return {"report": "done", "confidence": 0.9}
    return {"found": child.step.agent, "confidence": 0.6}


def test_specialists_see_their_part_only_and_the_synthesis_every_finding():
    played = play(HIERARCHY, OPTIONS, answer, text="everything")

    first, a, b, c, last = played.children
    assert first.given is not None
    assert first.given["context"] == {"text": "everything"}
    assert [a.given, b.given, c.given] == [PARTS["a"], PARTS["b"], PARTS["c"]]
    assert last.given is not None
    assert last.given["findings"] == {name: {"found": f"agent-{name}"} for name in ("a", "b", "c")}
    assert last.given["memory"] == {"secret": "all"}
    assert played.output["result"] == {"report": "done"}
    assert played.output["tokens"] == 50
    assert played.end.confidence == 0.6


def test_who_gets_no_part_is_not_run_and_who_is_unknown_is_not_either():
    def some(child: Child) -> Any:
        told = {"parts": {"b": {"text": "only b"}, "mallory": {"text": "x"}, "a": "not an input"}}
        return told if child.step and child.step.agent == "boss" else answer(child)

    played = play(HIERARCHY, OPTIONS, some)

    assert [child.step.agent for child in played.children if child.step] == ["boss", "agent-b", "writer"]


def test_specialist_that_fails_is_named_as_missing():
    played = play(HIERARCHY, OPTIONS, lambda child: failed("ill") if "agent-b" in str(child.step) else answer(child))

    assert played.output["missing"] == [{"name": "b", "why": "ill"}]
    assert played.children[-1].given["missing"] == played.output["missing"]


def test_orchestrator_may_hand_out_work_again_until_its_rounds_are_over():
    played = play(HIERARCHY, {**OPTIONS, "rounds": 2}, answer)

    agents = [child.step.agent for child in played.children if child.step]
    assert agents == ["boss", "agent-a", "agent-b", "agent-c"] * 2 + ["writer"]
    again = played.children[4].given
    assert again is not None
    assert again["memory"] == {"secret": "all"}
    assert set(again["findings"]) == {"a", "b", "c"}


def test_failures_that_leave_nothing_to_report_are_named():
    def all_but(agent: str) -> Any:
        return lambda child: answer(child) if child.step and child.step.agent == agent else failed("ill")

    codes = [
        play(HIERARCHY, OPTIONS, all_but("nobody")).end,
        play(HIERARCHY, OPTIONS, all_but("boss")).end,
        play(HIERARCHY, OPTIONS, lambda child: {"parts": {}}).end,
        play(HIERARCHY, OPTIONS, lambda child: failed() if "writer" in str(child.step) else answer(child)).end,
    ]

    assert [end.code for end in codes if isinstance(end, Fail)] == [
        "orchestrator_failed", "hierarchy_empty", "hierarchy_idle", "synthesis_failed",
    ]  # fmt: skip


def test_part_that_is_too_large_is_cut():
    def large(child: Child) -> Any:
        told = {"parts": {"a": {"text": "x" * 50_000}}}
        return told if child.step and child.step.agent == "boss" else answer(child)

    played = play(HIERARCHY, OPTIONS, large)

    assert len(played.children[1].given["text"]) == 1_000
