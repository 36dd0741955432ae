"""What the floor says is right, and stays bounded when history and live work are long."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.models import AgentHealth
from monitoring import queries
from orchestrator import stops
from orchestrator.models import Run
from tests import factories

pytestmark = pytest.mark.django_db

LIVE, ENDED, STEPS = 3_000, 3_000, 20
SEED = """
INSERT INTO orchestrator_run (title, status, input, correlation_id, priority, weight, virtual_finish, total, remaining,
                              failed, ended_at, workflow_id, version_id)
SELECT 'Run', CASE WHEN n <= %(live)s THEN 'running' ELSE 'succeeded' END, '{}', 'c', 0, 1, 0, %(steps)s,
       CASE WHEN n <= %(live)s THEN 8 ELSE 0 END, 0, CASE WHEN n <= %(live)s THEN NULL ELSE now() END,
       %(workflow)s, %(version)s
FROM generate_series(1, %(live)s + %(ended)s) n;
INSERT INTO orchestrator_task (id, run_id, workflow_id, version_id, key, kind, status, lane, priority, virtual_start,
                               held, limited, pending, fed, need, suspect, successors, attempt, failures, losses,
                               revision, wait_for, note)
SELECT (run.id << 20) | step, run.id, run.workflow_id, run.version_id, 's', 'automated',
       CASE WHEN run.status = 'succeeded' OR step < 12 THEN 'succeeded' WHEN step = 12 THEN 'waiting'
            ELSE 'blocked' END,
       'default', 0, 0, false, false, 0, 1, 0, false, '{}', 1, 0, 0, 0,
       CASE WHEN run.status = 'running' AND step = 12 THEN 'gate' ELSE '' END, ''
FROM orchestrator_run run, generate_series(0, %(steps)s - 1) step;
ANALYZE orchestrator_run; ANALYZE orchestrator_task;
"""


@pytest.fixture
def boss() -> factories.User:
    return factories.user("mia", "Workflow Orchestration Manager")


@pytest.fixture
def seeded(boss: factories.User) -> None:
    made = factories.workflow()
    factories.agent("assessor")
    facts = {"live": LIVE, "ended": ENDED, "steps": STEPS, "workflow": made.pk, "version": made.current_version_id}
    with connection.cursor() as cursor:
        cursor.execute(SEED, facts)


def test_live_work_is_counted_by_kind(boss):
    made = factories.workflow()
    factories.run(made, statuses=["succeeded", "running"])
    factories.run(made, statuses=["succeeded", "waiting"])
    factories.run(made, statuses=["waiting"], status="paused")
    retried = factories.run(made, statuses=["waiting"])
    retried.tasks.filter(status="waiting").update(wait_for="retry")

    (flow,) = queries.flows(boss)

    assert (flow.runs, flow.paused, flow.running, flow.people, flow.retries) == (4, 1, 1, 2, 1)
    assert (flow.done, flow.rest, flow.total) == (2, 6, 12)


def test_workflows_that_one_may_not_see_are_not_counted():
    factories.run(factories.workflow(), statuses=["running"])
    nobody = factories.user("nobody")

    assert queries.flows(nobody) == []
    assert queries.finished_today(nobody).count == 0


def test_finished_today_leaves_out_yesterday_and_names_failures(boss):
    made = factories.workflow()
    factories.run(made, statuses=["succeeded"] * 3, status="succeeded")
    factories.run(made, statuses=["failed"], status="failed")
    old = factories.run(made, statuses=["succeeded"] * 3, status="succeeded")
    Run.objects.filter(pk=old.pk).update(ended_at=timezone.now() - timedelta(days=1, minutes=1))

    finished = queries.finished_today(boss)

    assert (finished.count, finished.failed, finished.without_person, finished.capped) == (2, 1, 1, False)


def test_run_that_started_long_ago_and_ended_today_is_finished_today(boss, monkeypatch):
    monkeypatch.setattr(queries, "LATEST", 2)
    made = factories.workflow()
    factories.run(made, statuses=["succeeded"] * 3, status="succeeded")
    for _ in range(3):
        factories.run(made)

    assert queries.finished_today(boss).count == 1


def test_calls_of_a_burst_are_not_thinned_by_the_hour():
    agent = factories.agent("assessor")
    minute = timezone.now().replace(second=0, microsecond=0) - timedelta(minutes=2)
    AgentHealth.objects.create(agent=agent, minute=minute, calls=360, failures=36, total_ms=1, seen_at=minute)

    pulse = queries.pulse()

    assert (pulse.per_minute, pulse.in_hour, pulse.failure_share, pulse.is_quiet) == (360, 360, 0.1, False)
    (state,) = pulse.agents
    assert (state.per_minute, state.status, state.failure_share) == (360, "degraded", 0.1)


def test_calls_that_ended_ten_minutes_ago_make_no_rate():
    minute = timezone.now().replace(second=0, microsecond=0) - timedelta(minutes=10)
    AgentHealth.objects.create(agent=factories.agent(), minute=minute, calls=9, total_ms=1, seen_at=minute)

    pulse = queries.pulse()

    assert (pulse.per_minute, pulse.in_hour, pulse.is_quiet) == (0, 9, True)


@pytest.mark.usefixtures("seeded")
def test_floor_says_of_how_many_runs_its_bars_are(boss):
    (flow,) = queries.flows(boss)
    finished = queries.finished_today(boss)

    assert (flow.runs, flow.is_partial, flow.people) == (LIVE, True, queries.LATEST)
    assert flow.total == queries.LATEST * STEPS
    assert (finished.count, finished.seen, finished.capped) == (ENDED, queries.LATEST, False)


@pytest.mark.usefixtures("seeded")
@pytest.mark.parametrize("what", ["flows", "finished", "running", "everything", "workflow", "agent"])
def test_floor_reads_no_table_from_end_to_end(what, boss):
    everything, *narrow = stops.targets(factories.user("omar", "Human Oversight Coordinator"))
    asks = {
        "flows": lambda: queries.flows(boss), "finished": lambda: queries.finished_today(boss),
        "running": lambda: queries.running_count(boss), "everything": lambda: stops.reach(everything),
        "workflow": lambda: stops.reach(next(one for one in narrow if one.scope == "workflow")),
        "agent": lambda: stops.reach(next(one for one in narrow if one.scope == "agent")),
    }  # fmt: skip

    with CaptureQueriesContext(connection) as asked:
        asks[what]()

    plans = [_plan(query["sql"]) for query in asked.captured_queries]
    scans = [scan for plan in plans for scan in _scans(plan)]
    of_tasks = [scan["Node Type"] for scan in scans if scan["Relation Name"] == "orchestrator_task"]
    assert [kind for kind in of_tasks if "Index" not in kind and "Bitmap" not in kind] == []


def _plan(sql: str) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
        (found,) = cursor.fetchone()
    plans = json.loads(found) if isinstance(found, str) else found
    plan: dict[str, Any] = plans[0]["Plan"]
    return plan


def _scans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "Relation Name" in plan:
        yield plan
    for part in plan.get("Plans", ()):
        yield from _scans(part)
