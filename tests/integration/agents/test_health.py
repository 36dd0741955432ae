"""agents.health: counts from several shifts add up; pages read five minutes."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from agents.health import HealthMeter, HealthRow, health_by_agent, per_minute, record_health
from agents.models import Agent, AgentHealth


@pytest.mark.django_db
def test_health_of_two_shifts_adds_up() -> None:
    agent = Agent.objects.create(name="a", title="A")
    idle = Agent.objects.create(name="idle", title="Idle")
    shifts = [HealthMeter(), HealthMeter()]
    for shift in shifts:
        shift.record("a", ms=10, failed=False)
        shift.record("a", ms=20, failed=True)
        shift.record("unknown", ms=1, failed=False)

    touched = [record_health(shift.drain()) for shift in shifts]
    health = health_by_agent([agent.pk, idle.pk])

    assert touched[0] >= 1
    assert (health[agent.pk].calls, health[agent.pk].failures, health[agent.pk].mean_ms) == (4, 2, 15)
    assert health[agent.pk].seen_at is not None
    assert (health[idle.pk].calls, health[idle.pk].mean_ms, health[idle.pk].seen_at) == (0, None, None)
    assert set(health) == {agent.pk, idle.pk}


@pytest.mark.django_db
def test_health_older_than_five_minutes_only_says_when_it_was_seen() -> None:
    agent = Agent.objects.create(name="a", title="A")
    before = timezone.now() - timedelta(minutes=7)
    AgentHealth.objects.create(agent=agent, minute=before, calls=5, total_ms=5, seen_at=before)

    health = health_by_agent([agent.pk])[agent.pk]

    assert (health.calls, health.mean_ms, health.seen_at) == (0, None, before)


@pytest.mark.django_db
def test_rate_of_a_burst_is_not_thinned_by_minutes_without_calls() -> None:
    agent = Agent.objects.create(name="a", title="A")
    minute = timezone.now().replace(second=0, microsecond=0)
    for ago, calls in ((0, 7), (2, 300), (3, 100), (4, 0)):
        at = minute - timedelta(minutes=ago)
        AgentHealth.objects.create(agent=agent, minute=at, calls=calls, total_ms=calls, seen_at=at)

    health = health_by_agent([agent.pk])[agent.pk]

    assert (health.calls, health.per_minute) == (407, 200)


@pytest.mark.parametrize(
    ("counts", "rate"), [([0, 0, 9], 9), ([0, 30, 1], 30), ([10, 0, 20, 5], 15), ([0, 0, 0], 0), ([8], 8)]
)
def test_per_minute_is_the_mean_of_whole_minutes_with_calls(counts: list[int], rate: float) -> None:
    assert per_minute(counts) == rate


@pytest.mark.django_db
def test_health_reads_no_history(django_assert_num_queries: Any) -> None:
    agents = Agent.objects.bulk_create(Agent(name=f"a{i}", title="A") for i in range(5))
    long_ago = timezone.now() - timedelta(days=30)
    AgentHealth.objects.bulk_create(
        AgentHealth(agent=agent, minute=long_ago + timedelta(minutes=m), calls=1, seen_at=long_ago)
        for agent in agents
        for m in range(2_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE agents_agenthealth")

    with django_assert_num_queries(2) as asked:
        health_by_agent(agent.pk for agent in agents)

    for query in asked.captured_queries:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query['sql']}")
            (plan,) = cursor.fetchone()[0]
        assert _read(plan["Plan"]) <= 10


def test_drain_starts_again_from_nothing() -> None:
    meter = HealthMeter()
    meter.record("a", ms=1, failed=False)

    assert [row.calls for row in meter.drain()] == [1]
    assert meter.drain() == []


@pytest.mark.django_db
def test_record_health_without_rows_asks_for_nothing_to_be_written() -> None:
    assert record_health([]) == 0


@pytest.mark.django_db(transaction=True)
def test_record_health_raced_loses_no_count() -> None:
    names = [f"a{i}" for i in range(5)]
    Agent.objects.bulk_create(Agent(name=name, title=name) for name in names)
    minute = timezone.now().replace(second=0, microsecond=0)
    barrier = threading.Barrier(4)
    errors: list[BaseException] = []

    def shift(order: list[str]) -> None:
        try:
            barrier.wait(10)
            for _ in range(5):
                record_health([HealthRow(name, minute, calls=1, total_ms=1, seen_at=minute) for name in order])
        except BaseException as error:  # noqa: BLE001 - asserted below
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=shift, args=(names[:: 1 if i % 2 else -1],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert errors == []
    assert set(AgentHealth.objects.values_list("calls", flat=True)) == {20}


def _read(plan: dict[str, Any]) -> int:
    """Rows of the table that a plan read."""
    own = plan["Actual Rows"] * plan["Actual Loops"] if plan.get("Relation Name") == "agents_agenthealth" else 0
    return int(own) + sum(_read(part) for part in plan.get("Plans", ()))
