"""Half a year at a gate by the clock of the database itself, set forward while the server is down (scenario 31).

Only PostgreSQL is told another time, C code and all: it alone decides deadlines, and workers keep the clock of today.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from django.db import connection

from approvals.models import Gate, Queue
from approvals.services import decide
from config.postgres import Postgres
from orchestrator.engine.plans import plan_of
from orchestrator.models import Event, Run, Task
from tests import prepared
from tests.chaos.test_engine_database import served_by
from tests.chaos.test_engine_workers import wrong
from tests.chaos.workers import Site, begin, ended
from tests.hands import reviewer, violations

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

DEPLOYS: Final = 3
DAYS: Final = 61  # between two of them: half a year in all
STEPS: Final = """
- {key: a, type: automated, agent: chaos-slow, gate: {when: "true", queue: operations, title: Look, deadline: 7d}}
- {key: b, type: automated, agent: chaos-slow, inputs: {seconds: %s}}
"""
CHAIN: Final = "dependencies: {b: [a]}"


@pytest.fixture
def server(folder: Path, django_db_blocker: Any, settings: Any) -> Iterator[Postgres]:
    """A server of the test's own with our schema."""
    settings.DATA_DIR = folder
    prepared.copy_into(folder)
    made = Postgres(folder, durable=False)
    try:
        with django_db_blocker.unblock(), served_by(made.start()):
            Queue.objects.get_or_create(name="operations", defaults={"title": "Operations"})
            reviewer()
            yield made
    finally:
        made.stop()


@pytest.fixture
def site(server: Postgres, folder: Path) -> Iterator[Site]:
    made = Site(folder, shifts=1)
    try:
        yield made
    finally:
        made.end()


def today() -> int:
    """The day by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp()) / 86400")
        return int(cursor.fetchone()[0])


def set_forward(server: Postgres, monkeypatch: pytest.MonkeyPatch, *, days: int) -> None:
    """Stop the server and start it so many days later than it is."""
    connection.close()
    server.stop()
    with monkeypatch.context() as later:
        for name, value in wrong(f"+{days}d").items():
            later.setenv(name, value)
        server.start()


def asked(run: Run) -> Gate:
    return Gate.objects.get(run=run, status="open")


def test_gate_of_half_a_year_ago_is_decided_on_its_own_version(
    server: Postgres, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.open(1)
    began = today()
    run = begin(STEPS % 0, rest=CHAIN)
    site.until(lambda: Gate.objects.filter(run=run, status="open").exists(), seconds=20, what="people are asked")
    gate = asked(run)

    for deploy in range(1, DEPLOYS + 1):
        site.end()
        set_forward(server, monkeypatch, days=deploy * DAYS)
        plan_of.cache_clear()
        begin(STEPS % deploy, rest=CHAIN)  # and a version, published by the new release
        due = Gate.objects.get(pk=gate.pk).deadline_at
        site.worker(1)
        site.until(
            lambda due=due: Gate.objects.get(pk=gate.pk).deadline_at > due, seconds=60, what="its deadline has passed"
        )
        assert asked(run).pk == gate.pk
        assert Task.objects.of_run(run.pk).get(key="a").wait_for == "gate"

    assert today() - began >= DEPLOYS * DAYS
    gate.refresh_from_db()
    decide(gate_id=gate.pk, by=reviewer("omar"), verdict="approve", gate_version=gate.version, note="at last")
    site.until(lambda: ended(run), seconds=60, what="it goes on")

    assert (run.status, run.version.number) == ("succeeded", 1)
    assert {found["key"].split("-")[1] for found in site.started(run)} == {
        str(task.pk) for task in Task.objects.of_run(run.pk)
    }
    assert Event.objects.filter(run_id=run.pk, kind__in=("gate.escalated", "gate.held", "gate.reminded")).exists()
    assert violations() == []
