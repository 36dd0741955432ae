"""Old and new workers side by side (scenario 36): a kind of a later release is declined, never failed."""

import pytest

from orchestrator.engine import sweep, work
from orchestrator.invariants import violations
from orchestrator.models import Attempt
from orchestrator.states import RunStatus
from tests.engine import eventually, finished, publish, shift, start, task

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


def test_worker_adopts_only_kinds_that_it_knows():
    publish("- {key: each, type: map, over: input.items, body: {type: automated, agent: test-echo}}")
    run = start(items=[1])
    mine = task(run, "each")
    type(mine).objects.filter(pk=mine.pk).update(lane="kind:teleport")

    sweep.adopt_declined()

    assert task(run, "each").lane == "kind:teleport"
