"""Acts on runs, and on many at once: priority, deadline, one agent for the rest, another version, cancelling."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now

from approvals import services as approvals
from approvals.models import Gate
from orchestrator import acts, snapshots
from orchestrator.acts import AnswerInvalid
from orchestrator.acts.core import Done
from orchestrator.acts.refusals import ActImpossible
from orchestrator.engine import sweep
from orchestrator.invariants import violations
from orchestrator.models import Event, Run, Stop, Task, Timer
from tests import engine, people
from tests.engine import eventually, finished, publish, shift, start, statuses, task

pytestmark = pytest.mark.django_db(transaction=True)

GATED = '  - {key: a, type: automated, agent: test-echo, gate: {when: "%s", queue: operations, title: Look}}'
CHAIN = """
  - {key: a, type: automated, agent: test-patient}
  - {key: b, type: automated, agent: test-echo}
"""


@pytest.fixture
def mia() -> User:
    return User.objects.create_user("mia")


@pytest.fixture(autouse=True)
def _invariants() -> Iterator[None]:
    engine.gates_open.clear()
    yield
    engine.gates_open.set()
    assert [str(found) for found in violations()] == []


def do(run: Run, name: str, mia: User, **answers: object) -> Done:
    target, act = acts.of("run", run.pk), acts.find("run", name)
    digest = acts.preview(act, target, answers).digest
    return acts.perform(act, target, by=mia, reason="because", answers=answers, digest=digest)


def lines(run: Run, name: str, **answers: object) -> str:
    found = acts.preview(acts.find("run", name), acts.of("run", run.pk), answers).plan
    return " ".join((*found.lines, *found.warnings))


def test_run_of_higher_priority_goes_first_and_undo_gives_its_own_back(mia: User) -> None:
    publish("  - {key: a, type: automated, agent: test-echo}")
    first, second = start(), start()

    done = do(second, "priority", mia, priority=50)
    with shift(capacity=1):
        eventually(lambda: finished(first) and finished(second))

    assert task(second, "a").started_at < task(first, "a").started_at
    assert (done.undo.name, dict(done.undo.answers)) == ("priority", {"priority": 0})
    assert Event.objects.get(run_id=second.pk, kind="run.priority_changed").data["to"] == 50


def test_run_that_is_alive_at_its_deadline_goes_first_and_says_so_once(mia: User) -> None:
    publish(CHAIN)
    run = start()
    do(run, "deadline", mia, by="2h")
    do(run, "deadline", mia, by="1h")
    assert Timer.objects.filter(kind="run_deadline", fired_at=None).count() == 1

    Timer.objects.filter(kind="run_deadline", fired_at=None).update(due_at=Now() - timedelta(seconds=1))
    sweep.fire_timers()
    sweep.fire_timers()

    run.refresh_from_db()
    assert (run.priority, task(run, "a").priority) == (100, 100)
    assert Event.objects.filter(run_id=run.pk, kind="run.deadline_passed").count() == 1


def test_deadline_is_taken_away_again(mia: User) -> None:
    publish(CHAIN)
    run = start()
    do(run, "deadline", mia, by="2h")
    do(run, "deadline", mia)

    run.refresh_from_db()
    assert run.deadline_at is None
    assert not Timer.objects.filter(kind="run_deadline", fired_at=None).exists()


@pytest.mark.parametrize("text", ["soon", "2020-01-01T00:00Z", "2999-01-01T00:00", "-4h", "2027-13-45T00:00Z"])
def test_deadline_that_is_none_is_refused(mia: User, text: str) -> None:
    publish(CHAIN)

    with pytest.raises(AnswerInvalid, match="Deadline"):
        do(start(), "deadline", mia, by=text)


def test_one_agent_does_the_rest_and_what_it_cannot_do_stays(mia: User) -> None:
    publish(
        """
  - {key: a, type: automated, agent: test-patient}
  - {key: b, type: automated, agent: test-flaky, inputs: {permanent: true}}
  - {key: c, type: automated, agent: test-huge, inputs: {size: 3}}
""",
        rest="dependencies: {b: [a], c: [b]}",
    )
    run = start()
    with shift():
        eventually(lambda: statuses(run)["a"] == "running")
        assert "1 step that runs now may finish as it is." in lines(run, "single-agent", agent="test-echo")
        do(run, "single-agent", mia, agent="test-echo")
        engine.gates_open.set()
        eventually(lambda: finished(run))

    assert run.status == "succeeded"
    assert task(run, "c").output["size"] == 3


STARTING = """
  - {key: each, type: map, over: "[1, 2]", body: {type: automated, agent: test-flaky, inputs: {permanent: true}}}
  - {key: polish, type: loop, until: "round > 1", most: 3,
     body: {type: automated, agent: test-flaky, inputs: {permanent: true}}}
  - key: chat
    type: pattern
    pattern: group_chat
    options:
      topic: anything
      queue: operations
      participants: [{name: ann, agent: test-flaky}, {name: ben, agent: test-patient}]
      end: {when: "round > 1"}
"""


@pytest.mark.parametrize("scope", ["run", "workflow"])
def test_one_agent_does_what_maps_loops_and_patterns_start(mia: User, scope: str) -> None:
    publish(STARTING)
    run = start()
    if scope == "run":
        assert "3 steps that start others give it what they have yet to start." in lines(
            run, "single-agent", agent="test-echo"
        )
        do(run, "single-agent", mia, agent="test-echo")
    else:
        flow = acts.locate("workflow", "flow")
        acts.perform(acts.find("workflow", "single-agent"), flow, by=None, reason="x", answers={"agent": "test-echo"})
        run = start()
    with shift():
        eventually(lambda: finished(run))

    assert run.status == "succeeded", run.error
    started = Task.objects.of_run(run.pk).filter(parent__isnull=False)
    assert {one.agent.name for one in started.select_related("agent") if one.agent} == {"test-echo"}
    assert started.count() == 6


def test_failed_run_is_taken_up_again_by_one_agent(mia: User) -> None:
    publish("  - {key: a, type: automated, agent: test-flaky, inputs: {permanent: true}}")
    run = start()
    with shift():
        eventually(lambda: finished(run))
        assert run.status == "failed"
        do(run, "single-agent", mia, agent="test-echo")
        eventually(lambda: finished(run))

    assert run.status == "succeeded"


def test_gate_that_was_open_for_months_is_still_approvable_on_its_version(mia: User) -> None:
    """SCENARIO 31: a new version changes nothing for a run that nobody has moved."""
    publish(GATED % "true")
    run = start()
    with shift():
        eventually(lambda: Gate.objects.filter(run=run, status="open").exists())
        Gate.objects.filter(run=run).update(opened_at=Now() - timedelta(days=183), deadline_at=Now())
        publish(GATED % "output.attempt > 5")
        gate = Gate.objects.get(run=run)
        omar = people.person("omar", "Human Oversight Coordinator")
        approvals.decide(gate_id=gate.pk, by=omar, verdict="approve", gate_version=gate.version, note="at last")
        eventually(lambda: finished(run))

    assert (run.status, run.version.number) == ("succeeded", 1)


def test_migration_voids_the_card_of_a_changed_step_and_goes_on_by_the_new_version(mia: User) -> None:
    publish(GATED % "true" + "\n  - {key: old, type: automated, agent: test-echo}", rest="dependencies: {old: [a]}")
    run = start()
    with shift():
        eventually(lambda: Gate.objects.filter(run=run, status="open").exists())
        first = Gate.objects.get(run=run)
        publish(
            GATED % "false" + "\n  - {key: new, type: automated, agent: test-echo, inputs: {what: new}}",
            rest="dependencies: {new: [a]}",
        )
        said = lines(run, "migrate", version="2")
        assert "1 step that has begun is kept" in said
        assert "New: new." in said
        assert "No longer done: old." in said
        assert "1 open decision is void" in said
        done = do(run, "migrate", mia, version="2")
        eventually(lambda: finished(run))

    first.refresh_from_db()
    assert first.status == "withdrawn"
    assert (run.status, run.version.number) == ("succeeded", 2)
    assert statuses(run) == {"a": "succeeded", "new": "succeeded"}
    assert dict(done.undo.answers) == {"version": "1"}


def test_migration_keeps_the_card_of_a_step_that_says_the_same(mia: User) -> None:
    publish(GATED % "true")
    run = start()
    with shift():
        eventually(lambda: Gate.objects.filter(run=run, status="open").exists())
        publish(
            GATED % "true" + "\n  - {key: more, type: automated, agent: test-echo}", rest="dependencies: {more: [a]}"
        )
        do(run, "migrate", mia, version="2")
        gate = Gate.objects.get(run=run)
        omar = people.person("omar", "Human Oversight Coordinator")
        approvals.decide(gate_id=gate.pk, by=omar, verdict="approve", gate_version=gate.version)
        eventually(lambda: finished(run))

    assert statuses(run) == {"a": "succeeded", "more": "succeeded"}


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ("  - {key: z, type: automated, agent: test-echo}\n" + CHAIN.strip("\n"), "stands at another place"),
        ("  - {key: z, type: automated, agent: test-echo}", "does not have it"),
    ],
)
def test_migration_names_what_cannot_go_over_and_changes_nothing(mia: User, steps: str, why: str) -> None:
    publish(CHAIN, rest="dependencies: {b: [a]}")
    run = start()
    engine.gates_open.set()
    do(run, "pause", mia)
    acts.perform(
        acts.find("task", "skip"), acts.of("task", task(run, "a").pk), by=mia, reason="x", answers={"output": {}}
    )
    publish(steps)

    with pytest.raises(ActImpossible, match=rf"^It cannot be moved .*\(.*a: .*{why}.*\); fork it to version 2 instead"):
        do(run, "migrate", mia, version="2")

    run.refresh_from_db()
    assert (run.version.number, set(statuses(run))) == (1, {"a", "b"})


def test_migration_waits_for_what_runs(mia: User) -> None:
    publish(CHAIN)
    run = start()
    with shift():
        eventually(lambda: statuses(run)["a"] == "running")
        publish(CHAIN + "  - {key: c, type: automated, agent: test-echo}")
        with pytest.raises(ActImpossible, match="a: it runs now"):
            do(run, "migrate", mia, version="2")
        engine.gates_open.set()
        eventually(lambda: finished(run))


SPREAD = """
  - {key: each, type: map, over: "[1, 2, 3]", at_once: 1, body: {type: automated, agent: %s}}
  - {key: end, type: automated, agent: test-echo, inputs: {what: "%s", each: "${steps.each.succeeded}"}}
"""
AFTER = "dependencies: {end: [each]}"


def begun_and_paused(mia: User) -> Run:
    """The first of three items has run, the others wait for it and for the run to be resumed."""
    publish(SPREAD % ("test-patient", "old"), rest=AFTER)
    run = start()
    with shift():
        eventually(lambda: statuses(run).get("each.0") == "running")
        do(run, "pause", mia)
        engine.gates_open.set()
        eventually(lambda: statuses(run)["each.0"] == "succeeded")
    return run


def test_migration_takes_what_a_step_has_started_along(mia: User) -> None:
    run = begun_and_paused(mia)
    publish(SPREAD % ("test-patient", "new"), rest=AFTER)

    assert "4 steps that have begun are kept" in lines(run, "migrate", version="2")
    do(run, "migrate", mia, version="2")
    assert [str(found) for found in violations()] == []
    then = snapshots.at_event(run, Event.objects.filter(run_id=run.pk).latest("id").pk)
    assert dict(zip(then.keys_of_tasks(), then.statuses, strict=True)) == statuses(run)
    do(run, "resume", mia)
    with shift():
        eventually(lambda: finished(run))

    assert (run.status, run.total) == ("succeeded", 5)
    assert (task(run, "end").output["what"], task(run, "end").output["each"]) == ("new", 3)


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        (SPREAD % ("test-echo", "old"), "said differently there"),
        (SPREAD % ("test-patient", "old") + "  - {key: more, type: automated, agent: test-echo}", "another number"),
    ],
)
def test_migration_leaves_a_run_whose_started_tasks_would_not_fit(mia: User, steps: str, why: str) -> None:
    run = begun_and_paused(mia)
    publish(steps, rest=AFTER)

    with pytest.raises(ActImpossible, match=rf"\(each[^;]*: [^;]*{why}[^;]*\); fork it to version 2 instead\.$"):
        do(run, "migrate", mia, version="2")

    assert {task.version.number for task in Task.objects.of_run(run.pk).select_related("version")} == {1}


def test_cancelling_a_workflow_leaves_later_runs_and_other_workflows_alone(mia: User) -> None:
    publish(CHAIN)
    publish(CHAIN, name="other")
    meant, other = [start(), start()], start("other")
    target, act = acts.locate("workflow", "flow"), acts.find("workflow", "cancel")
    answers = act.answers(target)
    digest = acts.preview(act, target, answers).digest
    later = start()

    done = acts.perform(act, target, by=mia, reason="wrong data", answers=answers, digest=digest)

    assert done.data["cancelled"] == 2
    assert {Run.objects.get(pk=run.pk).status for run in meant} == {"cancelled"}
    assert {Run.objects.get(pk=run.pk).status for run in (later, other)} == {"running"}
    with pytest.raises(ActImpossible):
        acts.perform(act, target, by=mia, reason="wrong data", answers=answers, digest=digest)


def test_cancelling_an_agents_steps_spares_those_that_people_are_asked_about(mia: User) -> None:
    publish(
        GATED % "true"
        + "\n  - {key: b, type: automated, agent: test-echo}\n  - {key: c, type: automated, agent: test-huge}"
    )
    run = start()
    target, act = acts.locate("agent", "test-echo"), acts.find("agent", "cancel")
    assert "1 step that people are asked about is left alone." in acts.preview(act, target, {}).plan.warnings

    acts.perform(act, target, by=mia, reason="it lies")

    assert statuses(run) == {"a": "ready", "b": "cancelled", "c": "ready"}


def test_pause_becomes_a_stop_and_both_are_lifted_at_once(mia: User) -> None:
    publish(CHAIN)
    target = acts.locate("workflow", "flow")
    for name in ("pause", "stop", "resume"):
        acts.perform(acts.find("workflow", name), target, by=mia, reason=name)

    assert not Stop.objects.filter(lifted_at=None).exists()
    assert list(Stop.objects.order_by("pk").values_list("lets_finish", flat=True)) == [True, False]


def test_editing_what_is_to_come_changes_this_run_alone_and_never_what_has_begun(mia: User) -> None:
    publish(GATED % "true" + "\n  - {key: old, type: automated, agent: test-echo}", rest="dependencies: {old: [a]}")
    run, other = start(), start()
    with shift():
        eventually(lambda: Gate.objects.filter(status="open").count() == 2)
        source = run.version.source
        ahead = source.replace(
            "{key: old, type: automated, agent: test-echo}", "{key: new, type: automated, agent: test-echo}"
        )
        ahead = ahead.replace("{old: [a]}", "{new: [a]}")
        for refused, why in ((source, "Nothing"), (ahead.replace("true", "false"), "a: it has begun")):
            with pytest.raises(ActImpossible, match=why):
                do(run, "edit-remaining", mia, source=refused)
        said = lines(run, "edit-remaining", source=ahead)
        assert ("New: new." in said, "No longer done: old." in said) == (True, True)

        do(run, "edit-remaining", mia, source=ahead)

        omar = people.person("omar", "Human Oversight Coordinator")
        for gate in Gate.objects.filter(status="open"):  # the card that was open stands: its step is the same
            approvals.decide(gate_id=gate.pk, by=omar, verdict="approve", gate_version=gate.version)
        eventually(lambda: finished(run) and finished(other))

    assert statuses(run) == {"a": "succeeded", "new": "succeeded"}
    assert statuses(other) == {"a": "succeeded", "old": "succeeded"}
    run.refresh_from_db()
    assert (run.version.number, run.version.deprecated_at is None) == (2, False)
    assert run.workflow.current_version.number == 1
