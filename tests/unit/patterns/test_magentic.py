"""The magentic rule: whose changes the ledger takes, what is run, and when people are asked."""

from collections.abc import Iterator
from typing import Any

from orchestrator.patterns.magentic import Magentic
from orchestrator.patterns.moves import Child, Fail, Note
from tests.patterns import Play, failed, play

MAGENTIC = Magentic()
OPTIONS: dict[str, Any] = {
    "goal": "find out",
    "manager": "boss",
    "agents": [{"agent": "digger", "does": "digs"}, {"agent": "reader"}],
    "queue": "ops",
}


def add(name: str, agent: str = "digger", **more: Any) -> dict[str, Any]:
    return {"do": "add", "id": name, "agent": agent, "title": f"Do {name}", "why": "needed", "input": {"x": 1}, **more}


def led(judgements: Iterator[dict[str, Any]], **more: Any) -> Play:
    """Played with a manager that says these things; every task gives {"found": its key}."""

    def answer(child: Child) -> Any:
        assert child.step is not None
        if child.step.kind == "manual":
            return {"then": "end", "say": "give up"}
        return next(judgements) if child.step.agent == "boss" else {"found": child.key, "confidence": 0.7}

    return play(MAGENTIC, {**OPTIONS, **more.pop("options", {})}, answer, **more)


def test_tasks_are_added_as_results_come_in_and_the_ledger_says_who_and_why():
    played = led(
        iter(
            [
                {"changes": [add("a")], "run": ["a"]},
                {"changes": [add("b", "reader", why="a found a door")], "run": ["b"]},
                {"done": True, "answer": {"door": 1}},
            ]
        )
    )

    entries = {entry["id"]: entry for entry in played.output["ledger"]}
    assert played.output["answer"] == {"door": 1}
    assert (entries["b"]["round"], entries["b"]["by"], entries["b"]["why"]) == (2, "manager", "a found a door")
    assert entries["a"]["result"] == {"found": "talk.a.1"}
    assert [line["did"] for line in played.output["log"]] == ["add", "add"]
    shown = played.shared["ledger"]
    assert [(one["id"], one["status"]) for one in shown["entries"]] == [("a", "done"), ("b", "done")]
    assert shown["log"] == played.output["log"]
    assert played.end.confidence == 0.7
    assert [child.step.agent for child in played.children if child.step] == ["boss", "digger", "boss", "reader", "boss"]


def test_manager_sees_the_ledger_with_what_was_found():
    played = led(iter([{"changes": [add("a")], "run": ["a"]}, {"done": True}]))

    second = played.children[2].given
    assert second is not None
    assert second["round"] == 2
    assert second["ledger"][0]["status"] == "done"


def test_work_for_agents_that_the_step_does_not_name_is_refused_and_said_so():
    played = led(iter([{"changes": [add("a", "rm-rf"), add("b")], "run": ["a", "b"]}, {"done": True}]))

    refused = played.children[2].given["refused"] if played.children[2].given else None
    assert [child.key for child in played.children if child.step and child.step.agent == "digger"] == ["talk.b.1"]
    assert refused == []
    first = led(iter([{"changes": [add("a", "rm-rf")], "run": ["a"]}, {"done": True}]))
    again = first.children[1].given
    assert again is not None
    assert "one of digger, reader" in str(again["refused"])


def test_people_add_change_and_drop_tasks_between_two_turns():
    changes: list[Any] = [add("mine", why="do not forget"), {"do": "drop", "id": "a", "why": "too dear"}]
    notes = {3: [Note("user:mia", "look here too", "ledger", {"changes": changes})]}
    judgements = iter([{"changes": [add("a"), add("b")], "run": ["b"]}, {"run": ["mine", "a"]}, {"done": True}])

    played = led(judgements, notes=notes)

    entries = {entry["id"]: entry for entry in played.output["ledger"]}
    assert (entries["mine"]["by"], entries["mine"]["status"]) == ("user:mia", "done")
    assert entries["a"]["status"] == "dropped"
    told = played.children[2].given
    assert told is not None
    assert told["notes"] == [{"by": "user:mia", "text": "look here too"}]


def test_failed_task_is_told_to_the_manager_and_may_be_run_again():
    tries = iter([failed("no shovel"), {"found": 1}])
    judgements = iter([{"changes": [add("a")], "run": ["a"]}, {"run": ["a"]}, {"done": True, "answer": "ok"}])

    def answer(child: Child) -> Any:
        assert child.step is not None
        return next(judgements) if child.step.agent == "boss" else next(tries)

    played = play(MAGENTIC, OPTIONS, answer)

    assert played.children[2].given["ledger"][0]["result"] == "no shovel"
    assert played.output["ledger"][0]["status"] == "done"


def test_manager_that_starts_nothing_twice_is_brought_before_people():
    played = led(iter([{}, {}]))

    assert played.children[-1].step is not None
    assert played.children[-1].step.kind == "manual"
    assert (played.output["ended"], played.output["answer"]) == ("person", "give up")


def test_rounds_are_bounded_and_then_people_are_asked():
    def endless() -> Iterator[dict[str, Any]]:
        number = 0
        while True:
            number += 1
            yield {"changes": [add(f"n{number}")], "run": [f"n{number}"]}

    played = led(endless(), options={"rounds": 3})

    assert len([child for child in played.children if child.step and child.step.agent == "digger"]) == 3
    assert played.output["ended"] == "person"


def test_person_may_end_it():
    played = led(iter([{"changes": [add("a")], "run": ["a"]}]), notes={3: [Note("user:mia", "enough", "end")]})

    assert (played.output["ended"], played.output["answer"]) == ("person", "enough")


def test_manager_that_ends_before_anything_was_done_fails_the_step():
    played = led(iter([{"done": True, "answer": "trust me"}]))

    assert isinstance(played.end, Fail)
    assert played.end.code == "magentic_empty"


def test_hostile_changes_are_cut_and_never_expressions():
    change = add("${input}" + "x" * 99, title="${steps.a}", input={"text": "${input.secret}" + "y" * 30_000})

    played = led(iter([{"changes": [change, "nonsense", {"do": "eval"}], "run": ["t1", 5, None]}, {}, {}]))

    entry = played.shared["ledger"]["entries"][0]
    assert entry["title"] == "${steps.a}"
    assert len(str(entry["input"])) < 20_000
    assert len(entry["id"]) == 60


def test_note_that_ends_it_does_not_overrule_the_people_who_were_asked():
    notes = {4: [Note("user:mia", "all is well", "end")]}

    played = led(iter([{}, {}]), notes=notes)

    assert played.children[-1].step is not None
    assert played.children[-1].step.kind == "manual"
    assert (played.output["ended"], played.output["answer"]) == ("person", "give up")
