"""The rollups say what a count by hand says, whatever the order of events, how often they are read, and when."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from monitoring.metrics import db, folding, reading
from monitoring.models import Effort, Ending, Measure, MeasureCursor
from orchestrator import ledger
from orchestrator.models import Attempt, Task
from tests import factories
from tests.integration.metrics.conftest import attempt, finished, seal

pytestmark = pytest.mark.django_db


def rolled() -> list[tuple[Any, ...]]:
    """All rollups that count, without their epoch."""
    epoch = MeasureCursor.objects.get().epoch
    columns = ("grain", "name", "at", "workflow", "team", "step", "agent", "bucket", "n", "total")
    return sorted(Measure.objects.filter(epoch=epoch).values_list(*columns))


def test_counts_are_those_of_a_count_by_hand(work):
    folding.catch_up()

    span, scope = reading.span_of("24h"), reading.Scope((work["first"].pk,))
    names = ("run_started", "run_succeeded", "run_failed", "alone", "try_succeeded", "try_failed")
    found = reading.sums(names, span, scope)
    assert {name: one.n for name, one in found.items()} == {
        "run_started": 44, "run_succeeded": 40, "run_failed": 4, "alone": 30, "try_succeeded": 88, "try_failed": 6,
    }  # fmt: skip
    money = reading.sums(("cost", "tokens"), span, scope)
    assert money["cost"].total == pytest.approx(44 * 0.003 + 6 * 0.001)
    assert (money["tokens"].n, money["tokens"].total) == (44, 44 * 120)


def test_failures_that_mend_themselves_are_told_from_those_that_people_mend(work):
    folding.catch_up()

    found = reading.sums(("troubled", "mended"), reading.span_of("24h"), reading.Scope(None))
    assert (found["troubled"].n, found["mended"].n) == (6, 6)


def test_waits_and_work_are_those_of_the_tries(work):
    folding.catch_up()

    found = reading.spreads(("queue", "work"), reading.span_of("24h"), reading.Scope((work["first"].pk,)))
    assert found["work"].n == 94
    assert found["work"].mean == pytest.approx(500, abs=1)
    assert 500 <= (found["work"].p95 or 0) <= 500 * 1.19 + 1
    # A failed try that a newer one has overtaken hides how long it waited.
    assert found["queue"].n == 88


def test_reading_twice_counts_once(work):
    folding.catch_up()
    before = rolled()
    MeasureCursor.objects.update(pos=0)

    folding.catch_up()

    after = [row for row in rolled() if row[1] != "run_started"]
    assert after == [row for row in before if row[1] != "run_started"]


@pytest.mark.parametrize("seed", range(4))
def test_rollups_made_anew_equal_those_kept_up_event_by_event_in_any_order(work, seed, monkeypatch):
    chance = random.Random(seed)
    _shuffle_ledger(chance)
    end = ledger.head()
    folding._cursor_row()
    pos = 0
    while pos < end:
        last = min(end, pos + chance.randint(1, 60))
        db.measure(after=pos, until=last, epoch=1, roles=[])
        pos = last
    MeasureCursor.objects.update(pos=end)
    kept_up = rolled()
    monkeypatch.setattr(folding, "STRETCH", chance.randint(20, 5000))

    assert folding.rebuild() == end

    assert rolled() == kept_up
    assert set(Effort.objects.values_list("epoch", flat=True)) == {2}
    assert set(Ending.objects.values_list("epoch", flat=True)) == {2}
    assert Effort.objects.count() == Attempt.objects.count()


def test_a_wait_that_only_the_first_reading_could_see_outlives_a_rebuild(work):
    run = factories.run(work["second"], statuses=["running"])
    task = factories.task(run)
    Task.objects.filter(pk=task.pk).update(ready_at=timezone.now() - timedelta(seconds=10))
    attempt(task, 1, "failed", ms=4000)
    seal()
    folding.catch_up()
    Task.objects.filter(pk=task.pk).update(attempt=2, ready_at=timezone.now())

    folding.rebuild()

    assert Effort.objects.get(task=task.pk, number=1).queue_ms == pytest.approx(6000, abs=500)


def test_a_late_event_counts_in_the_hour_in_which_its_try_ended(work):
    folding.catch_up()
    long_ago = datetime(2026, 3, 4, 5, 30, tzinfo=UTC)
    run = factories.run(work["second"], statuses=["succeeded"])
    attempt(factories.task(run), ended_at=long_ago, cost=2)
    seal()

    folding.catch_up()

    found = Measure.objects.get(name="cost", grain="h", at=datetime(2026, 3, 4, 5, tzinfo=UTC))
    assert (found.n, float(found.total)) == (1, 2.0)


def test_a_try_that_several_events_speak_of_is_counted_once(work):
    run = factories.run(work["second"], statuses=["waiting"])
    task = factories.task(run)
    attempt(task, 1, "suspended", cost=0.5)
    factories.event(run, "task.succeeded", made=task, attempt=1)
    seal()
    folding.catch_up()

    found = reading.sums(("cost",), reading.span_of("24h"), reading.Scope((work["second"].pk,)))
    assert found["cost"].total == pytest.approx(1.75)


def test_what_ran_when_its_run_was_cancelled_is_counted(work):
    run = factories.run(work["second"], statuses=["running"], status="cancelled")
    task = factories.task(run)
    Attempt.objects.create(
        task=task, number=1, status="suspended", agent_version=1, started_at=timezone.now(),
        ended_at=timezone.now(), cost=3, error={"code": "cancelled"},
    )  # fmt: skip
    factories.event(run, "task.cancelled", tasks=[task.pk])
    finished(run, "run.cancelled", actor="user:mia")
    seal()

    folding.catch_up()

    end = Ending.objects.get(run=run.pk)
    assert (end.status, end.touched, float(end.cost)) == ("cancelled", True, 3.0)
    assert float(Effort.objects.get(task=task.pk).cost) == 3.0


def test_a_run_that_ends_twice_costs_each_time_what_it_cost_since(work):
    run = factories.run(work["second"], statuses=["succeeded"])
    task = factories.task(run)
    attempt(task, 1, "failed", cost=1)
    finished(run, "run.failed")
    attempt(task, 2, cost=0.25)
    finished(run)
    seal()

    folding.catch_up()

    ends = Ending.objects.filter(run=run.pk).order_by("event")
    assert [(one.status, float(one.cost)) for one in ends] == [("failed", 1.0), ("succeeded", 0.25)]


def test_nothing_new_is_nothing_to_read(work):
    MeasureCursor.objects.create(pos=ledger.head())

    assert folding.catch_up() == 0
    assert not Measure.objects.exists()


def _shuffle_ledger(chance: random.Random) -> None:
    """Put the sealed events into another order, as concurrent writers might have sealed them."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE orchestrator_ledger DISABLE TRIGGER USER")
        cursor.execute("SELECT event_id FROM orchestrator_ledger ORDER BY pos")
        ids = [row[0] for row in cursor.fetchall()]
        chance.shuffle(ids)
        cursor.execute("UPDATE orchestrator_ledger SET event_id = -event_id")
        cursor.execute(
            "UPDATE orchestrator_ledger l SET event_id = n.id FROM unnest(%s::bigint[]) WITH ORDINALITY AS n (id, pos)"
            " WHERE l.pos = n.pos",
            [ids],
        )
        cursor.execute("ALTER TABLE orchestrator_ledger ENABLE TRIGGER USER")
