"""A wide spawn writes its rows before it locks its run: nobody is kept waiting, and what others do meanwhile counts."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection

from orchestrator import db, failpoints, services
from orchestrator.engine import spawning, threads
from orchestrator.invariants import violations
from orchestrator.models import Event, Run, Task
from tests.engine import eventually, finished, publish, shift, start, task

pytestmark = pytest.mark.django_db(transaction=True)
WIDE = 400
BODY = "over: input.items, body: {type: automated, agent: test-echo, inputs: {at: '${at}'}}"
EACH = f"- {{key: each, type: map, {BODY}}}"

type Meanwhile = Callable[[Callable[[], None]], list[int]]


@pytest.fixture(autouse=True)
def _invariants() -> Iterator[None]:
    yield
    failpoints.configure("")
    assert [str(found) for found in violations()] == []


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Do something, once and in a thread of its own, when the rows are written and the run is not locked yet."""

    def arrange(act: Callable[[], None]) -> list[int]:
        times: list[int] = []

        def hit(name: str) -> None:
            if name != "spawn.added":
                return
            times.append(1)
            if len(times) == 1:
                acting = threading.Thread(target=_apart, args=(act,))
                acting.start()
                acting.join(10)
                assert not acting.is_alive()

        monkeypatch.setattr(failpoints, "hit", hit)
        return times

    return arrange


def _apart(act: Callable[[], None]) -> None:
    try:
        act()
    finally:
        connection.close()


def items(run: Run, parent: str = "each") -> Counter[str]:
    """How often each key was started by a step."""
    rows = Task.objects.of_run(run.pk).filter(parent=task(run, parent).pk)
    return Counter(rows.values_list("key", flat=True))


def whole(run: Run, parent: str = "each") -> bool:
    """Whether every item was started exactly once."""
    return items(run, parent) == Counter(f"{parent}.{at}" for at in range(WIDE))


def test_the_run_is_free_while_the_rows_are_written(meanwhile: Meanwhile) -> None:
    publish(EACH)
    seen: list[int] = []

    def look() -> None:
        with psycopg.connect(**db.connection_parameters()) as own:
            own.execute("SELECT 1 FROM orchestrator_run WHERE id = %s FOR NO KEY UPDATE NOWAIT", [run.pk])
            row = own.execute("SELECT count(*) FROM orchestrator_task").fetchone()
            seen.append(row[0] if row else -1)

    meanwhile(look)
    run = start(items=list(range(WIDE)))
    with shift(capacity=500):
        eventually(lambda: finished(run), seconds=60)

    assert seen == [1]
    assert run.status == "succeeded"
    assert whole(run)
    assert Event.objects.filter(run_id=run.pk, kind="task.spawned").count() == 1


def test_a_pause_meanwhile_holds_all_that_is_started(meanwhile: Meanwhile) -> None:
    publish(EACH)
    times = meanwhile(lambda: void(services.pause_run(run_id=run.pk, by=None, reason="because")))
    run = start(items=list(range(WIDE)))
    with shift(capacity=500):
        eventually(lambda: whole(run))
        assert set(Task.objects.of_run(run.pk).exclude(parent=None).values_list("status", "held")) == {("ready", True)}

        services.resume_run(run_id=run.pk, by=None, reason="because")
        eventually(lambda: finished(run), seconds=60)

    assert len(times) == 2
    assert run.status == "succeeded"


def test_a_cancel_meanwhile_leaves_nothing_started(meanwhile: Meanwhile) -> None:
    publish(EACH)
    meanwhile(lambda: void(services.cancel_run(run_id=run.pk, by=None, reason="because")))
    run = start(items=list(range(WIDE)))
    with shift(capacity=500):
        eventually(lambda: finished(run))

    assert run.status == "cancelled"
    assert Task.objects.of_run(run.pk).count() == 1


def test_limits_set_on_the_agent_meanwhile_hold_for_all_that_is_started(meanwhile: Meanwhile) -> None:
    publish(EACH)
    meanwhile(lambda: limit_echo(50))
    run = start(items=list(range(WIDE)))
    with shift(capacity=500):
        eventually(lambda: whole(run))
        assert set(Task.objects.of_run(run.pk).exclude(parent=None).values_list("limited", flat=True)) == {True}
        eventually(lambda: finished(run), seconds=60)

    limit_echo(None)
    assert run.status == "succeeded"


def test_two_wide_maps_of_one_run_both_start_every_item_once() -> None:
    publish("\n".join(f"- {{key: {key}, type: map, {BODY}}}" for key in ("each", "other")))
    run = start(items=list(range(WIDE)))
    with shift(capacity=1000):
        eventually(lambda: finished(run), seconds=60)

    assert run.status == "succeeded"
    assert whole(run)
    assert whole(run, "other")


def test_who_holds_the_run_and_waits_for_our_numbers_is_given_way(
    meanwhile: Meanwhile, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(EACH)
    monkeypatch.setattr(spawning, "GIVES_WAY_MS", 50)
    other = psycopg.connect(**{**db.connection_parameters(), "autocommit": False})
    waits = threading.Thread(target=_apart, args=(lambda: _take_numbers(other),))

    def another() -> None:
        other.execute("SELECT 1 FROM orchestrator_run FOR NO KEY UPDATE")
        waits.start()

    times = meanwhile(another)
    run = start(items=list(range(WIDE)))
    with shift(capacity=500):
        eventually(lambda: finished(run), seconds=60)
    waits.join(10)
    other.close()

    assert len(times) >= 2
    assert run.status == "succeeded"
    assert whole(run)


def _take_numbers(other: psycopg.Connection[tuple[Any, ...]]) -> None:
    """As another spawn of the run would, which then does not happen after all."""
    other.execute(
        "INSERT INTO orchestrator_task SELECT (t).* FROM (SELECT jsonb_populate_record(t, jsonb_build_object("
        "'id', t.id + 1, 'key', 'other')) AS t FROM orchestrator_task t) x"
    )
    other.rollback()


def test_a_worker_that_fails_between_rows_and_run_has_started_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "PAUSE_SECONDS", 0.0005)  # six of seven tries fail: else it waits most of a minute
    publish(EACH)
    failpoints.configure("spawn.added=raise:0.7;ending.after=raise:0.5")
    run = start(items=list(range(WIDE)))
    with shift(capacity=500):
        eventually(lambda: finished(run), seconds=60)

    assert run.status == "succeeded"
    assert whole(run)
    assert Event.objects.filter(run_id=run.pk, kind="task.spawned").count() == 1


def test_items_that_go_one_after_the_other_do_so_in_a_wide_map_too() -> None:
    publish(EACH.replace("over: input.items,", "over: input.items, at_once: 100,"))
    run = start(items=list(range(WIDE)))
    with shift(capacity=500):
        eventually(lambda: finished(run), seconds=60)

    assert run.status == "succeeded"
    assert whole(run)
    first = task(run, "each.0")
    assert first.successors == [task(run, "each.100").pk & 0xFFFFF, task(run, "each").pk & 0xFFFFF]


def limit_echo(most: int | None) -> None:
    services.set_agent_limits(agent="test-echo", max_concurrency=most, rate_per_minute=None, by=None)


def void(_result: object) -> None:
    """For what is done for its effect."""
