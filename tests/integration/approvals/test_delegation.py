"""Standing in: who may, when, through whom, and what becomes of gates that nobody can answer."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from approvals import access, delegation, handing, services, stranded
from approvals.errors import DelegationRefused, HandingRefused, NotPermitted
from approvals.models import Delegation, Gate, GateItem, Profile
from approvals.tasks import watch_gates
from orchestrator.definitions.plan import GateTerms
from orchestrator.models import Event
from tests import people

pytestmark = pytest.mark.django_db


def deciders(*names: str) -> list[User]:
    return [people.person(name, decides=people.queue()) for name in names]


def stand_in(delegator: User, delegate: User, *, days: tuple[float, float] = (-1, 1), **facts: Any) -> Delegation:
    now = timezone.now()
    starts, ends = (now + timedelta(days=day) for day in days)
    return delegation.make(delegator=delegator, delegate=delegate, starts=starts, ends=ends, by=delegator, **facts)


class TestMaking:
    def test_is_on_record_with_its_days(self):
        ana, sam = deciders("ana", "sam")

        made = stand_in(ana, sam, reason="holiday")

        event = Event.objects.get(kind="delegation.made")
        assert (event.actor, event.data["delegate"], event.data["reason"]) == ("user:ana", "sam", "holiday")
        assert delegation.away_now() == {ana.pk: sam.pk}
        delegation.end(delegation_id=made.pk, by=ana)
        assert delegation.away_now() == {}
        assert Event.objects.filter(kind="delegation.ended").count() == 1

    def test_who_does_not_hold_the_right_cannot_stand_in(self):
        (ana,) = deciders("ana")
        eve = people.person("eve", "Reviewer")

        with pytest.raises(DelegationRefused, match="Eve may not decide in Oncall"):
            stand_in(ana, eve)

    def test_circle_is_refused_however_long(self):
        ana, sam, lena = deciders("ana", "sam", "lena")
        stand_in(ana, sam)
        stand_in(sam, lena)

        with pytest.raises(DelegationRefused, match="come back to Lena"):
            stand_in(lena, ana)

    def test_circle_of_other_days_is_none(self):
        ana, sam = deciders("ana", "sam")
        stand_in(ana, sam, days=(1, 2))

        assert stand_in(sam, ana, days=(3, 4)).pk

    def test_second_one_for_the_same_days_is_refused(self):
        ana, sam, lena = deciders("ana", "sam", "lena")
        stand_in(ana, sam)

        with pytest.raises(DelegationRefused, match="somebody else stands in"):
            stand_in(ana, lena)

    @pytest.mark.parametrize("days", [(1, 1), (2, 1), (-3, -1), (1, 400)])
    def test_days_that_make_no_sense_are_refused(self, days):
        ana, sam = deciders("ana", "sam")

        with pytest.raises(DelegationRefused):
            stand_in(ana, sam, days=days)

    def test_for_somebody_else_only_a_coordinator_may(self):
        ana, sam, lena = deciders("ana", "sam", "lena")
        olga = people.person("olga", "Human Oversight Coordinator")
        when = {"starts": timezone.now(), "ends": timezone.now() + timedelta(days=1)}

        with pytest.raises(NotPermitted):
            delegation.make(delegator=ana, delegate=sam, by=lena, **when)
        assert delegation.make(delegator=ana, delegate=sam, by=olga, **when).made_by == olga

    def test_days_are_those_of_the_persons_own_zone(self):
        (ana,) = deciders("ana")
        Profile.objects.create(user=ana, time_zone="Asia/Tokyo")

        starts, ends = delegation.days(date(2026, 12, 1), date(2026, 12, 1), ana)

        assert (ends - starts, starts.utcoffset()) == (timedelta(days=1), timedelta(hours=9))


def test_stands_in_follows_the_chain_and_never_runs_in_circles():
    assert delegation.stands_in(1, {1: 2, 2: 3}) == 3
    assert delegation.stands_in(4, {1: 2}) == 4
    assert delegation.stands_in(1, {1: 2, 2: 1}) is None


class TestHanding:
    def test_goes_to_the_person_and_into_the_record(self):
        ana, sam = deciders("ana", "sam")
        gate = people.gate()

        handing.hand(gate_id=gate.pk, by=ana, to=sam, reason="You know the host.")

        gate.refresh_from_db()
        assert (gate.assigned_to, gate.assigned_by) == (sam, ana)
        assert Event.objects.get(kind="gate.assigned").data["to"] == "sam"
        assert services.decide(gate_id=gate.pk, by=ana, verdict="approve", gate_version=1).decided_by == ana

    def test_goes_to_whoever_stands_in(self):
        ana, sam, lena = deciders("ana", "sam", "lena")
        stand_in(sam, lena)

        assert handing.hand(gate_id=people.gate().pk, by=ana, to=sam).assigned_to == lena
        assert Event.objects.get(kind="gate.assigned").data["instead_of"] == "sam"

    def test_who_may_not_decide_it_is_not_handed_it(self):
        (ana,) = deciders("ana")
        gate = people.gate()

        with pytest.raises(HandingRefused, match="Eve may not decide it"):
            handing.hand(gate_id=gate.pk, by=ana, to=people.person("eve", "Reviewer"))

    def test_who_may_only_look_hands_nothing_on(self):
        (sam,) = deciders("sam")
        gate = people.gate()

        with pytest.raises(NotPermitted):
            handing.hand(gate_id=gate.pk, by=people.person("vie", sees=people.queue()), to=sam)


def items() -> list[tuple[int, str, bool]]:
    return [(item.gate_id, item.kind, item.closed_at is None) for item in GateItem.objects.order_by("id")]


class TestStranded:
    def test_gate_without_anybody_is_put_before_the_administrators_once_until_somebody_is_there(self):
        gate = people.gate()

        watch_gates()
        watch_gates()
        before = items()
        deciders("ana")
        watch_gates()

        assert before == [(gate.pk, "orphan", True)]
        assert items() == [(gate.pk, "orphan", False)]
        assert Event.objects.filter(kind="gate.stranded").count() == 1
        assert Event.objects.filter(kind="gate.mended").count() == 1

    def test_who_had_a_hand_in_it_is_nobody(self):
        (ana,) = deciders("ana")
        gate = people.gate(started_by=ana)

        assert stranded.look() == (1, 0)
        assert items() == [(gate.pk, "orphan", True)]

    def test_quorum_needs_that_many_different_people(self):
        ana, other = deciders("ana", "ana2")
        Profile.objects.create(user=other, same_as=ana)
        people.gate(terms=GateTerms(approvals=2))

        assert stranded.look() == (1, 0)
        assert "1 of 2 people" in GateItem.objects.get().text

    def test_handed_to_somebody_who_left_is_a_ghost(self):
        ana, sam = deciders("ana", "sam")
        gate = people.gate()
        handing.hand(gate_id=gate.pk, by=ana, to=sam)
        access.set_active(user_id=sam.pk, active=False, by=None)

        stranded.look()

        assert items() == [(gate.pk, "ghost", True)]

    def test_only_one_who_is_away_with_a_stand_in_is_enough(self):
        ana, sam = deciders("ana", "sam")
        stand_in(ana, sam)
        gate = people.gate()
        handing.hand(gate_id=gate.pk, by=sam, to=sam)

        assert stranded.look() == (0, 0)

    def test_settled_gate_strands_no_more(self):
        people.gate()
        stranded.look()
        Gate.objects.update(status="withdrawn", settled_at=timezone.now())

        assert stranded.look() == (0, 1)
