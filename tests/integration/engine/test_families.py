"""Pausing, resuming and cancelling a run reaches the runs that its steps have started, and theirs."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from orchestrator import acts
from orchestrator.engine import families, opening
from orchestrator.models import Event, Run, Task
from tests import people
from tests.engine import eventually, finished, publish, shift, start, statuses, task
from tests.hands import violations

pytestmark = pytest.mark.django_db(transaction=True)
INNER = "  - {key: nap, type: timer, duration: 30d}\n  - {key: next, type: automated, agent: test-echo}"


@pytest.fixture
def mia() -> User:
    return people.person("mia", "Workflow Orchestration Manager")


@pytest.fixture
def family() -> list[Run]:
    """A run, the run that it has started, and the one that this has: all three wait."""
    publish(INNER, name="inner", rest="dependencies: {next: [nap]}")
    publish("  - {key: sub, type: subworkflow, workflow: inner}", name="middle")
    publish("  - {key: sub, type: subworkflow, workflow: middle}", name="outer")
    top = start("outer")
    with shift():
        eventually(lambda: Task.objects.filter(kind="timer", status="waiting").exists())
    return [top, *Run.objects.exclude(pk=top.pk).order_by("pk")]


def do(run: Run, name: str, by: User) -> None:
    acts.perform(acts.find("run", name), acts.of("run", run.pk), by=by, reason="because")


def lines(run: Run, name: str) -> list[str]:
    plan = acts.preview(acts.find("run", name), acts.of("run", run.pk), {}).plan
    return [str(line) for line in (*plan.lines, *plan.warnings)]


def found(runs: list[Run]) -> list[str]:
    return [Run.objects.get(pk=run.pk).status for run in runs]


def test_pause_reaches_all_below_and_resume_lets_all_go(mia: User, family: list[Run]) -> None:
    assert "2 runs that its steps have started pause with it." in lines(family[0], "pause")

    do(family[0], "pause", mia)

    assert found(family) == ["paused"] * 3
    for run in family:
        told = Event.objects.get(run_id=run.pk, kind="run.paused")
        assert (told.actor, told.data["reason"]) == ("user:mia", "because")
    assert "2 runs that were paused with it go on too." in lines(family[0], "resume")

    do(family[0], "resume", mia)

    assert found(family) == ["running"] * 3
    assert Event.objects.filter(kind="run.resumed").count() == 3
    assert violations() == []


def test_run_that_was_paused_on_its_own_stays_paused_with_what_it_paused(mia: User, family: list[Run]) -> None:
    top, middle, _inner = family
    do(middle, "pause", mia)
    assert found(family) == ["running", "paused", "paused"]

    do(top, "pause", mia)
    assert any("were paused on their own and stay paused" in line for line in lines(top, "resume"))
    do(top, "resume", mia)

    assert found(family) == ["running", "paused", "paused"]
    do(middle, "resume", mia)
    assert found(family) == ["running"] * 3


def test_inner_run_that_was_paused_on_its_own_outlasts_a_pause_of_all(mia: User, family: list[Run]) -> None:
    top, _middle, inner = family
    do(inner, "pause", mia)

    do(top, "pause", mia)
    do(top, "resume", mia)

    assert found(family) == ["running", "running", "paused"]


def test_run_resumed_under_a_paused_parent_takes_its_own_along(mia: User, family: list[Run]) -> None:
    top, middle, _inner = family
    do(top, "pause", mia)
    assert f"Run #{top.pk}, which started it, stays paused." in lines(middle, "resume")

    do(middle, "resume", mia)

    assert found(family) == ["paused", "running", "running"]
    do(top, "resume", mia)
    assert found(family) == ["running"] * 3


def test_run_paused_again_on_its_own_forgets_who_paused_it_before(mia: User, family: list[Run]) -> None:
    top, middle, _inner = family
    do(top, "pause", mia)
    do(middle, "resume", mia)
    do(middle, "pause", mia)

    do(top, "resume", mia)

    assert found(family) == ["running", "paused", "paused"]


def test_steps_of_a_paused_family_start_nothing_and_go_on_afterwards(mia: User, family: list[Run]) -> None:
    top, _middle, inner = family
    do(top, "pause", mia)
    acts.perform(acts.find("task", "fire"), acts.of("task", task(inner, "nap").pk), by=mia, reason="now")
    assert statuses(inner) == {"nap": "succeeded", "next": "ready"}
    assert task(inner, "next").held

    do(top, "resume", mia)
    with shift():
        eventually(lambda: finished(top))

    assert found(family) == ["succeeded"] * 3
    assert violations() == []


def test_cancel_says_how_many_it_takes_along_and_does(mia: User, family: list[Run]) -> None:
    assert "2 runs that its steps have started are cancelled with it." in lines(family[0], "cancel")
    do(family[0], "pause", mia)

    do(family[0], "cancel", mia)
    eventually(lambda: found(family) == ["cancelled"] * 3)

    assert violations() == []


def test_run_started_while_its_parent_was_being_paused_stands_still_too(
    mia: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(INNER, name="inner")
    publish("  - {key: sub, type: subworkflow, workflow: inner}", name="outer")
    top = start("outer")
    real = opening.start_child

    def pause_first(*arguments: Any) -> None:
        if not Event.objects.filter(kind="run.paused").exists():
            do(top, "pause", mia)
        real(*arguments)

    monkeypatch.setattr(opening, "start_child", pause_first)
    with shift():
        eventually(lambda: statuses(top)["sub"] == "waiting")

    child = Run.objects.get(workflow__name="inner")
    assert child.status == "paused"
    assert set(statuses(child).values()) == {"ready"}
    assert families.to_resume(Run.objects.get(pk=top.pk)) == [child.pk]
    do(top, "resume", mia)
    assert found([top, child]) == ["running", "running"]
