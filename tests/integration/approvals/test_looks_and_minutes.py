"""Second looks and agreement, promises of queues, and the pace that follows people's minutes."""

import ast
import inspect
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from approvals import able, deadlines, services, stranded
from approvals.able import looks, measures, minutes, planning, promises
from approvals.errors import LookNotFound, LookTaken, NotPermitted
from approvals.models import Care, Decision, Gate, GateStatus, GoldCase, SecondLook
from orchestrator import acts, pacing
from orchestrator import services as engine
from orchestrator.engine import admission
from orchestrator.models import Event, Run, StartPace
from tests import people
from tests.pages import without_tokens

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def ana():
    return people.person("ana", "Reviewer", decides=people.queue())


@pytest.fixture
def sam():
    return people.person("sam", "Reviewer", decides=people.queue())


@pytest.fixture
def quinn():
    return people.person("quinn", "Quality Assurance Lead")


@pytest.fixture(autouse=True)
def anew():
    admission.forget()
    yield
    admission.forget()


def decided(by, verdict="approve"):
    gate = people.gate()
    services.decide(gate_id=gate.pk, by=by, verdict=verdict, gate_version=1, note="because")
    return gate


def test_second_look_is_blind_and_by_somebody_else_and_releases_nothing(ana, sam, quinn, monkeypatch):
    monkeypatch.setattr(planning, "SECOND_SHARE", 1.0)
    gate = decided(sam)
    planning.draw()
    look = SecondLook.objects.get()
    client = Client()
    client.force_login(ana, backend=BACKEND)
    before = (Decision.objects.count(), list(Run.objects.values()), Event.objects.count())

    page = client.get(f"/inbox/looks/{look.pk}/").text
    assert [one.pk for one in looks.waiting_for(ana)] == [look.pk]
    assert not looks.waiting_for(sam).exists()
    with pytest.raises(LookNotFound):
        looks.give(look_id=look.pk, by=sam, says="accept")
    for secret in ("Approved", "Sam", "because", "61"):
        assert secret not in without_tokens(page).partition('class="look"')[2], secret
    client.post(f"/inbox/looks/{look.pk}/", {"says": "refuse", "note": "the host is wrong"})

    assert (Decision.objects.count(), list(Run.objects.values()), Event.objects.count()) == before
    with pytest.raises(LookTaken):
        looks.give(look_id=look.pk, by=ana, says="accept")
    with pytest.raises(NotPermitted):
        looks.rule(look_id=look.pk, by=ana, truth="refuse", why="it is")
    assert [one.pk for one in looks.disputed(quinn)] == [look.pk]
    looks.rule(look_id=look.pk, by=quinn, truth="refuse", why="The host is another one.")
    case = GoldCase.objects.get()
    assert (case.gate_id, case.basis, case.truth, case.confirmed_by) == (gate.pk, "adjudicated", "refuse", quinn)
    assert not looks.disputed(quinn).exists()


def test_agreement_is_shown_by_step_with_its_n(ana, sam, quinn):
    for number in range(12):
        gate = decided(sam, "approve" if number % 2 else "reject")
        said = "accept" if number % 2 else "refuse"
        SecondLook.objects.create(
            gate=gate, queue=gate.queue, first=said, second=said if number else "accept", reviewer=ana, given_at=Now()
        )

    altogether, (step,) = looks.agreements(quinn)

    assert (altogether.n, step.n, step.step) == (12, 12, "assess")
    # One of twelve disagrees: observed 1/12, expected by chance (2 * 13 * 11) / (24 * 23).
    assert altogether.alpha == pytest.approx(1 - (1 / 12) / ((2 * 13 * 11) / (24 * 23)), abs=1e-9)
    assert [(n, alpha) for _week, n, alpha in step.trend] == [(12, altogether.alpha)]


@pytest.fixture
def asked_too_much(ana, monkeypatch):
    """Four decisions of two hours each: eight hours of work for four hours of ana's."""
    found = [people.gate() for _ in range(4)]
    measures.seen(ana)
    monkeypatch.setattr(minutes, "USUAL_S", 7200.0)
    return found


def test_starts_bend_to_what_people_can_decide(asked_too_much):
    workflow = people.workflow()

    minutes.measure()

    assert pacing.most_running(workflow.pk) == 2
    (event,) = Event.objects.filter(kind="workflow.paced")
    assert "Oncall is asked for 480 minutes" in event.data["reason"]
    admission.forget()
    held = engine.start_run(workflow="incident", input=people.GIVEN, by=None)
    assert Run.objects.get(pk=held.pk).status == "pending"
    assert Gate.objects.filter(status="open").count() == 4  # none is approved to catch up
    Gate.objects.update(status=GateStatus.WITHDRAWN, settled_at=Now())
    minutes.measure()
    assert pacing.most_running(workflow.pk) is None
    assert Event.objects.filter(kind="workflow.unpaced").count() == 1


def test_little_work_bends_nothing(ana):
    people.gate()

    minutes.measure()

    assert pacing.most_running(people.workflow().pk) is None


def test_people_can_say_full_pace_for_a_while(asked_too_much):
    workflow, mia = people.workflow(), people.person("mia", "Workflow Orchestration Manager")
    minutes.measure()
    admission.forget()
    held = engine.start_run(workflow="incident", input=people.GIVEN, by=None)
    act, target = acts.find("workflow", "full-pace"), acts.locate("workflow", "incident")
    assert act.permits(mia, target)

    acts.perform(act, target, by=mia, reason="the release is today", answers={"hours": 2})

    minutes.measure()
    assert pacing.most_running(workflow.pk) is None
    assert admission.admit() == 1
    assert Run.objects.get(pk=held.pk).status == "running"
    assert Event.objects.get(kind="workflow.full_pace").data["reason"] == "the release is today"
    StartPace.objects.update(full_until=timezone.now() - timedelta(seconds=1))
    minutes.measure()
    assert pacing.most_running(workflow.pk) == 2


def test_safe_mode_waits_where_nobody_qualified_is_present(ana):
    gate = people.gate(on_timeout="approve", risk="low")
    people.person("other", "Reviewer", decides=people.queue("elsewhere"))

    people.deadline(gate)

    gate.refresh_from_db()
    assert gate.status == "open"  # there was nobody whose silence could be taken for consent
    minutes.measure()
    care = Care.objects.get(queue=gate.queue)
    assert not care.is_attended
    assert Event.objects.filter(kind="oversight.unattended").count() == 1
    measures.seen(ana)
    minutes.measure()
    assert Care.objects.get(queue=gate.queue).is_attended
    people.deadline(gate)
    gate.refresh_from_db()
    assert gate.status == "approved"


def test_floor_says_that_a_queue_is_in_safe_mode(ana):
    people.gate()
    minutes.measure()
    client = Client()
    client.force_login(ana, backend=BACKEND)

    assert "Safe mode" in client.get("/").text
    measures.seen(ana)
    minutes.measure()
    assert "Safe mode" not in client.get("/").text


def test_promise_burns_by_windows_and_is_never_kept_by_approving(ana):
    olga = people.person("olga", "Human Oversight Coordinator")
    queue = people.queue()
    promises.promise(queue=queue, by=olga, within_s=600, share=0.9)
    with pytest.raises(NotPermitted):
        promises.promise(queue=queue, by=ana, within_s=600)
    for _ in range(8):
        decided(ana)
    waiting = [people.gate(on_timeout="remind") for _ in range(2)]
    Gate.objects.filter(pk__in=[gate.pk for gate in waiting]).update(opened_at=Now() - timedelta(hours=1))

    found = promises.of(queue)

    # Two of ten are late where one may be: twice as fast as allowed.
    assert [(w.asked, w.late, w.burn) for w in found.windows] == [(10, 2, 2.0)] * 3
    assert found.left == pytest.approx(-1.0)
    assert found.burning == "3 d, 3 d"
    before = Decision.objects.count()
    for gate in waiting:
        people.deadline(gate)
    planning.draw()
    planning.open_owed()
    minutes.measure()
    stranded.look()
    assert Decision.objects.count() == before
    assert Gate.objects.filter(pk__in=[gate.pk for gate in waiting], status="open").count() == 2


def test_nothing_that_keeps_people_able_can_settle_a_gate():
    """No module of the room names what settles gates or releases tasks, nor writes to gates."""
    folder = Path(inspect.getfile(able)).parent
    settling = {
        "decide", "lock_gate", "complete_task", "fail_task", "revise_task", "skip_task", "retry_task", "approve_call",
        "cancel_run", "time_out_task", "complete_waiting",
    }  # fmt: skip
    for path in folder.glob("*.py"):
        tree = ast.parse(path.read_text())
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert not names & settling, path.name
        source = path.read_text()
        assert "Decision.objects.create" not in source
        assert "Gate.objects.create" not in source
        assert ".update(status=" not in source, path.name
    assert "minutes.is_attended" in inspect.getsource(deadlines.reached)
