"""A run that nothing would move (scenario 38): found, said aloud, and put before people."""

import pytest

from approvals import services
from approvals.models import Gate
from approvals.notices import telling
from approvals.notices.models import Channel, Delivery, Notice
from orchestrator.engine import stranded
from orchestrator.invariants import violations
from orchestrator.models import Event, Run, Task
from orchestrator.states import RunStatus, TaskStatus
from tests import factories, people
from tests.engine import eventually, finished, publish, shift, start, statuses, task
from tests.hands import seal

pytestmark = pytest.mark.django_db(transaction=True)
TWO = "- {key: one, type: automated, agent: test-echo}\n- {key: two, type: automated, agent: test-echo}"


@pytest.fixture
def lost() -> Run:
    """A run whose second step was forgotten by whatever should have made it ready."""
    publish(TWO, rest="dependencies: {two: [one]}")
    run = start()
    Task.objects.filter(pk=task(run, "one").pk).update(status=TaskStatus.SUCCEEDED, output={})
    Run.objects.filter(pk=run.pk).update(remaining=1)
    return run


def test_stranded_run_becomes_a_gate_and_goes_on_when_a_person_says_so(lost):
    assert any(violation.rule == "a live run has something to wait for" for violation in violations())

    assert stranded.rescue() == 1

    gate = Gate.objects.get(run_id=lost.pk)
    assert gate.rule == stranded.RULE
    assert Event.objects.filter(run_id=lost.pk, kind="run.stranded").count() == 1
    services.decide(
        gate_id=gate.pk,
        by=factories.user("adam", "Administrator", is_superuser=True),
        verdict="retry",
        gate_version=gate.version,
        note="go on",
    )
    with shift():
        eventually(lambda: finished(lost))
    assert lost.status == RunStatus.SUCCEEDED
    assert statuses(lost)["two"] == TaskStatus.SUCCEEDED


def test_whoever_may_decide_is_told_of_it_outside_too(lost):
    """Scenario 38: a notice, and a message on the person's own channels."""
    ana = people.person("ana", "Reviewer", decides=people.queue("operations"))
    pager = Channel.objects.create(owner=ana, kind="service", name="pager", least_risk="low")
    telling.tell()

    stranded.rescue()
    seal()
    telling.tell()

    told = Notice.objects.get(recipient=ana, gate=Gate.objects.get(run_id=lost.pk))
    assert told.kind == "decide"
    assert Delivery.objects.get(notice=told).channel == pager


def test_two_rescues_ask_once(lost):
    stranded.rescue()
    stranded.rescue()

    assert Gate.objects.filter(run_id=lost.pk).count() == 1


def test_run_that_moves_is_left_alone():
    publish(TWO, rest="dependencies: {two: [one]}")
    start()

    assert stranded.rescue() == 0


@pytest.mark.parametrize(
    ("last", "ends", "kind"),
    [("succeeded", RunStatus.SUCCEEDED, "run.succeeded"), ("cancelled", RunStatus.FAILED, "run.failed")],
)
def test_run_whose_steps_have_all_ended_ends_too(lost, last, ends, kind):
    Task.objects.filter(pk=task(lost, "two").pk).update(status=last)

    assert stranded.rescue() == 1

    lost.refresh_from_db()
    assert (lost.status, lost.remaining) == (ends, 0)
    assert lost.ended_at is not None
    told = Event.objects.filter(run_id=lost.pk, kind__in=["run.stranded", kind]).order_by("id")
    assert list(told.values_list("kind", flat=True)) == ["run.stranded", kind]
    assert stranded.rescue() == 0
    assert not Gate.objects.filter(run_id=lost.pk).exists()
