"""`manage.py seed_volume` at a small size: what it stores holds, like anything that the engine has written."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from approvals import invariants as of_gates
from approvals import policy
from approvals.models import Decision, Gate, LessonCursor, NoticeCursor
from orchestrator import invariants, ledger
from orchestrator.models import Run, Task, Timer
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def data_dir(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path


def _seed(*arguments: str) -> str:
    out = StringIO()
    call_command("seed_volume", "--tasks", "1000", "--events", "6000", *arguments, stdout=out)
    return out.getvalue()


def test_what_is_stored_holds_and_is_sealed() -> None:
    said = _seed("--gates", "20", "--open-gates", "8", "--months", "3")

    assert "20 gates (8 open)" in said
    assert [str(found) for found in invariants.violations()] == []
    assert list(of_gates.violations()) == []
    result = ledger.verify()
    assert (result.fault, result.checked, result.anchors) == (None, ledger.head(), 1)
    assert Task.objects.count() >= 1000
    assert {policy.seal(gate.subject) == gate.seal for gate in Gate.objects.all()} == {True}
    assert Timer.objects.filter(kind="gate_deadline", fired_at=None).count() == 8


def test_events_lie_in_the_months_that_they_tell_of() -> None:
    _seed("--months", "3")

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT tableoid), count(*) FILTER (WHERE tableoid = 'orchestrator_event_default'::regclass)"
            " FROM orchestrator_event"
        )
        months, stray = cursor.fetchone()
    assert (months >= 3, stray) == (True, 0)


def test_nobody_is_told_of_it_and_nothing_is_learned() -> None:
    _seed()

    assert NoticeCursor.objects.get().pos == LessonCursor.objects.get().pos == ledger.head()
    assert Decision.objects.filter(decided_by__username__startswith="volume-").count() == 15


def test_a_database_with_other_runs_is_left_alone_unless_told() -> None:
    factories.run(factories.workflow())

    with pytest.raises(CommandError, match="--beside-real-data"):
        _seed()
    assert Run.objects.count() == 1

    _seed("--beside-real-data")
    assert Run.objects.count() > 1


def test_a_second_filling_goes_on_after_the_first() -> None:
    _seed()
    first = ledger.head()

    _seed()

    assert ledger.verify().fault is None
    assert ledger.head() > 2 * first - 200
