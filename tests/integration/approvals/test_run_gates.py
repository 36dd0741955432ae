"""A run that is alive at its deadline is put before people, once a deadline, and taken back when that has passed."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.test import Client

from approvals.errors import InvalidAnswer, NoteMissing, SeparationOfDuties
from approvals.models import Decision, Gate
from approvals.services import decide
from orchestrator import acts, services
from orchestrator.engine import gates, sweep
from orchestrator.errors import OrchestratorError
from orchestrator.models import Event, Run, Task, Timer
from orchestrator.ports import gatekeeper
from tests import engine, hands, people
from tests.engine import eventually, finished, publish, shift

pytestmark = pytest.mark.django_db(transaction=True)
STEPS = "  - {key: a, type: automated, agent: test-patient}"
REST = "configuration: {run_deadline: 2h, escalation_queue: leads}"


@pytest.fixture
def lea() -> User:
    return people.person("lea", "Reviewer", decides=people.queue("leads"))


@pytest.fixture
def run(lea: User, settings: Any, tmp_path: Any) -> Run:
    settings.DATA_DIR = tmp_path
    people.queue("operations")
    engine.gates_open.clear()
    publish(STEPS, rest=REST)
    return services.start_run(workflow="flow", input={}, by=people.person("sam"))


def pass_deadline(run: Run) -> None:
    """Its time has come, and every sweeper sees it."""
    Timer.objects.filter(kind="run_deadline", ref=run.pk, fired_at=None).update(due_at=Now() - timedelta(seconds=1))
    assert hands.at_once(sweep.fire_timers, sweep.fire_timers, sweep.fire_timers) == []


def gate_of(run: Run) -> Gate:
    return Gate.objects.get(run=run, status="open")


def answer(gate: Gate, by: User, verdict: str, **more: Any) -> Decision:
    return decide(gate_id=gate.pk, by=by, verdict=verdict, gate_version=gate.version, **more)


def test_deadline_opens_one_gate_in_the_workflows_queue_and_the_run_goes_on(run: Run) -> None:
    assert run.deadline_at is not None

    pass_deadline(run)
    sweep.fire_timers()

    gate = gate_of(run)
    assert (gate.queue.name, gate.kind, gate.task_id) == ("leads", "deadline", None)
    assert gate.allowed == ["extend", "go_on", "terminate"]
    assert gate.subject["input"]["steps_left"] == 1
    assert Event.objects.filter(run_id=run.pk, kind="run.deadline_passed").count() == 1
    link = Client()
    link.force_login(
        people.person("mia", "Workflow Orchestration Manager"), backend="django.contrib.auth.backends.ModelBackend"
    )
    page = link.get(f"/runs/{run.pk}/?tab=narrative").content.decode()
    assert f'href="/inbox/{gate.pk}/">{gate.queue.title} is asked what follows' in page
    assert f"Asked {gate.queue.title} to decide" in page
    run.refresh_from_db()
    assert (run.status, run.priority) == ("running", 100)
    assert Task.objects.get(run_id=run.pk).status == "ready"
    assert hands.violations() == []


def test_extending_sets_another_deadline_after_which_people_are_asked_again(run: Run, lea: User) -> None:
    pass_deadline(run)
    first = gate_of(run)

    answer(first, lea, "extend", edited={"by": "4h"})

    run.refresh_from_db()
    assert run.deadline_at is not None
    assert timedelta(hours=3, minutes=59) < run.deadline_at - Decision.objects.get().decided_at < timedelta(hours=4.1)
    moved = Event.objects.get(run_id=run.pk, kind="run.deadline_changed")
    assert (moved.actor, moved.data["reason"]) == ("user:lea", f"decided at gate {first.pk}")
    assert not Gate.objects.filter(status="open").exists()
    pass_deadline(run)
    assert gate_of(run).pk != first.pk
    assert hands.violations() == []


def test_letting_it_go_on_asks_nobody_again(run: Run, lea: User) -> None:
    pass_deadline(run)

    answer(gate_of(run), lea, "go_on")
    sweep.fire_timers()

    run.refresh_from_db()
    assert run.status == "running"
    assert Gate.objects.get(run=run).status == "approved"
    assert not Timer.objects.filter(kind="run_deadline", fired_at=None).exists()
    assert hands.violations() == []


def test_ending_it_cancels_the_run_and_needs_a_note(run: Run, lea: User) -> None:
    pass_deadline(run)
    with pytest.raises(NoteMissing):
        answer(gate_of(run), lea, "terminate")

    answer(gate_of(run), lea, "terminate", note="too late")
    sweep.fire_timers()

    run.refresh_from_db()
    assert run.status == "cancelled"
    assert Gate.objects.get(run=run).status == "rejected"
    assert Event.objects.get(run_id=run.pk, kind="run.cancelled").data["reason"] == "too late"
    assert hands.violations() == []


@pytest.mark.parametrize("end", ["success", "cancel", "failure"])
def test_gate_is_withdrawn_when_the_run_ends_however_it_ends(run: Run, lea: User, end: str) -> None:
    pass_deadline(run)
    gate = gate_of(run)

    if end == "success":
        engine.gates_open.set()
        with shift():
            eventually(lambda: finished(run), timers=False)
    elif end == "cancel":
        services.cancel_run(run_id=run.pk, by=None, reason="over")
    else:
        Task.objects.filter(run_id=run.pk).update(status="failed")
        Run.objects.filter(pk=run.pk).update(status="failed", ended_at=Now(), remaining=0)
    with pytest.raises(OrchestratorError):
        answer(gate, lea, "extend", edited={"by": "4h"})
    assert hands.at_once(sweep.fire_timers, sweep.fire_timers) == []

    gate.refresh_from_db()
    assert gate.status == "withdrawn"
    assert Event.objects.get(run_id=run.pk, kind="gate.withdrawn").data["gate"] == gate.pk
    assert not Timer.objects.filter(kind="run_over", fired_at=None).exists()


def test_deadline_that_somebody_changes_meanwhile_takes_the_question_back(run: Run) -> None:
    pass_deadline(run)
    mia = people.person("mia", "Workflow Orchestration Manager")

    acts.perform(acts.find("run", "deadline"), acts.of("run", run.pk), by=mia, reason="more", answers={"by": "5h"})

    assert Gate.objects.get(run=run).status == "withdrawn"
    assert hands.violations() == []


@pytest.mark.parametrize("by", ["soon", "", "4 hours", "99999999d", "-4h"])
def test_what_is_no_length_of_time_is_refused_and_the_gate_stays_open(run: Run, lea: User, by: str) -> None:
    pass_deadline(run)

    with pytest.raises((InvalidAnswer, acts.AnswerInvalid)):
        answer(gate_of(run), lea, "extend", edited={"by": by})

    assert gate_of(run).decisions.count() == 0


def test_whoever_started_the_run_does_not_decide_about_its_deadline(run: Run) -> None:
    pass_deadline(run)
    sam = run.started_by
    assert sam is not None

    with pytest.raises(SeparationOfDuties):
        answer(gate_of(run), sam, "go_on")


def test_schema_allows_one_open_deadline_gate_a_run_and_none_without_its_task(run: Run) -> None:
    pass_deadline(run)

    with pytest.raises(IntegrityError, match="one_open_deadline_gate_per_run"), transaction.atomic():
        gatekeeper().open_gate(gates.for_deadline(run, queue="leads"))
    with pytest.raises(IntegrityError, match="gate_has_a_task_unless_about_its_run"), transaction.atomic():
        Gate.objects.filter(run=run).update(kind="approval")


def test_question_about_the_run_and_one_about_its_step_stand_side_by_side(lea: User) -> None:
    people.queue("operations")
    publish("  - {key: a, type: automated, agent: test-asker}", rest=REST)
    run = engine.start()
    with shift():
        eventually(lambda: Gate.objects.filter(kind="approval", status="open").exists())
    pass_deadline(run)

    acts.perform(acts.find("run", "cancel"), acts.of("run", run.pk), by=None, reason="over")
    assert Gate.objects.get(kind="approval").status == "withdrawn"
    sweep.fire_timers()

    assert set(Gate.objects.values_list("status", flat=True)) == {"withdrawn"}
    assert hands.violations() == []


def test_nobody_acts_and_it_is_asked_about_again_never_decided(run: Run) -> None:
    pass_deadline(run)

    people.deadline(gate_of(run))

    assert gate_of(run).decisions.count() == 0
    assert Event.objects.filter(run_id=run.pk, kind="gate.escalated").count() == 1


def test_card_offers_the_three_choices_and_takes_a_new_deadline(run: Run, lea: User, client: Client) -> None:
    pass_deadline(run)
    gate = gate_of(run)
    client.force_login(lea, backend="django.contrib.auth.backends.ModelBackend")

    page = client.get(f"/inbox/{gate.pk}/").content.decode()
    wrong = client.post(
        f"/inbox/{gate.pk}/decide/", {"verdict": "extend", "version": gate.version, "answer.by": "soon", "key": "1"}
    )
    client.post(
        f"/inbox/{gate.pk}/decide/", {"verdict": "extend", "version": gate.version, "answer.by": "4h", "key": "2"}
    )

    for words in ("Set another deadline", "Let it go on", "End the run", "Past its deadline", "Another deadline"):
        assert words in page
    assert wrong.status_code == 422
    gate.refresh_from_db()
    assert gate.status == "approved"
    assert "Given another deadline" in client.get(f"/inbox/{gate.pk}/").content.decode()
