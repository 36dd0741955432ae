"""Old and new workers side by side (scenario 36): a kind of a later release is declined, never failed."""

from datetime import timedelta
from typing import get_args

import pytest
from django.db.models import F
from django.db.models.functions import Now

from approvals.models import Gate
from approvals.services import decide
from orchestrator.definitions import serialise
from orchestrator.definitions.plan import PlanStep, StepKind
from orchestrator.engine import plans, sweep, work
from orchestrator.engine import shift as shifts
from orchestrator.invariants import violations
from orchestrator.models import Attempt, Timer
from orchestrator.states import RunStatus
from tests.engine import eventually, finished, publish, shift, start, task
from tests.hands import reviewer

pytestmark = pytest.mark.django_db(transaction=True)


def test_old_worker_declines_a_new_kind_and_a_new_worker_runs_it(monkeypatch):
    publish("- {key: each, type: map, over: input.items, body: {type: automated, agent: test-echo}}")
    run = start(items=[1, 2])
    with monkeypatch.context() as old:
        old.setattr(work, "_OTHER_KINDS", {})
        with shift():
            eventually(lambda: task(run, "each").lane == "kind:map")
    assert task(run, "each").failures == 0

    sweep.adopt_declined()
    with shift():
        eventually(lambda: finished(run))

    assert run.status == RunStatus.SUCCEEDED
    assert Attempt.objects.get(task_id=task(run, "each").pk, number=1).error["code"] == "unknown_kind"
    assert not list(violations())


def test_old_worker_declines_a_plan_with_a_new_field_and_a_new_worker_runs_it(monkeypatch):
    """What an author asks for in a later release's words is never run without it, and never asked about."""
    publish("- {key: a, type: automated, agent: test-echo, timeout: 5s}")
    run = start()
    plans.plan_of.cache_clear()
    every = serialise._defaults
    with monkeypatch.context() as old:
        less = {name: default for name, default in every(PlanStep).items() if name != "timeout"}
        old.setattr(serialise, "_defaults", lambda made: less if made is PlanStep else every(made))
        old.setattr(shifts, "_known_plans", {})
        with shift():
            eventually(lambda: task(run, "a").lane == "kind:field.PlanStep.timeout")
        sweep.adopt_declined()
        assert task(run, "a").lane == "kind:field.PlanStep.timeout"
    assert task(run, "a").failures == 0
    assert not Gate.objects.filter(run=run).exists()

    sweep.adopt_declined()
    with shift():
        eventually(lambda: finished(run))

    assert run.status == RunStatus.SUCCEEDED
    assert not list(violations())


def test_worker_adopts_only_kinds_that_it_knows():
    publish("- {key: each, type: map, over: input.items, body: {type: automated, agent: test-echo}}")
    run = start(items=[1])
    mine = task(run, "each")
    type(mine).objects.filter(pk=mine.pk).update(lane="kind:teleport")

    sweep.adopt_declined()

    assert task(run, "each").lane == "kind:teleport"


def test_every_kind_of_a_plan_is_known_and_so_adopted():
    known = {*get_args(StepKind.__value__)}

    assert known == work.KINDS


STEPS = """
- {key: a, type: automated, agent: test-echo, gate: {when: "true", queue: operations, title: Look, deadline: 7d}}
- {key: b, type: automated, agent: test-echo, inputs: {what: %s}}
"""


def test_gate_that_outlasts_three_deploys_and_a_new_version_is_decided_on_its_own():
    """Scenario 31: half a year at a gate; workers come and go, and its version is not the current one any more."""
    publish(STEPS % "first", rest="dependencies: {b: [a]}")
    run = start()
    with shift():
        eventually(lambda: Gate.objects.filter(run=run, status="open").exists())
    gate = Gate.objects.get(run=run)
    for deploy in range(3):
        plans.plan_of.cache_clear()  # a new process knows no plan
        publish(STEPS % f"later{deploy}", rest="dependencies: {b: [a]}")
        Gate.objects.filter(run=run).update(opened_at=F("opened_at") - timedelta(days=61), deadline_at=Now())
        Timer.objects.filter(kind="gate_deadline", ref=gate.pk, fired_at=None).update(due_at=Now())
        with shift():
            sweep.sweep()
            sweep.fire_timers()
        assert task(run, "a").wait_for == "gate"
    gate.refresh_from_db()
    assert gate.status == "open"

    decide(gate_id=gate.pk, by=reviewer("omar"), verdict="approve", gate_version=gate.version, note="at last")
    with shift():
        eventually(lambda: finished(run))

    assert (run.status, run.version.number) == (RunStatus.SUCCEEDED, 1)
    assert task(run, "b").output["what"] == "first"
    assert not list(violations())
