"""Workers that are killed, frozen, poisoned or asked to leave while they work."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libfaketime
import pytest

from approvals.models import Gate, Queue
from orchestrator.models import Attempt, Effect, Event, Run, Task, Timer
from orchestrator.models import Shift as ShiftRow
from tests.chaos.workers import LEASE, ROOT, Site, begin, ended, live_shifts
from tests.hands import reviewer, violations

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.chaos]


@pytest.fixture
def site(transactional_db: None, folder: Path, settings: Any) -> Iterator[Site]:
    settings.DATA_DIR = folder
    Queue.objects.get_or_create(name="operations", defaults={"title": "Operations"})
    reviewer()
    made = Site(folder)
    yield made
    made.end()


def only_task(run: Run, key: str = "a") -> Task:
    return Task.objects.of_run(run.pk).get(key=key)


def step(agent: str, key: str = "a", **inputs: object) -> str:
    given = ", ".join(f"{name}: {value}" for name, value in inputs.items())
    return f"  - {{key: {key}, type: automated, agent: {agent}, inputs: {{{given}}}}}"


def test_killed_worker_is_replaced_within_the_lease_and_its_output_applied_once(site: Site) -> None:
    site.open(1, 1)
    run = begin(step("chaos-slow", seconds=1.5))
    site.until(lambda: site.started(run), seconds=10, what="it runs")

    os.kill(site.started(run)[0]["parent"], signal.SIGKILL)
    killed_at = time.monotonic()
    site.until(lambda: len(site.started(run)) == 2, seconds=LEASE + 2, what="another worker runs it")
    taken_over = time.monotonic() - killed_at
    site.until(lambda: ended(run), seconds=15, what="it ends")

    assert taken_over < LEASE + 2
    first, second = site.started(run)
    assert first["parent"] != second["parent"]
    assert (run.status, only_task(run).attempt, only_task(run).losses) == ("succeeded", 2, 1)
    assert Event.objects.filter(run_id=run.pk, kind="task.succeeded").count() == 1
    assert violations() == []


def test_pool_process_that_is_killed_costs_one_loss_and_no_failure(site: Site) -> None:
    site.shifts = 1
    site.open(1)
    run = begin(step("chaos-killer", times=1))

    site.until(lambda: ended(run), seconds=20, what="it ends")

    task = only_task(run)
    assert (run.status, task.attempt, task.losses, task.failures) == ("succeeded", 2, 1, 0)
    ends = Attempt.objects.filter(task_id=task.pk).order_by("number").values_list("status", flat=True)
    assert list(ends) == ["expired", "succeeded"]
    assert violations() == []


def test_poison_is_quarantined_after_three_deaths_and_its_neighbours_are_not(site: Site) -> None:
    site.open(2)
    steps = [step("chaos-slow", f"n{i}", seconds=1) for i in range(5)]
    run = begin("\n".join([*steps, step("chaos-killer", "poison", times=99)]))

    site.until(lambda: Gate.objects.filter(run=run, status="open").exists(), seconds=40, what="a person is asked")
    neighbours = Task.objects.of_run(run.pk).exclude(key="poison")
    site.until(lambda: not neighbours.exclude(status="succeeded").exists(), seconds=20, what="its neighbours end")

    poison = only_task(run, "poison")
    deaths = [found for found in site.started(run) if found["key"] == f"task-{poison.pk}-0"]
    assert len(deaths) == 3
    assert (poison.status, poison.wait_for) == ("waiting", "quarantine")
    assert Gate.objects.get(run=run).kind == "quarantine"
    assert violations() == []


def test_frozen_worker_finds_its_result_refused_and_kept(site: Site) -> None:
    site.open(1, 1)
    run = begin(step("chaos-slow", seconds=1.5))
    site.until(lambda: site.started(run), seconds=10, what="it runs")
    frozen = site.started(run)[0]["pid"]

    os.kill(frozen, signal.SIGSTOP)
    site.until(lambda: ended(run), seconds=LEASE + 10, what="another worker ends it")
    os.kill(frozen, signal.SIGCONT)
    late = Event.objects.filter(run_id=run.pk, kind="task.late_result")
    site.until(late.exists, seconds=10, what="the late result is kept")

    assert only_task(run).output["attempt"] == 2
    first = Attempt.objects.get(task_id=only_task(run).pk, number=1)
    assert (first.status, first.output["attempt"]) == ("late", 1)
    assert violations() == []


def test_worker_asked_to_leave_ends_what_it_runs_and_nobody_else_starts_it(site: Site) -> None:
    site.open(1, 1)
    run = begin(step("chaos-slow", seconds=2.5 * LEASE))
    site.until(lambda: site.started(run), seconds=10, what="it runs")
    leaving = next(worker for worker in site.workers if worker.pid == site.started(run)[0]["parent"])

    leaving.terminate()
    site.until(lambda: leaving.poll() is not None, seconds=2.5 * LEASE + 15, what="the worker has left")

    assert leaving.returncode == 0
    assert ended(run)
    assert len(site.started(run)) == 1
    assert (run.status, only_task(run).attempt, only_task(run).losses) == ("succeeded", 1, 0)
    assert violations() == []


START = """
import django
django.setup()
from orchestrator import services
services.start_run(workflow="chaos", input={}, by=None, actor="feed")
"""


def test_run_whose_starter_died_after_the_commit_is_worked_all_the_same(site: Site) -> None:
    site.shifts = 1
    site.open(1)
    begin(step("chaos-slow"))

    env = site.environment(WATCHKEEPER_FAILPOINTS="start.committed=exit")
    died = subprocess.run([sys.executable, "-c", START], cwd=ROOT, env=env, timeout=60, check=False)

    assert died.returncode == 1
    assert Run.objects.count() == 2
    site.until(lambda: all(ended(run) for run in Run.objects.all()), seconds=10, what="both ran")
    assert set(Run.objects.values_list("status", flat=True)) == {"succeeded"}
    assert violations() == []


def test_worker_that_died_after_an_effect_leaves_a_question_and_one_charge(site: Site) -> None:
    site.shifts = 1
    site.open(1)
    run = begin(step("chaos-effect", die="true"))

    site.until(lambda: Gate.objects.filter(run=run, status="open").exists(), seconds=20, what="a person is asked")

    assert len(site.records("charge")) == 1
    assert Effect.objects.get().status == "unknown"
    error = Gate.objects.get(run=run).subject["proposal"]["error"]
    assert error["code"] == "effect_unknown"
    assert violations() == []


def test_payment_whose_answer_was_never_heard_is_found_at_its_provider_by_its_key(site: Site) -> None:
    site.shifts = 1
    site.open(1)
    run = begin(step("chaos-payer"))

    site.until(lambda: ended(run), seconds=20, what="it ends")

    paid = site.records("paid")
    assert len(paid) == 1
    assert (run.status, only_task(run).attempt) == ("succeeded", 2)
    assert only_task(run).output == {"paid": {"receipt": paid[0]["key"]}}
    assert Effect.objects.get().status == "confirmed"
    assert violations() == []


def test_old_worker_beside_a_new_one_leaves_it_what_it_does_not_know(site: Site) -> None:
    site.shifts = 1
    site.worker(1, CHAOS_RELEASE="old")
    site.until(lambda: live_shifts() == 1, seconds=60, what="the old worker is at work")
    run = begin(f"""
{step("chaos-slow")}
  - {{key: each, type: map, over: "[1, 2, 3]", body: {{type: automated, agent: chaos-slow}}}}""",
        rest="dependencies: {each: [a]}",
    )  # fmt: skip
    declined = Attempt.objects.filter(task__run=run, error__code="unknown_kind")
    site.until(declined.exists, seconds=20, what="the old worker has declined the map")
    assert only_task(run).status == "succeeded"

    site.shifts = 2
    site.open(1)
    site.until(lambda: ended(run), seconds=20, what="the new worker has done it")

    each = only_task(run, "each")
    assert (run.status, each.failures, each.losses) == ("succeeded", 0, 0)
    assert each.attempt > 1
    assert each.output["succeeded"] == 3
    assert site.workers[0].poll() is None  # the old one lives on
    assert live_shifts() == 2
    assert violations() == []


def test_worker_that_dies_between_the_rows_of_a_wide_spawn_and_its_run_leaves_none_of_them(site: Site) -> None:
    site.shifts = 1
    dies = site.worker(WATCHKEEPER_FAILPOINTS="spawn.added=exit")
    wide = range(250)
    body = "body: {type: automated, agent: chaos-slow, inputs: {seconds: 0.01}}"
    run = begin(f"  - {{key: a, type: map, over: '{[0 for _ in wide]}', {body}}}")

    site.until(lambda: only_task(run).losses > 0, seconds=30, what="it has died")
    dies.kill()
    dies.wait()
    assert Task.objects.of_run(run.pk).count() == 1
    site.worker()
    site.until(lambda: ended(run), seconds=150, what="another worker has started and ended them")

    assert run.status == "succeeded"
    assert sorted(Task.objects.of_run(run.pk).values_list("key", flat=True)) == sorted(
        ["a", *(f"a.{at}" for at in wide)]
    )
    assert violations() == []


def test_worker_of_a_pool_does_what_is_meant_for_it_and_nobody_else_does(site: Site) -> None:
    """A pool's worker hears its own queue only, and its shifts ring for the next one there."""
    site.shifts = 1
    site.open(1)
    there = step("chaos-slow", "there", seconds=0.1) + "\n"
    here = step("chaos-slow", "here", seconds=0.1) + "\n"
    run = begin(there.replace("type:", "lane: eu, type:") + here)
    site.until(lambda: only_task(run, "here").status == "succeeded", seconds=15, what="the default pool has worked")
    assert only_task(run, "there").status == "ready"

    pool = site.worker(1, POOL="eu", SHIFTS="1", SHIFT_SECONDS="1")
    site.ring(pool="eu")
    site.until(lambda: ended(run), seconds=60, what="the pool's worker has done its step")
    again = begin(there.replace("type:", "lane: eu, type:"), name="again")
    time.sleep(1.5)  # the shift that was rung for is over: what follows, it has rung for itself
    site.until(lambda: ended(again), seconds=20, what="the pool's next shift has done another")

    by = {found["key"].split("-")[1]: found["parent"] for found in site.started(run)}
    assert by[str(only_task(run, "there").pk)] == pool.pid
    assert by[str(only_task(run, "here").pk)] == site.workers[0].pid
    assert [found["parent"] for found in site.started(again)] == [pool.pid]
    assert violations() == []


def wrong(by: str) -> dict[str, str]:
    """What makes the whole process, C code and all, see another time."""
    library = Path(libfaketime.__file__).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
    assert library.exists()
    return {"LD_PRELOAD": str(library), "FAKETIME": by, "DONT_FAKE_MONOTONIC": "1"}


@pytest.mark.timeout(300)  # their start under a library that answers for the clock takes its time
def test_workers_an_hour_ahead_and_an_hour_behind_lose_nothing_and_fire_nothing_early(site: Site) -> None:
    site.worker(1, **wrong("+1h"))
    site.worker(1, **wrong("-1h"))
    site.until(lambda: live_shifts() == 2, seconds=60, what="both have a shift")
    slow = "\n".join(step("chaos-slow", f"s{n}", seconds=LEASE + 1) for n in range(8))
    run = begin(
        slow + "\n  - {key: t, type: timer, duration: 3s}"
        "\n  - {key: g, type: manual, queue: operations, form: {type: object}, deadline: 30m,"
        " gate: {on_timeout: reject}}"
    )

    parts = [f"s{n}" for n in range(8)] + ["t"]
    site.until(
        lambda: all(only_task(run, key).status == "succeeded" for key in parts), seconds=60, what="all of it is done"
    )

    off = {round((found["at"] - time.time()) / 3600) for found in site.started(run)}
    assert off <= {1, -1}
    assert off, "the clocks were not wrong"
    assert {only_task(run, f"s{n}").losses for n in range(8)} == {0}
    timer = Timer.objects.get(kind="task_timer", ref=only_task(run, "t").pk)
    assert timer.fired_at >= timer.due_at
    assert Gate.objects.get(run=run).status == "open"
    assert not ShiftRow.objects.filter(end_reason="lost").exists()
    assert violations() == []
