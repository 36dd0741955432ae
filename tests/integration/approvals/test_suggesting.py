"""Who is suggested: by what they know, by what they have on hand, and whether they are there."""

from datetime import timedelta

import pytest
from django.utils import timezone

from approvals import delegation, handing, suggesting
from approvals.models import Profile
from orchestrator.ports import GateTerms
from tests import people

pytestmark = pytest.mark.django_db


def test_who_knows_it_comes_first_then_who_has_least_on_hand_and_who_is_away_last():
    ana, sam, lena, tom = (people.person(name, decides=people.queue()) for name in ("ana", "sam", "lena", "tom"))
    Profile.objects.create(user=lena, skills=["law", "german"])
    handing.hand(gate_id=people.gate().pk, by=ana, to=sam)
    now = timezone.now()
    delegation.make(delegator=tom, delegate=ana, starts=now, ends=now + timedelta(days=1), by=tom)
    gate = people.gate(terms=GateTerms(skills=("law",)))

    found = suggesting.candidates(gate)

    assert [one.person.username for one in found] == ["lena", "ana", "sam", "tom"]
    assert [(one.knows, one.on_hand, one.is_away) for one in found] == [
        (("law",), 0, False), ((), 0, False), ((), 1, False), ((), 0, True),
    ]  # fmt: skip


def test_who_had_a_hand_in_it_is_not_suggested():
    ana, sam = (people.person(name, decides=people.queue()) for name in ("ana", "sam"))

    assert [one.person for one in suggesting.candidates(people.gate(started_by=ana))] == [sam]
