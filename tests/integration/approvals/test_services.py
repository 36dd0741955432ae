"""Claims, comments, drafts and presence: what people do around a decision."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from approvals import queries, services
from approvals.errors import GateAlreadySettled, GateClaimed, GateNotFound, NotPermitted, TextMissing
from approvals.models import Comment, Gate, Presence
from orchestrator.models import Event
from tests import people

pytestmark = pytest.mark.django_db


@pytest.fixture
def gate() -> Gate:
    return people.gate()


def test_claim_shows_who_and_until_when_and_again_prolongs_it(gate):
    ana = people.person("ana", decides=gate.queue)

    claimed = services.claim_gate(gate_id=gate.pk, by=ana)
    services.claim_gate(gate_id=gate.pk, by=ana)

    assert claimed.claimed_by == ana
    assert timedelta(minutes=9) < claimed.claimed_until - gate.opened_at < timedelta(minutes=11)
    assert Event.objects.filter(kind="gate.claimed", task_id=gate.task_id).count() == 2


def test_claim_held_by_another_is_refused_with_their_name_until_it_ends(gate):
    ana, sam = (people.person(name, decides=gate.queue) for name in ("ana", "sam"))
    services.claim_gate(gate_id=gate.pk, by=ana)

    with pytest.raises(GateClaimed) as refused:
        services.claim_gate(gate_id=gate.pk, by=sam)
    assert refused.value.facts["by"] == "Ana"

    Gate.objects.filter(pk=gate.pk).update(claimed_until=Now())
    assert services.claim_gate(gate_id=gate.pk, by=sam).claimed_by == sam


def test_claim_does_not_keep_others_from_deciding(gate):
    services.claim_gate(gate_id=gate.pk, by=people.person("ana", decides=gate.queue))

    sam = people.person("sam", decides=gate.queue)
    services.decide(gate_id=gate.pk, by=sam, verdict="approve", gate_version=1)


def test_claim_of_a_settled_gate_is_refused(gate):
    ana = people.person("ana", decides=gate.queue)
    services.decide(gate_id=gate.pk, by=ana, verdict="approve", gate_version=1)

    with pytest.raises(GateAlreadySettled):
        services.claim_gate(gate_id=gate.pk, by=ana)


def test_release_claim_gives_back_ones_own_only(gate):
    ana, sam = (people.person(name, decides=gate.queue) for name in ("ana", "sam"))
    services.claim_gate(gate_id=gate.pk, by=ana)

    assert services.release_claim(gate_id=gate.pk, by=sam).claimed_by == ana
    assert services.release_claim(gate_id=gate.pk, by=ana).claimed_by is None
    assert Event.objects.filter(kind="gate.released", task_id=gate.task_id).count() == 1


def test_comment_changes_no_state_and_is_possible_after_the_decision(gate):
    ana = people.person("ana", decides=gate.queue)
    nora = people.person("nora", sees=gate.queue)
    services.decide(gate_id=gate.pk, by=ana, verdict="approve", gate_version=1)

    services.comment(gate_id=gate.pk, by=nora, text=" Well spotted.\x00 ")

    assert Comment.objects.get(gate=gate).text == "Well spotted."
    with pytest.raises(TextMissing):
        services.comment(gate_id=gate.pk, by=nora, text=" \x00 ")


def test_draft_is_kept_for_its_author_alone(gate):
    ana, sam = (people.person(name, decides=gate.queue) for name in ("ana", "sam"))
    services.save_draft(gate_id=gate.pk, by=ana, text="Per")
    services.save_draft(gate_id=gate.pk, by=ana, text="Perhaps", answer={"summary": "x"})

    gate = queries.get_visible_gate_or_404(ana, gate.pk)
    assert queries.card(gate, ana).draft.text == "Perhaps"
    assert queries.card(gate, sam).draft is None


def test_presence_is_forgotten_after_half_a_minute(gate):
    ana, sam = (people.person(name, decides=gate.queue) for name in ("ana", "sam"))
    for by in (ana, sam, ana):
        services.touch_presence(gate_id=gate.pk, by=by)
    assert queries.who_is_looking(gate, apart_from=ana) == [sam]

    Presence.objects.filter(user=sam).update(seen_at=Now() - timedelta(seconds=31))

    assert queries.who_is_looking(gate) == [ana]


@pytest.mark.parametrize("act", [
    lambda gate, by: services.comment(gate_id=gate.pk, by=by, text="hi"),
    lambda gate, by: services.save_draft(gate_id=gate.pk, by=by, text="hi"),
    lambda gate, by: services.touch_presence(gate_id=gate.pk, by=by),
    lambda gate, by: services.claim_gate(gate_id=gate.pk, by=by),
    lambda gate, by: services.release_claim(gate_id=gate.pk, by=by),
], ids=["comment", "draft", "presence", "claim", "release"])  # fmt: skip
def test_strangers_meet_a_gate_that_does_not_exist(gate, act):
    with pytest.raises(GateNotFound):
        act(gate, people.person("eve", "Reviewer"))


def test_claim_with_the_right_to_see_only_is_refused(gate):
    with pytest.raises(NotPermitted):
        services.claim_gate(gate_id=gate.pk, by=people.person("nora", sees=gate.queue))
