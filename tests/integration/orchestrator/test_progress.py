"""How far each agent of a run is (requirement A032)."""

import pytest

from orchestrator import progress
from orchestrator.models import Task
from tests import engine
from tests.engine import publish, start, task

pytestmark = pytest.mark.django_db


def test_each_agent_is_as_far_as_its_tasks_that_have_ended_however() -> None:
    publish(
        "\n".join(f"  - {{key: e{n}, type: automated, agent: test-echo}}" for n in range(3))
        + "\n  - {key: f, type: automated, agent: test-flaky}"
    )
    run = start()
    assert [(one.agent, one.percent) for one in progress.by_agent(run)] == [("test-echo", 0), ("test-flaky", 0)]

    Task.objects.filter(pk__in=[task(run, "e0").pk, task(run, "f").pk]).update(status="succeeded")
    Task.objects.filter(pk=task(run, "e1").pk).update(status="failed")

    found = progress.by_agent(run)
    assert [(one.agent, one.done, one.total, one.percent) for one in found] == [
        ("test-echo", 2, 3, 66), ("test-flaky", 1, 1, 100),
    ]  # fmt: skip
    assert dict(found[0].tones)["failed"] == 1
    engine.publish("  - {key: a, type: automated, agent: test-echo}", name="alone")
    assert progress.by_agent(start("alone")) == []


def test_bar_of_what_is_done_is_full_when_all_is_done_though_some_was_skipped() -> None:
    publish("\n".join(f"  - {{key: e{n}, type: automated, agent: test-echo}}" for n in range(2)) + "\n"
            "  - {key: f, type: automated, agent: test-flaky}")  # fmt: skip
    run = start()
    Task.objects.filter(pk=task(run, "e0").pk).update(status="succeeded")
    Task.objects.filter(pk=task(run, "e1").pk).update(status="skipped")

    [found] = [one for one in progress.by_agent(run) if one.agent == "test-echo"]

    assert found.percent == 100
    assert [part for part in found.tones if part[1]] == [("good", 1), ("idle", 1)]
