"""The rule of sync points: what merges, what contradicts, and who resolves it before the next round."""

from typing import Any

import pytest

from orchestrator.patterns.concurrent_sync import ConcurrentSync
from orchestrator.patterns.moves import Child, Fail, Note
from tests.patterns import failed, play

SYNC = ConcurrentSync()


def options(**more: Any) -> dict[str, Any]:
    return {"branches": [{"name": n, "agent": n} for n in ("a", "b", "c")], "queue": "ops", "rounds": 2, **more}


def finding(**by_branch: Any) -> Any:
    """Every branch hands in its findings each round, with its confidence; people choose the last side."""

    def answer(child: Child) -> Any:
        assert child.step is not None
        if child.step.kind == "manual":
            fields: Any = child.step.form["properties"]
            return {name: field["enum"][-1] for name, field in fields.items()}
        found = by_branch.get(child.step.agent, {})
        return {"findings": dict(found), "confidence": {"a": 0.5, "b": 0.9, "c": 0.6}[child.step.agent]}

    return answer


def test_findings_merge_at_the_sync_point_and_flow_into_the_next_round():
    played = play(SYNC, options(), finding(a={"x": 1}, b={"y": 2}), text="t")

    first, second = played.spawns[0].children, played.spawns[1].children
    assert [child.given["shared"] for child in first if child.given] == [{}, {}, {}]
    assert [child.given["shared"] for child in second if child.given] == [{"x": 1, "y": 2}] * 3
    assert second[0].given is not None
    assert second[0].given["own"] == {"findings": {"x": 1}}
    assert second[0].given["context"] == {"text": "t"}
    assert played.output["findings"] == {"x": 1, "y": 2}
    assert played.output["by"] == {"x": "a", "y": "b"}
    assert played.output["conflicts"] == []
    assert played.output["rounds"] == 2
    assert played.output["tokens"] == 60


def test_contradiction_is_asked_of_people_before_the_next_round():
    played = play(SYNC, options(), finding(a={"x": 1}, b={"x": 2}))

    kinds = [spawn.children[0].step.kind for spawn in played.spawns if spawn.children[0].step]
    assert kinds == ["automated", "manual", "automated"]
    asked = played.of_kind("manual")[0]
    assert asked.step is not None
    assert asked.step.form["properties"]["c1"]["enum"] == ["a: 1", "b: 2"]
    assert played.output["findings"] == {"x": 2}
    assert [(one["key"], one["resolved_by"]) for one in played.output["conflicts"]] == [("x", "person")]
    assert [side["value"] for side in played.shared["conflicts"][0]["sides"]] == [1, 2]


@pytest.mark.parametrize(
    ("rule", "found", "value"),
    [
        ("first", {"a": {"x": 1}, "b": {"x": 2}}, 1),
        ("confidence", {"a": {"x": 1}, "b": {"x": 2}, "c": {"x": 1}}, 2),
        ("majority", {"a": {"x": 1}, "b": {"x": 2}, "c": {"x": 1}}, 1),
    ],
)
def test_rule_resolves_what_it_can(rule, found, value):
    played = play(SYNC, options(resolve=rule), finding(**found))

    assert played.output["findings"] == {"x": value}
    assert played.output["conflicts"][0]["resolved_by"] == f"rule:{rule}"
    assert not played.of_kind("manual")


def test_what_the_rule_leaves_open_is_asked():
    played = play(SYNC, options(resolve="majority"), finding(a={"x": 1}, b={"x": 2}))

    assert len(played.of_kind("manual")) == 1


def test_branch_that_corrects_itself_contradicts_nobody():
    values = iter([{"x": 1}, {}, {}, {"x": 2}, {}, {}])

    played = play(SYNC, options(), lambda child: {"findings": next(values)})

    assert played.output["findings"] == {"x": 2}
    assert played.output["conflicts"] == []


def test_later_finding_of_another_branch_contradicts_what_was_shared():
    values = iter([{"x": 1}, {}, {}, {}, {"x": 2}, {}])

    played = play(SYNC, options(resolve="first"), lambda child: {"findings": next(values)})

    assert played.output["findings"] == {"x": 1}
    assert [side["by"] for side in played.output["conflicts"][0]["sides"]] == ["a", "b"]


def test_branches_that_are_done_are_not_called_again():
    played = play(SYNC, options(rounds=5), lambda child: {"findings": {}, "done": True})

    assert len(played.children) == 3
    assert played.output["rounds"] == 1


def test_interval_is_the_time_that_a_round_may_take():
    played = play(SYNC, options(every_s=120), finding(a={"x": 1}))

    assert played.children[0].given is not None
    assert played.children[0].given["seconds"] == 120
    assert played.children[0].step is not None
    assert played.children[0].step.timeout == 125


def test_failed_branch_is_passed_over_but_nothing_at_all_is_a_failure():
    some = play(SYNC, options(), lambda child: failed() if "'b'" in str(child.step) else finding(a={"x": 1})(child))
    none = play(SYNC, options(), lambda child: failed())

    assert some.output["findings"] == {"x": 1}
    assert isinstance(none.end, Fail)
    assert none.end.code == "sync_empty"


def test_people_set_findings_and_end_it_between_rounds():
    notes = {2: [Note("user:mia", "", "note", {"set": {"x": 9}})]}
    played = play(SYNC, options(), finding(a={"x": 1}), notes=notes)
    ended = play(SYNC, options(rounds=9), finding(a={"x": 1}), notes={2: [Note("user:mia", "", "end")]})

    assert (played.output["findings"], played.output["by"]) == ({"x": 9}, {"x": "user:mia"})
    assert ended.output["rounds"] == 1


def test_more_contradictions_than_fit_on_a_card_are_asked_one_card_after_the_other():
    keys = [f"k{number:02}" for number in range(45)]

    played = play(SYNC, options(), finding(a=dict.fromkeys(keys, 1), b=dict.fromkeys(keys, 2)))

    assert [len(child.step.form["required"]) for child in played.of_kind("manual") if child.step] == [20, 20, 5]
    assert len(played.output["conflicts"]) == 45
