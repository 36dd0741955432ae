"""The planner's rule: which plans are refused, who may edit them, and in which order their tasks run."""

from typing import Any

import pytest

from orchestrator.patterns.moves import Child, Fail
from orchestrator.patterns.planner import Planner, nodes_of, plan_flaws
from tests.patterns import failed, play

PLANNER = Planner()
AGENTS = ["digger", "reader"]


def options(**more: Any) -> dict[str, Any]:
    return {"goal": "dig", "planner": "brain", "agents": [{"agent": name} for name in AGENTS], "edit": False, **more}


def task(key: str, *after: str, uses: tuple[str, ...] = (), agent: str = "digger") -> dict[str, Any]:
    return {"key": key, "agent": agent, "input": {"n": key}, "after": [*after], "uses": [*uses]}


def planned(*tasks: dict[str, Any], people: Any = None, broken: tuple[str, ...] = ()) -> Any:
    def answer(child: Child) -> Any:
        assert child.step is not None
        if child.step.kind == "manual":
            return people(child) if people else {"then": "run it"}
        if child.step.agent == "brain":
            return {"tasks": [*tasks]}
        name = child.key.rpartition(".")[2]
        return failed("rock") if name in broken else {"did": name, "confidence": 0.8}

    return answer


def test_tasks_run_in_one_spawn_with_the_plans_order():
    played = play(PLANNER, options(), planned(task("c", "a", "b"), task("a"), task("b", "a")))

    spawn = played.spawns[1]
    assert [(child.key, child.after) for child in spawn.children] == [
        ("talk.a", ()), ("talk.b", (0,)), ("talk.c", (0, 1)),
    ]  # fmt: skip
    assert spawn.children[0].given == {"n": "a"}
    assert played.output["results"] == {name: {"did": name} for name in "abc"}
    assert played.end.confidence == 0.8
    assert played.output["tokens"] == 40


def test_task_that_uses_others_gets_their_outputs():
    played = play(PLANNER, options(), planned(task("a"), task("b"), task("c", uses=("a", "b"))))

    assert [len(spawn.children) for spawn in played.spawns] == [1, 2, 1]
    assert played.children[-1].given == {"n": "c", "results": {"a": {"did": "a"}, "b": {"did": "b"}}}


def test_what_uses_a_failed_task_is_not_run_and_said_so():
    tasks = (task("a"), task("b"), task("c", uses=("a", "b")), task("d", "c"))

    played = play(PLANNER, options(), planned(*tasks, broken=("a",)))

    assert [child.key for child in played.children] == ["talk.plan.1", "talk.a", "talk.b"]
    assert set(played.output["failed"]) == {"a", "c", "d"}


def test_plan_of_which_nothing_succeeds_fails_the_step():
    played = play(PLANNER, options(), planned(task("a"), broken=("a",)))

    assert isinstance(played.end, Fail)
    assert (played.end.code, "rock" in played.end.message) == ("plan_failed", True)


@pytest.mark.parametrize(
    ("tasks", "code", "remedy"),
    [
        ([], "plan_empty", "name at least one"),
        ("nonsense", "plan_empty", "name at least one"),
        ([task("a", agent="rm")], "unknown_agent", "use one of digger, reader"),
        ([task("a", "z")], "unknown_task", "add or remove it"),
        ([task("A b")], "task_key", "small letters"),
        ([task("a"), task("a")], "task_key", "of its own"),
        ([task("a", "b"), task("b", "c"), task("c", "a")], "plan_cycle", "take one of these links out"),
        ([task("a", "a")], "plan_cycle", "take one of these links out"),
        ([task(f"k{number}") for number in range(51)], "plan_too_long", "at most 50"),
    ],
)
def test_flaws_have_a_code_and_a_remedy(tasks, code, remedy):
    flaws = list(plan_flaws(tasks, AGENTS))

    assert flaws[0].code == code
    assert remedy in str(flaws[0])


def test_cycle_is_named_task_by_task():
    tasks: Any = [task("a", "b"), task("b", "c"), task("c", "b"), task("d")]

    (flaw,) = plan_flaws(tasks, AGENTS)

    assert flaw.message.endswith(": b -> c -> b") or flaw.message.endswith(": c -> b -> c")


def test_plan_without_flaws_has_its_nodes_in_order():
    tasks: Any = [task("c", uses=("b",)), task("b", "a"), task("a")]

    assert not list(plan_flaws(tasks, AGENTS))
    assert [node.key for node in nodes_of(tasks)] == ["a", "b", "c"]


def test_planner_is_told_what_is_wrong_and_refused_the_second_time():
    played = play(PLANNER, options(), planned(task("a", "a")))

    second = played.children[1].given
    assert second is not None
    assert "plan_cycle" in str(played.spawns[1].facts["says"])
    assert "wait for each other: a -> a" in str(second["flaws"])
    assert len(played.children) == 2
    assert isinstance(played.end, Fail)
    assert played.end.code == "plan_cycle"


def test_people_see_the_plan_in_a_form_and_change_it_before_it_runs():
    shown = []

    def people(child: Child) -> Any:
        shown.append(child)
        return {"then": "run it", "tasks": [task("mine", agent="reader")]}

    played = play(PLANNER, options(edit=True, queue="ops"), planned(task("a"), people=people))

    form: Any = shown[0].step.form
    assert form["properties"]["tasks"]["default"] == [task("a")]
    assert [child.key for child in played.children] == ["talk.plan.1", "talk.look.2", "talk.mine"]
    assert played.shared["plan"] == [task("mine", agent="reader")]


def test_edited_plan_with_a_cycle_goes_back_to_whoever_edited_it():
    answers = iter([[task("a", "a")], [task("a")]])

    played = play(
        PLANNER,
        options(edit=True, queue="ops"),
        planned(task("a"), people=lambda child: {"then": "run it", "tasks": next(answers)}),
    )

    second = played.of_kind("manual")[1]
    assert second.step is not None
    assert "wait for each other" in second.step.instructions
    assert played.output["results"] == {"a": {"did": "a"}}


def test_people_may_have_another_plan_made():
    answers = iter([{"then": "plan again", "say": "smaller"}, {"then": "run it"}])

    played = play(PLANNER, options(edit=True, queue="ops"), planned(task("a"), people=lambda child: next(answers)))

    assert played.children[2].given["said"] == "smaller"


def test_expressions_in_a_plan_stay_text():
    made = planned({**task("a"), "agent": "${input.x}", "input": {"x": "${input.secret}"}})
    people = iter([{"tasks": [{**task("a"), "input": {"x": "${input.secret}"}}], "then": "run it"}])

    played = play(
        PLANNER,
        options(edit=True, queue="ops"),
        lambda child: next(people) if child.step and child.step.kind == "manual" else made(child),
    )

    asked = played.of_kind("manual")[0].step
    assert asked is not None
    assert "$${input.x}" in asked.instructions
    assert "${" not in asked.instructions.replace("$${", "")
    assert played.children[-1].given == {"x": "${input.secret}"}


def test_plan_that_people_should_see_needs_a_queue():
    assert [flaw[0] for flaw in PLANNER.flaws(options(edit=True))] == ["options.queue"]
    assert not list(PLANNER.flaws(options()))
