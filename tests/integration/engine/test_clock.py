"""Only the database's clock decides (scenarios 19 and 20)."""

import time

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, transaction

from approvals.models import Gate
from orchestrator import db
from orchestrator.engine import sweep
from orchestrator.engine.connecting import connect
from orchestrator.models import Shift as ShiftRow
from orchestrator.states import RunStatus, TaskStatus
from tests.engine import eventually, finished, publish, shift, start, statuses

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = 3600.0
GATED = """
- {key: flaky, type: automated, agent: test-flaky, inputs: {times: 1}}
- key: asks
  type: automated
  agent: test-echo
  gate: {when: "true", queue: oncall, title: Look, deadline: 30m, on_timeout: reject}
"""


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
def test_worker_with_a_wrong_clock_expires_nothing_and_fires_nothing_early(monkeypatch, ahead):
    publish(GATED, rest="dependencies: {asks: [flaky]}")
    run = start()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + ahead)

    with shift():
        eventually(lambda: statuses(run)["asks"] == TaskStatus.WAITING)
        sweep.sweep()
        sweep.fire_timers()

        assert not ShiftRow.objects.filter(end_reason="lost").exists()
        assert Gate.objects.get(run_id=run.pk).status == "open"
    assert not finished(run)
    assert run.status == RunStatus.RUNNING


def test_lease_renewed_in_a_long_transaction_counts_from_the_moment_not_from_its_beginning():
    made = ShiftRow.objects.create(process="p", capacity=1, lease_until="2026-01-01T00:00:00Z")

    async def renew_late() -> None:
        conn = await connect()
        async with conn.transaction():
            await conn.execute("SELECT pg_sleep(0.3)")
            assert await db.heartbeat(conn, shift=made.pk, lease=15)
            cursor = await conn.execute(
                "SELECT renewed_at - now() >= interval '0.3 s', lease_until - renewed_at FROM orchestrator_shift"
                " WHERE id = %s",
                (made.pk,),
            )
            row = await cursor.fetchone()
        await conn.close()
        assert row is not None
        assert row[0] is True
        assert 14.9 < row[1].total_seconds() < 15.1

    async_to_sync(renew_late)()


def test_frozen_now_of_a_long_transaction_makes_no_timer_due():
    publish(GATED, rest="dependencies: {asks: [flaky]}")
    run = start()
    with shift():
        eventually(lambda: statuses(run)["asks"] == TaskStatus.WAITING)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT now()")
        sweep.fire_timers()

    assert Gate.objects.get(run_id=run.pk).status == "open"
