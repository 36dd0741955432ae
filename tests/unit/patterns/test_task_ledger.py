"""The ledger's rule: which changes are made, where its lines stand, and what a person's refused change says."""

from typing import Any

import pytest

from orchestrator.patterns.moves import Child, Note
from orchestrator.patterns.task_ledger import ENTRIES, TaskLedger
from tests.patterns import play
from tests.unit.patterns.test_magentic import MAGENTIC, OPTIONS, add


def ledger(*names: str) -> TaskLedger:
    made = TaskLedger(["digger"])
    for name in names:
        made.change(add(name), by="manager")
    return made


def order(found: TaskLedger) -> list[Any]:
    return [entry["id"] for entry in found.entries]


@pytest.mark.parametrize(
    ("before", "expected"),
    [("a", ["c", "a", "b"]), ("b", ["a", "c", "b"]), ("", ["a", "b", "c"]), ("nothing", ["a", "b", "c"])],
)
def test_line_is_moved_before_another_or_to_the_end(before, expected):
    found = ledger("a", "b", "c")

    assert found.change({"do": "move", "id": "c", "before": before, "why": "first things first"}, by="user:ana") == "c"

    assert order(found) == expected
    assert found.log[-1] == {"round": 1, "by": "user:ana", "did": "move", "id": "c", "why": "first things first"}


@pytest.mark.parametrize("did", ["change", "drop", "move"])
@pytest.mark.parametrize("status", ["done", "dropped"])
def test_line_that_is_over_is_changed_no_more(did, status):
    found = ledger("a")
    found.entries[0]["status"] = status

    assert found.change({"do": did, "id": "a"}, by="user:ana") == ""

    assert found.entries[0]["status"] == status
    assert found.log[-1]["did"] == "refused"
    assert status in str(found.log[-1]["why"])


def test_what_the_manager_may_not_do_is_told_to_it_and_not_logged():
    found = ledger("a")

    found.change({"do": "drop", "id": "z"}, by="manager")

    assert found.refused == ["drop z: there is no such task"]
    assert [line["did"] for line in found.log] == ["add"]


def test_full_ledger_takes_no_more():
    found = ledger(*(f"n{number}" for number in range(ENTRIES)))

    assert found.change(add("more"), by="user:ana") == ""
    assert len(found.entries) == ENTRIES


def test_hear_says_what_was_made():
    found = ledger("a")

    made = found.hear([add("b"), {"do": "drop", "id": "z"}, "nonsense", {"do": "drop", "id": "a"}], by="user:ana")

    assert made == [("add", "b"), ("drop", "a")]


def test_task_that_a_person_drops_in_the_turn_in_which_it_is_to_run_is_not_run():
    def answer(child: Child) -> Any:
        assert child.step is not None
        if child.step.agent != "boss":
            return {"found": child.key}
        assert child.given is not None
        if not child.given["ledger"]:
            return {"changes": [add("a"), add("b")], "run": ["a", "b"]}
        return {"done": True}

    drop = Note("user:ana", "not b", data={"changes": [{"do": "drop", "id": "b", "why": "not b"}]})
    played = play(MAGENTIC, OPTIONS, answer, notes={2: [drop]})

    assert [child.key for child in played.children if child.step and child.step.agent == "digger"] == ["talk.a.1"]
    assert {entry["id"]: entry["status"] for entry in played.output["ledger"]} == {"a": "done", "b": "dropped"}
