"""Approvals that can be taken back for a while: what waits, who may stop it, and when it goes out all the same."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now

from approvals import drift, queries, runways, services, voting
from approvals.errors import GateGoingOut, NotPermitted, RunwayOver
from approvals.invariants import violations
from approvals.models import Comment, Decision, Draft, Gate, GateStatus, Presence, Runway
from orchestrator import services as engine
from orchestrator.definitions.plan import GateTerms
from orchestrator.models import Event, Task, Timer
from orchestrator.ports import gatekeeper
from tests import people

pytestmark = pytest.mark.django_db

MINUTE = GateTerms(runway_s=60.0)


@pytest.fixture
def ana() -> User:
    return people.person("ana", decides=people.queue())


def approve(gate: Gate, by: User, **facts: Any) -> Runway:
    usual: dict[str, Any] = {"verdict": "approve", "gate_version": gate.version}
    made = services.decide(gate_id=gate.pk, by=by, **{**usual, **facts})
    assert isinstance(made, Runway)
    return made


def time_is_over(gate: Gate) -> None:
    Runway.objects.filter(gate=gate, ended_at=None).update(due_at=Now() - timedelta(seconds=1))
    gatekeeper().release_reached(gate.pk)
    gate.refresh_from_db()


def status_of(gate: Gate) -> tuple[str, str]:
    return Gate.objects.get(pk=gate.pk).status, Task.objects.get(pk=gate.task_id).status


def test_approval_with_a_runway_waits_and_then_goes_out_as_it_was_decided(ana):
    gate = people.gate(terms=MINUTE)

    made = approve(gate, ana, note="seen", idempotency_key="k")

    assert status_of(gate) == ("open", "waiting")
    assert not Decision.objects.exists()
    assert Timer.objects.filter(kind="gate_release", ref=gate.pk, due_at=made.due_at).exists()
    assert queries.inbox(ana) == []
    assert queries.counts(ana).waiting == 0
    assert (
        services.decide(  # the same request again
            gate_id=gate.pk, by=ana, verdict="approve", gate_version=1, note="seen", idempotency_key="k"
        ).pk
        == made.pk
    )
    assert list(violations()) == []

    gatekeeper().release_reached(gate.pk)  # a timer that fires too early changes nothing
    assert status_of(gate) == ("open", "waiting")
    time_is_over(gate)

    decision = Decision.objects.get(gate=gate)
    assert status_of(gate) == ("approved", "succeeded")
    assert (decision.decided_by, decision.note, decision.decided_at) == (ana, "seen", made.decided_at)
    assert list(Event.objects.filter(kind__startswith="gate.", task_id=gate.task_id).values_list("kind", "actor"))[
        1:
    ] == [("gate.approved", "user:ana"), ("gate.decided", "user:ana")]
    gatekeeper().release_reached(gate.pk)
    assert Decision.objects.count() == 1
    assert list(violations()) == []


def test_taken_back_nothing_goes_out_and_the_gate_is_up_anew(ana):
    sam = people.person("sam", decides=people.queue())
    looker = people.person("eva", sees=people.queue())
    gate = people.gate(terms=MINUTE)
    approve(gate, ana, verdict="edit", edited={"summary": "Later"}, note="after the backup")
    with pytest.raises(GateGoingOut):
        services.decide(gate_id=gate.pk, by=sam, verdict="reject", note="no", gate_version=gate.version)
    with pytest.raises(NotPermitted):
        runways.take_back(gate_id=gate.pk, by=looker)

    runways.take_back(gate_id=gate.pk, by=sam, why="wrong host")

    time_is_over(gate)
    assert status_of(gate) == ("open", "waiting")
    assert (gate.version, gate.releases_at) == (2, None)
    draft = Draft.objects.get(gate=gate, author=ana)
    assert (draft.text, draft.answer) == ("after the backup", {"summary": "Later"})
    with pytest.raises(RunwayOver):
        runways.take_back(gate_id=gate.pk, by=ana)
    assert [row.gate.pk for row in queries.inbox(sam)] == [gate.pk]
    event = Event.objects.get(kind="gate.taken_back")
    assert (event.actor, event.data["reason"]) == ("user:sam", "wrong host")
    assert list(violations()) == []


def test_votes_for_what_was_taken_back_start_anew(ana):
    sam = people.person("sam", decides=people.queue())
    gate = people.gate(terms=GateTerms(approvals=2, runway_s=60.0))
    for by in (ana, sam):
        services.decide(gate_id=gate.pk, by=by, verdict="approve", gate_version=1)
    assert Runway.objects.filter(gate=gate, ended_at=None).exists()

    runways.take_back(gate_id=gate.pk, by=ana)

    gate.refresh_from_db()
    assert voting.standing(gate).missing == 2
    services.decide(gate_id=gate.pk, by=ana, verdict="approve", gate_version=2)
    services.decide(gate_id=gate.pk, by=sam, verdict="approve", gate_version=2)
    time_is_over(gate)
    assert gate.status == GateStatus.APPROVED


@pytest.mark.parametrize("why", ["altered", "left"])
def test_what_moved_or_whose_approver_left_does_not_go_out(ana, why):
    gate = people.gate(terms=MINUTE)
    approve(gate, ana)
    if why == "altered":
        Task.objects.filter(pk=gate.task_id).update(input={"host": "another"})
    else:
        User.objects.filter(pk=ana.pk).update(is_active=False)

    time_is_over(gate)

    assert status_of(gate) == ("open", "waiting")
    assert Runway.objects.get(gate=gate).outcome == "moved"
    assert gate.releases_at is None
    assert Event.objects.filter(kind="gate.taken_back", actor="engine").exists()


def test_pause_holds_it_back_until_it_is_over_and_a_cancelled_run_ends_it(ana):
    mia = people.person("mia", "Workflow Orchestration Manager")
    gate, other = people.gate(terms=MINUTE), people.gate(terms=MINUTE)
    approve(gate, ana)
    approve(other, ana)
    engine.pause_run(run_id=gate.run_id, by=mia, reason="wait")

    time_is_over(gate)

    held = Runway.objects.get(gate=gate)
    assert (held.outcome, held.held) == ("", "its run is paused")
    assert status_of(gate) == ("open", "waiting")
    engine.resume_run(run_id=gate.run_id, by=mia, reason="go on")
    time_is_over(gate)
    assert gate.status == GateStatus.APPROVED
    engine.cancel_run(run_id=other.run_id, by=mia, reason="false alarm")
    time_is_over(other)
    assert (other.status, Runway.objects.get(gate=other).outcome) == ("withdrawn", "withdrawn")
    assert list(violations()) == []


def test_length_is_the_definitions_own_or_what_the_risk_says(ana, settings):
    settings.UNDO_RUNWAY = {"high": 30.0}
    grave, plain = people.gate(risk="high"), people.gate()
    own = people.gate(risk="high", terms=GateTerms(runway_s=0.0))
    keys = people.gate(risk="high", terms=GateTerms(approvals=2, two_keys=True))

    lengths = [runways.seconds(gate, "approve") for gate in (grave, plain, own, keys)]

    assert lengths == [30.0, 0.0, 0.0, 0.0]
    assert [runways.seconds(grave, verdict) for verdict in ("reject", "request_changes", "terminate")] == [
        30.0,
        0.0,
        0.0,
    ]
    assert isinstance(services.decide(gate_id=plain.pk, by=ana, verdict="approve", gate_version=1), Decision)


def test_let_go_is_the_approvers_own_and_releases_at_once(ana):
    sam = people.person("sam", decides=people.queue())
    gate = people.gate(terms=MINUTE)
    approve(gate, ana)
    with pytest.raises(NotPermitted):
        runways.let_go(gate_id=gate.pk, by=sam)

    runways.let_go(gate_id=gate.pk, by=ana)

    assert status_of(gate) == ("approved", "succeeded")


def test_drift_shows_only_what_is_new_since_one_looked(ana):
    sam = people.person("sam", decides=people.queue())
    gate = people.gate(terms=GateTerms(approvals=2))
    assert drift.since(gate, ana) is None  # never looked
    services.touch_presence(gate_id=gate.pk, by=ana, version=1)
    assert drift.since(gate, ana) is None  # is looking
    Presence.objects.update(seen_at=Now() - timedelta(minutes=5))
    services.decide(
        gate_id=gate.pk,
        by=sam,
        verdict="edit",
        gate_version=1,
        edited={"summary": "Isolate host fin-db-03", "amount": 12.5},
    )
    services.comment(gate_id=gate.pk, by=sam, text="the other one")
    services.comment(gate_id=gate.pk, by=ana, text="my own")
    gate.refresh_from_db()

    found = drift.since(gate, ana)

    assert found is not None
    assert [change.path for change in found.changes] == ["proposal.summary"]
    assert [one.said for one in found.happened] == ["sam commented", "sam changed what is up for decision"]
    assert Comment.objects.count() == 2


def test_rejection_can_be_taken_back_until_it_takes_effect(ana):
    gate, other = people.gate(terms=MINUTE), people.gate(terms=MINUTE)
    laid = approve(gate, ana, verdict="reject", note="Wrong host.")
    approve(other, ana, verdict="reject", note="Wrong host.")
    assert (status_of(gate), laid.verdict) == (("open", "waiting"), "reject")
    assert list(
        Event.objects.filter(task_id=gate.task_id, kind="gate.turned_down").values_list("actor", flat=True)
    ) == ["user:ana"]

    runways.take_back(gate_id=gate.pk, by=ana)
    time_is_over(other)

    gate.refresh_from_db()
    assert (status_of(gate), gate.version, Draft.objects.get(gate=gate).text) == (("open", "waiting"), 2, "Wrong host.")
    assert status_of(other) == ("rejected", "failed")
    assert Decision.objects.get().verdict == "reject"
    assert list(violations()) == []


def test_sending_back_and_ending_a_run_happen_at_once(ana):
    for verdict in ("request_changes", "terminate"):
        gate = people.gate(terms=MINUTE)
        made = services.decide(gate_id=gate.pk, by=ana, verdict=verdict, gate_version=1, note="Now.")
        assert isinstance(made, Decision)
