"""Acts on one step, on a real engine: each leaves state that events rebuild, and does what its preview said."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User

from agents.errors import Permanent, Transient
from agents.registry import agent
from approvals.models import Gate
from orchestrator import acts, services
from orchestrator.acts import AnswerInvalid, PlanChanged
from orchestrator.acts.core import Done
from orchestrator.acts.refusals import ActImpossible
from orchestrator.errors import ReasonMissing
from orchestrator.invariants import violations
from orchestrator.models import Event, Run, Task, Timer
from tests import engine
from tests.engine import eventually, finished, publish, shift, start, statuses, task

pytestmark = pytest.mark.django_db(transaction=True)

NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
TEXT = {"type": "object", "properties": {"n": {"type": "string"}}, "required": ["n"]}
CHAIN = """
  - {key: a, type: automated, agent: test-patient}
  - {key: b, type: automated, agent: test-echo}
  - {key: c, type: automated, agent: test-echo}
"""


@agent(name="test-counter", version=1, title="Counter", input=NUMBER, output=NUMBER, capabilities=[])
async def counter(input: dict, ctx: Any) -> dict:
    """Count one up; fail on a negative number."""
    if input["n"] < 0:
        raise Permanent("negative", code="negative")
    return {"n": input["n"] + 1}


@agent(name="test-doubler", version=1, title="Doubler", input=NUMBER, output=NUMBER, capabilities=[])
async def doubler(input: dict, ctx: Any) -> dict:
    """Double it."""
    return {"n": abs(input["n"]) * 2}


@agent(name="test-speller", version=1, title="Speller", input=NUMBER, output=TEXT, capabilities=[])
async def speller(input: dict, ctx: Any) -> dict:
    """Say it, which is another promise."""
    return {"n": str(input["n"])}


@agent(name="test-later", version=1, title="Later", input=engine.OPEN, output=engine.OPEN, capabilities=[])
async def later(input: dict, ctx: Any) -> dict:
    """Say at first that an hour must pass."""
    if ctx.attempt == 1:
        raise Transient("not yet", retry_after=3600)
    return {"done": True}


@pytest.fixture
def mia() -> User:
    return User.objects.create_user("mia")


@pytest.fixture(autouse=True)
def _invariants() -> Iterator[None]:
    engine.gates_open.clear()
    yield
    engine.gates_open.set()
    assert [str(found) for found in violations()] == []


def do(run: Run, key: str, name: str, mia: User, **answers: object) -> Done:
    """Preview an act on a step, then do just that."""
    target = acts.of("task", task(run, key).pk)
    act = acts.find("task", name)
    digest = acts.preview(act, target, answers).digest
    return acts.perform(act, target, by=mia, reason="because", answers=answers, digest=digest)


def lines(run: Run, key: str, name: str, **answers: object) -> str:
    target = acts.of("task", task(run, key).pk)
    return " ".join(acts.preview(acts.find("task", name), target, answers).plan.lines)


def test_paused_step_ends_what_runs_and_does_not_start_until_resumed(mia: User) -> None:
    publish(CHAIN, rest="dependencies: {b: [a]}")
    run = start()
    do(run, "b", "pause", mia)
    engine.gates_open.set()

    with shift():
        eventually(lambda: statuses(run)["a"] == "succeeded" and statuses(run)["c"] == "succeeded")
        other = start()
        eventually(lambda: finished(other))
        assert statuses(run)["b"] == "ready"
        do(run, "b", "resume", mia)
        eventually(lambda: finished(run))

    assert run.status == "succeeded"


def test_pause_of_a_running_step_lets_it_finish_and_a_stop_does_not(mia: User) -> None:
    publish(CHAIN)
    run = start()
    with shift() as host:
        eventually(lambda: statuses(run)["a"] == "running")
        do(run, "a", "pause", mia)
        eventually(lambda: statuses(run)["c"] == "succeeded")
        assert host.holds(task(run, "a").pk)
        do(run, "a", "stop", mia)
        eventually(lambda: statuses(run)["a"] == "ready")
        assert not host.holds(task(run, "a").pk)
        do(run, "a", "resume", mia)
        engine.gates_open.set()
        eventually(lambda: finished(run))

    assert run.status == "succeeded"


@pytest.mark.parametrize(("scope", "name"), [("workflow", "flow"), ("agent", "test-patient"), ("everything", "all")])
def test_wide_pause_starts_nothing_and_cancels_nothing(mia: User, scope: str, name: str) -> None:
    publish(CHAIN)
    run = start()
    with shift() as host:
        eventually(lambda: statuses(run)["a"] == "running")
        acts.perform(acts.find(scope, "pause"), acts.locate(scope, name), by=mia, reason="look")
        later = start()
        if scope == "agent":
            eventually(lambda: statuses(later)["c"] == "succeeded")
        assert host.holds(task(run, "a").pk)
        engine.gates_open.set()
        eventually(lambda: statuses(run)["a"] == "succeeded")
        assert statuses(later)["a"] == "ready"

        acts.perform(acts.find(scope, "resume"), acts.locate(scope, name), by=mia, reason="go")
        eventually(lambda: finished(later))

    assert later.status == "succeeded"


def test_skip_with_an_output_feeds_the_steps_after_it(mia: User) -> None:
    publish(
        """
  - {key: a, type: automated, agent: test-counter, inputs: {n: -1}}
  - {key: b, type: automated, agent: test-counter, inputs: {n: "${steps.a.n}"}}
""",
        rest="dependencies: {b: [a]}",
    )
    run = start()
    with shift():
        eventually(lambda: finished(run))
        assert run.status == "failed"

        with pytest.raises(AnswerInvalid, match="n"):
            do(run, "a", "skip", mia, output={"n": "one"})
        do(run, "a", "skip", mia, output={"n": 41})
        eventually(lambda: finished(run))

    assert run.status == "succeeded"
    assert task(run, "b").output == {"n": 42}


def test_skip_without_an_output_skips_just_the_steps_that_its_preview_names(mia: User) -> None:
    publish(CHAIN, rest="dependencies: {b: [a], c: [b]}")
    run = start()

    assert "2 steps that only it leads to are skipped: b, c." in lines(run, "a", "skip")
    do(run, "a", "skip", mia)

    run.refresh_from_db()
    assert statuses(run) == dict.fromkeys("abc", "skipped")
    assert run.status == "succeeded"


def test_skip_of_a_running_step_interrupts_it_and_its_late_result_is_not_used(mia: User) -> None:
    publish(CHAIN)
    run = start()
    with shift() as host:
        eventually(lambda: statuses(run)["a"] == "running")
        do(run, "a", "skip", mia, output={"made": "by hand"})
        eventually(lambda: not host.holds(task(run, "a").pk))
        eventually(lambda: finished(run))

    assert task(run, "a").output == {"made": "by hand"}


def test_cancelled_step_takes_only_what_depends_on_it(mia: User) -> None:
    publish(CHAIN, rest="dependencies: {b: [a]}")
    run = start()
    with shift() as host:
        eventually(lambda: statuses(run)["a"] == "running")
        do(run, "a", "cancel", mia)
        eventually(lambda: finished(run) and not host.holds(task(run, "a").pk))

    assert statuses(run) == {"a": "cancelled", "b": "skipped", "c": "succeeded"}


def test_edited_input_is_checked_and_used(mia: User) -> None:
    publish("  - {key: a, type: automated, agent: test-counter, inputs: {n: -1}}")
    run = start()
    with shift():
        eventually(lambda: finished(run))
        with pytest.raises(AnswerInvalid, match="Input: n is not valid"):
            do(run, "a", "edit", mia, input={"n": "x"})
        with pytest.raises(ActImpossible, match="as it was"):
            do(run, "a", "edit", mia, input={"n": -1})
        do(run, "a", "edit", mia, input={"n": 6})
        eventually(lambda: finished(run))

    assert (run.status, task(run, "a").output, task(run, "a").input) == ("succeeded", {"n": 7}, {"n": 6})


def test_edited_input_is_never_read_as_an_expression(mia: User) -> None:
    publish("  - {key: a, type: automated, agent: test-echo}")
    run = start()
    do(run, "a", "edit", mia, input={"what": "${steps.b.secret}"})
    with shift():
        eventually(lambda: finished(run))

    assert task(run, "a").output["what"] == "${steps.b.secret}"


def test_redirect_offers_only_agents_that_fit_and_the_new_one_does_it(mia: User) -> None:
    publish("  - {key: a, type: automated, agent: test-counter, inputs: {n: -4}}")
    run = start()
    with shift():
        eventually(lambda: finished(run))
        offered = acts.find("task", "redirect").schema(acts.of("task", task(run, "a").pk))["properties"]["agent"][
            "enum"
        ]
        assert "test-doubler" in offered
        assert "test-speller" not in offered
        with pytest.raises(AnswerInvalid):
            do(run, "a", "redirect", mia, agent="test-speller")
        do(run, "a", "redirect", mia, agent="test-doubler")
        eventually(lambda: finished(run))

    assert task(run, "a").output == {"n": 8}


def test_redirect_to_an_agent_with_limits_keeps_to_them(mia: User) -> None:
    publish("  - {key: a, type: automated, agent: test-counter, inputs: {n: 1}}")
    services.set_agent_limits(agent="test-doubler", max_concurrency=1, rate_per_minute=None, by=None)
    run = start()
    do(run, "a", "redirect", mia, agent="test-doubler")

    assert task(run, "a").limited
    with shift():
        eventually(lambda: finished(run))
    assert task(run, "a").output == {"n": 2}


def test_step_that_waits_to_be_tried_again_is_tried_now(mia: User) -> None:
    publish("  - {key: a, type: automated, agent: test-later}")
    run = start()
    with shift():
        eventually(lambda: statuses(run)["a"] == "waiting")
        do(run, "a", "retry", mia)
        eventually(lambda: finished(run))

    assert (run.status, task(run, "a").attempt) == ("succeeded", 2)
    assert not Timer.objects.filter(kind="task_retry", fired_at=None).exists()


def test_nobody_decides_for_people_by_skipping_or_cancelling_what_they_are_asked(mia: User) -> None:
    publish('  - {key: a, type: automated, agent: test-echo, gate: {when: "true", queue: operations, title: Look}}')
    run = start()
    with shift():
        eventually(lambda: Gate.objects.filter(run=run, status="open").exists())

    for name in ("skip", "cancel", "retry"):
        with pytest.raises(ActImpossible):
            do(run, "a", name, mia)
    assert Gate.objects.filter(run=run, status="open").count() == 1


def test_edit_of_a_step_that_waits_for_people_withdraws_their_card_and_asks_again(mia: User) -> None:
    publish('  - {key: a, type: automated, agent: test-echo, gate: {when: "true", queue: operations, title: Look}}')
    run = start()
    with shift():
        eventually(lambda: Gate.objects.filter(run=run, status="open").exists())
        first = Gate.objects.get(run=run)
        assert "1 open decision about it is withdrawn." in lines(run, "a", "edit", input={"x": 1})
        do(run, "a", "edit", mia, input={"x": 1})
        eventually(lambda: Gate.objects.filter(run=run, status="open").exclude(pk=first.pk).exists())

    first.refresh_from_db()
    assert first.status == "withdrawn"
    assert Gate.objects.get(run=run, status="open").subject["proposal"]["x"] == 1


def test_preview_that_is_no_longer_true_is_refused_and_changes_nothing(mia: User) -> None:
    publish(CHAIN)
    run = start()
    target, act = acts.of("task", task(run, "a").pk), acts.find("task", "skip")
    digest = acts.preview(act, target, {}).digest
    with shift():
        eventually(lambda: statuses(run)["a"] == "running")
        events = Event.objects.filter(run_id=run.pk, kind__startswith="task.skipped").count()
        with pytest.raises(PlanChanged):
            acts.perform(act, target, by=mia, reason="because", digest=digest)
        with pytest.raises(ReasonMissing):
            acts.perform(act, target, by=mia, reason="  ")
        assert statuses(run)["a"] == "running"
        assert Event.objects.filter(run_id=run.pk, kind__startswith="task.skipped").count() == events
        engine.gates_open.set()
        eventually(lambda: finished(run))


def test_story_says_who_did_what_and_why(mia: User) -> None:
    publish(CHAIN)
    run = start()
    do(run, "a", "skip", mia, output={"n": 1})

    found = Event.objects.get(run_id=run.pk, kind="task.succeeded")
    assert (found.actor, found.data["reason"], found.data["given"]) == ("user:mia", "because", True)
    assert Task.objects.get(pk=found.task_id).key == "a"
