"""What the engine leaves behind holds; whatever is tampered with is named."""

import contextlib
import io
import json
from collections.abc import Callable

import pytest
from django.core.management import call_command
from django.db import connection

from approvals.models import Gate
from orchestrator.models import Attempt, Run, Task, Timer
from orchestrator.sequencer import seal_all
from tests import people

pytestmark = pytest.mark.django_db


def check() -> list[str]:
    out = io.StringIO()
    with contextlib.suppress(SystemExit):
        call_command("check_invariants", json=True, stdout=out)
    return json.loads(out.getvalue())["violations"]


@pytest.fixture
def gate():
    """A run whose first task waits for people, and someone who may decide."""
    made = people.gate()
    people.person("ana", decides=made.queue)
    seal_all(connection.connection)
    return made


def test_check_of_a_waiting_run_finds_nothing(gate):
    assert check() == []


def tamper_task(**columns: object) -> Callable[[Gate], object]:
    return lambda gate: Task.objects.filter(pk=gate.task_id).update(**columns)


def tamper_run(**columns: object) -> Callable[[Gate], object]:
    return lambda gate: Run.objects.filter(pk=gate.run_id).update(**columns)


def forget_attempt(gate: Gate) -> None:
    Attempt.objects.filter(task_id=gate.task_id).delete()
    Task.objects.filter(pk=gate.task_id).update(status="succeeded")


def settle_by_nobody(gate: Gate) -> None:
    Gate.objects.filter(pk=gate.pk).update(status="approved", settled_at=gate.opened_at)


TAMPERING = [
    pytest.param(tamper_task(status="succeeded"), "events say waiting", id="status"),
    pytest.param(tamper_task(attempt=5), "stored is 5", id="attempt"),
    pytest.param(tamper_run(status="failed"), "nothing lives", id="dead-run"),
    pytest.param(tamper_run(remaining=99), "says 99 remain", id="counter"),
    pytest.param(tamper_task(status="blocked"), "ready, running or waiting", id="stranded"),
    pytest.param(tamper_task(wait_for="retry"), "no timer", id="no-timer"),
    pytest.param(tamper_task(status="running", shift=None), "without a shift", id="no-shift"),
    pytest.param(forget_attempt, "no record", id="no-attempt"),
    pytest.param(lambda gate: Gate.objects.filter(pk=gate.pk).delete(), "has no open gate", id="no-gate"),
    pytest.param(settle_by_nobody, "no decision made it so", id="no-decision"),
    pytest.param(lambda gate: people.User.objects.update(is_active=False), "nobody may decide it", id="nobody"),
]


@pytest.mark.parametrize(("tamper", "said"), TAMPERING)
def test_check_after_tampering_names_it(gate, tamper, said):
    Timer.objects.all().delete()
    tamper(gate)

    assert any(said in sentence for sentence in check())


def test_check_of_a_broken_ledger_names_the_position(gate):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE orchestrator_event DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE orchestrator_event SET actor = 'mallory' WHERE id = (SELECT min(id) FROM orchestrator_event)"
        )
        cursor.execute("ALTER TABLE orchestrator_event ENABLE TRIGGER USER")

    assert any(sentence.startswith("ledger: Position 1 ") for sentence in check())


def test_command_with_a_violation_exits_1_and_prints_a_line_for_each(gate):
    tamper_run(remaining=99)(gate)
    out = io.StringIO()

    with pytest.raises(SystemExit, match="1"):
        call_command("check_invariants", stdout=out)

    assert len(out.getvalue().splitlines()) == 1
