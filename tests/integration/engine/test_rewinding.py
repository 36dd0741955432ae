"""Going back: forks, rollbacks, restarts. What had succeeded is kept, what comes after runs again."""

import re
from html import unescape
from typing import Any

import pytest

from orchestrator import acts, sequencer
from orchestrator.acts import ActImpossible, PlanChanged
from orchestrator.errors import (
    CheckpointNotFound,
    EffectsWouldRepeat,
    EventNotInRun,
    InvalidInput,
    MigratedSince,
    NothingToRun,
)
from orchestrator.invariants import violations
from orchestrator.models import Checkpoint, Event, LedgerEntry, Run, StateEntry, Task
from orchestrator.states import RunStatus
from tests import engine, factories
from tests.engine import eventually, finished, publish, shift, start, statuses, task

pytestmark = pytest.mark.django_db(transaction=True)

CHAIN = """
- {key: a, type: automated, agent: test-keeper, shares: [x], inputs: {do: [[put, shared.x, 1]]}, checkpoint: a is done}
- {key: b, type: automated, agent: test-keeper, shares: [x], inputs: {do: [[add, shared.x], [put, mine, 1]]}}
- {key: c, type: automated, agent: test-echo, inputs: {what: "${input.what}"}}
"""
ORDER = "dependencies: {b: [a], c: [b]}"
PAYS = """
- {key: a, type: automated, agent: test-echo, checkpoint: before paying}
- {key: b, type: automated, agent: test-payer}
"""


def ran(steps: str = CHAIN, rest: str = ORDER, **given: Any) -> Run:
    publish(steps, rest=rest)
    run = start(**{"what": "c", **given})
    work(run)
    return run


def work(run: Run) -> None:
    with shift():
        eventually(lambda: finished(run))


def pos_of(run: Run, kind: str, number: int = 0) -> int:
    with sequencer.connect() as own:
        sequencer.seal_all(own)
    event = list(Event.objects.filter(run=run, kind=kind).order_by("id").values_list("pk", flat=True))[number]
    return LedgerEntry.objects.get(event_id=event).pos


def perform(run: Run, act: str, **answers: Any) -> acts.Done:
    return acts.perform(acts.find("run", act), acts.of("run", run.pk), by=None, reason="to see", answers=answers)


def forked(run: Run, **answers: Any) -> Run:
    return Run.objects.get(pk=perform(run, "fork", **answers).data["run"])


def state(run: Run) -> dict[str, Any]:
    latest = StateEntry.objects.filter(run=run).order_by("key", "-version").distinct("key")
    return {entry.key: entry.value for entry in latest if not entry.deleted}


def test_a_fork_copies_what_had_succeeded_and_runs_the_rest_with_the_new_input():
    run = ran()

    fork = forked(run, event=pos_of(run, "task.succeeded", 1), input={"what": "other"})
    before = statuses(fork)
    work(fork)

    assert before == {"a": "succeeded", "b": "succeeded", "c": "ready"}
    assert fork.status == RunStatus.SUCCEEDED
    second = Event.objects.filter(run=run, kind="task.succeeded").order_by("id")[1]
    assert (fork.forked_from_id, fork.forked_at) == (run.pk, second.pk)
    assert task(fork, "c").output["what"] == "other"
    assert task(fork, "a").attempt == 0
    assert task(fork, "a").output == task(run, "a").output
    assert [what for what, _ in engine.calls] == ["c", "other"]
    assert state(fork) == {"shared.x": 2, "b.mine": 1}
    copied = Event.objects.filter(run=fork, kind="task.copied").order_by("id").values_list("data__run", flat=True)
    assert list(copied) == [run.pk, run.pk]
    assert not list(violations())


def test_a_fork_whose_form_nobody_has_touched_is_what_the_form_has_shown(client):
    """Its unticked box is sent as nothing: that must not look like another plan than the one that was shown."""
    run = ran()
    place = pos_of(run, "task.succeeded", 1)
    client.force_login(factories.user("maria", "Workflow Orchestration Manager"))
    address = f"/act/run/{run.pk}/fork/"

    page = unescape(client.get(address, {"answers": f'{{"event": {place}}}'}).content.decode())
    digest = re.search(r'name="digest" value="([0-9a-f]+)"', page)
    typed = re.search(r'name="input.input"[^>]*>([^<]*)<', page)
    assert digest is not None
    assert typed is not None
    sent = {"input.event": str(place), "input.input": typed[1], "input.version": "", "digest": digest[1]}
    answer = client.post(address, {**sent, "reason": "why"})

    assert answer.status_code == 302
    assert Run.objects.get(forked_from=run).forked_at is not None


def test_a_fork_has_the_state_as_it_was():
    run = ran()

    fork = forked(run, event=pos_of(run, "checkpoint.made"))

    assert state(fork) == {"shared.x": 1}
    assert statuses(fork) == {"a": "succeeded", "b": "ready", "c": "blocked"}


def test_a_fork_keeps_branches_not_taken_skipped():
    steps = """
- {key: choose, type: conditional, branches: [{when: "input.what == 'c'", then: [yes_]}], default: [no_]}
- {key: yes_, type: automated, agent: test-echo}
- {key: no_, type: automated, agent: test-echo}
- {key: end, type: automated, agent: test-echo}
"""
    run = ran(steps, "dependencies: {yes_: [choose], no_: [choose], end: [yes_, no_]}")

    fork = forked(run, event=pos_of(run, "task.succeeded", 1))
    work(fork)

    assert statuses(fork) == {"choose": "succeeded", "yes_": "succeeded", "no_": "skipped", "end": "succeeded"}
    assert task(fork, "end").attempt == 1
    assert not list(violations())


def test_a_fork_into_another_version_copies_the_steps_that_are_the_same():
    run = ran()
    publish(CHAIN.replace("key: b", "key: b2"), rest=ORDER.replace("b", "b2"))

    fork = forked(run, event=pos_of(run, "task.succeeded", 1), version=2)

    assert fork.version.number == 2
    assert statuses(fork) == {"a": "succeeded", "b2": "ready", "c": "blocked"}


def test_a_fork_that_would_repeat_a_side_effect_must_be_told_that_it_may():
    run = ran(PAYS, "dependencies: {b: [a]}")
    at = pos_of(run, "checkpoint.made")

    with pytest.raises(EffectsWouldRepeat, match=r"payment of b"):
        forked(run, event=at)
    assert Run.objects.count() == 1

    preview = acts.preview(acts.find("run", "fork"), acts.of("run", run.pk), {"event": at, "repeat_effects": True})
    assert "payment of b" in preview.plan.warnings[0]
    work(forked(run, event=at, repeat_effects=True))
    assert [what for what, _ in engine.calls].count("paid") == 2


@pytest.mark.parametrize(
    ("answers", "refusal"),
    [({"event": 10**9}, EventNotInRun), ({"event": 1, "version": 9}, InvalidInput)],
)
def test_a_fork_from_nowhere_is_refused_and_starts_nothing(answers, refusal):
    run = ran()

    with pytest.raises(refusal):
        forked(run, **answers)

    assert Run.objects.count() == 1


def test_a_fork_that_would_run_nothing_is_refused():
    run = ran()

    with pytest.raises(NothingToRun):
        forked(run, event=pos_of(run, "run.succeeded"))


def test_a_rollback_runs_only_what_came_after_the_checkpoint():
    run = ran()

    perform(run, "rollback", checkpoint=1)
    run.refresh_from_db()
    between = (run.status, statuses(run), state(run))
    work(run)

    assert between == ("running", {"a": "succeeded", "b": "ready", "c": "blocked"}, {"shared.x": 1})
    assert run.status == RunStatus.SUCCEEDED
    assert [task(run, key).attempt for key in "abc"] == [1, 2, 2]
    assert state(run) == {"shared.x": 2, "b.mine": 1}
    assert list(Event.objects.filter(run=run, kind="task.rolled_back").values_list("data__was", flat=True)) == [
        "succeeded", "succeeded",
    ]  # fmt: skip
    assert not list(violations())


def test_a_rollback_of_a_live_run_cuts_off_what_runs():
    publish(PAYS.replace("test-payer", "test-patient"), rest="dependencies: {b: [a]}")
    run = start()
    with shift() as working:
        eventually(lambda: working.holds(task(run, "b").pk))
        perform(run, "rollback", checkpoint=1)
        engine.gates_open.set()
        eventually(lambda: finished(run))

    assert run.status == RunStatus.SUCCEEDED
    assert task(run, "b").attempt == 2
    assert not list(violations())


def test_a_rollback_of_a_map_cancels_its_tasks_and_spawns_anew():
    steps = """
- {key: list, type: automated, agent: test-echo, inputs: {items: [1, 2]}, checkpoint: listed}
- key: each
  type: map
  over: steps.list.items
  body: {type: automated, agent: test-patient}
"""
    publish(steps, rest="dependencies: {each: [list]}")
    run = start()
    with shift():
        eventually(lambda: engine.calls.count(("patient", 1)) == 2)
        perform(run, "rollback", checkpoint=1)
        engine.gates_open.set()
        eventually(lambda: finished(run))

    assert run.status == RunStatus.SUCCEEDED
    assert sorted(Task.objects.of_run(run.pk).values_list("status", flat=True)) == ["cancelled"] * 2 + ["succeeded"] * 4
    assert not list(violations())


def test_a_rollback_of_a_failed_run_lets_it_try_again():
    run = ran(
        PAYS.replace("agent: test-payer", "agent: test-flaky, inputs: {permanent: true}"), "dependencies: {b: [a]}"
    )
    assert run.status == RunStatus.FAILED

    perform(run, "rollback", checkpoint=1)
    run.refresh_from_db()

    assert (run.status, run.failed, run.error, run.remaining) == ("running", 0, None, 1)
    assert not list(violations())


def test_a_confirmed_effect_stays_done_and_the_preview_says_so():
    run = ran(PAYS, "dependencies: {b: [a]}")
    preview = acts.preview(acts.find("run", "rollback"), acts.of("run", run.pk), {"checkpoint": 1})

    perform(run, "rollback", checkpoint=1)
    work(run)

    assert "payment of b" in preview.plan.warnings[1]
    assert [what for what, _ in engine.calls].count("paid") == 1


def test_what_cannot_be_rolled_back_is_refused():
    run = ran()
    with pytest.raises(CheckpointNotFound):
        perform(run, "rollback", checkpoint=7)
    bare = ran("- {key: a, type: automated, agent: test-echo}", "")
    with pytest.raises(ActImpossible, match="no checkpoint"):
        perform(bare, "rollback")


def test_a_rollback_that_is_no_longer_what_was_agreed_to_does_nothing():
    run, act = ran(), acts.find("run", "rollback")
    preview = acts.preview(act, acts.of("run", run.pk), {"checkpoint": 1})
    perform(run, "rollback", checkpoint=1)

    with pytest.raises(PlanChanged):
        acts.perform(
            act, acts.of("run", run.pk), by=None, reason="again", answers={"checkpoint": 1}, digest=preview.digest
        )


def test_a_rollback_across_a_migration_is_refused():
    publish(CHAIN, rest=ORDER)
    run = start(what="c")
    perform(run, "checkpoint", name="at the start")
    publish(CHAIN + "- {key: d, type: automated, agent: test-echo}", rest=ORDER)
    perform(run, "migrate", version="2")

    with pytest.raises(MigratedSince):
        perform(run, "rollback", checkpoint=1)

    assert not list(violations())


def test_a_stopped_agent_leaves_a_checkpoint_and_goes_on_from_it_when_tried_again():
    publish("- {key: a, type: automated, agent: test-keeper, inputs: {do: [[put, x, 1], [checkpoint, half], [wait]]}}")
    run = start()
    with shift():
        eventually(lambda: Checkpoint.objects.filter(run=run).exists())
        target = acts.of("task", task(run, "a").pk)
        acts.perform(acts.find("task", "terminate"), target, by=None, reason="it went astray")
        eventually(lambda: task(run, "a").status == "waiting")
        assert not list(violations())
        engine.gates_open.set()
        acts.perform(acts.find("task", "restart"), acts.of("task", task(run, "a").pk), by=None, reason="try again")
        eventually(lambda: finished(run))

    made = Checkpoint.objects.get(run=run, number=2)
    assert made.decisions == [{"decision": "Stopped the agent of a", "reasoning": "it went astray"}]
    assert Event.objects.get(run=run, kind="task.terminated").data["reason"] == "it went astray"
    assert run.status == RunStatus.SUCCEEDED
    assert state(run) == {"a.x": 1}
    assert not list(violations())


def test_a_restarted_agent_finds_its_last_checkpoint():
    publish("- {key: a, type: automated, agent: test-keeper, inputs: {do: [[checkpoint, half], [wait]]}}")
    run = start()
    with shift():
        eventually(lambda: Checkpoint.objects.filter(run=run).exists())
        acts.perform(acts.find("task", "restart"), acts.of("task", task(run, "a").pk), by=None, reason="it hangs")
        eventually(lambda: task(run, "a").attempt == 2)
        engine.gates_open.set()
        eventually(lambda: finished(run))

    assert task(run, "a").output["resumed"] == "half"
    assert Checkpoint.objects.filter(run=run).count() == 1
    assert not list(violations())


def test_a_person_saves_a_checkpoint_and_corrects_state():
    publish(CHAIN, rest=ORDER)
    run = start(what="c")

    perform(run, "checkpoint", name="at the start", finding="nothing yet")
    perform(run, "write-state", key="shared.x", value={"n": 1}, expected=0)

    made = Checkpoint.objects.get(run=run)
    assert (made.name, made.findings) == ("at the start", [{"finding": "nothing yet"}])
    assert made.decisions == [{"decision": "at the start", "reasoning": "to see"}]
    assert state(run) == {"shared.x": {"n": 1}}
    assert not list(violations())


UNDOABLE = """
- {key: a, type: automated, agent: test-echo, checkpoint: before paying}
- key: b
  type: automated
  agent: test-payer
  compensate: {agent: test-echo, inputs: {what: undone}}
- {key: c, type: automated, agent: test-flaky, inputs: {permanent: true}}
"""


def test_what_a_failed_run_has_undone_is_done_again_after_a_rollback():
    run = ran(UNDOABLE, f"{ORDER}\nerror_handling: {{on_failure: compensate}}")
    assert run.status == RunStatus.FAILED
    assert [what for what, _ in engine.calls].count("undone") == 1

    preview = acts.preview(acts.find("run", "rollback"), acts.of("run", run.pk), {"checkpoint": 1})
    perform(run, "rollback", checkpoint=1)
    with shift():
        eventually(lambda: [what for what, _ in engine.calls].count("paid") == 2)
        eventually(lambda: finished(run))

    assert "done again now: b" in preview.plan.warnings[1]
    assert not list(violations())
