"""A card that goes on to others while somebody types: they are told where it went, and their words are kept."""

import pytest
from django.test import Client

from approvals import access, services
from approvals.models import Decision, Draft, Gate, Presence
from tests import people

pytestmark = pytest.mark.django_db

PARTIAL = {"HX-Request": "true"}


@pytest.fixture
def moved() -> Gate:
    """A gate that ana had open and that went on to a queue she does not see."""
    lead = people.queue("lead")
    first = people.queue("first", escalates_to=lead)
    ana = people.person("ana", decides=first)
    gate = people.gate(queue="first", title="Isolate host web-1")
    services.touch_presence(gate_id=gate.pk, by=ana, version=1)
    people.deadline(gate)
    return gate


def browser(name: str) -> Client:
    client = Client()
    client.force_login(people.User.objects.get(username=name), backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_verdict_that_comes_too_late_is_answered_with_where_it_went_and_what_was_typed(moved):
    sent = {"verdict": "reject", "version": 1, "note": "It is the backup host", "key": "k"}
    answer = browser("ana").post(f"/inbox/{moved.pk}/decide/", sent, headers=PARTIAL)

    text = answer.content.decode()
    assert answer.status_code == 409
    assert "it went on to Lead" in text
    assert "It is the backup host" in text
    assert not Decision.objects.exists()
    assert Draft.objects.get(gate=moved).text == "It is the backup host"


def test_open_card_says_so_by_itself_and_a_draft_is_kept_meanwhile(moved):
    client = browser("ana")

    top = client.get(f"/inbox/{moved.pk}/?part=top", headers=PARTIAL).content.decode()
    kept = client.post(f"/inbox/{moved.pk}/draft/", {"note": "half a sentence", "open": "0"})
    page = client.get(f"/inbox/{moved.pk}/").content.decode()

    assert 'data-blocked="settled"' in top
    assert "it went on to Lead" in top
    assert kept.status_code == 204
    assert "half a sentence" in page


def test_whoever_passed_it_on_is_named_with_their_reason():
    lead = people.queue("lead")
    first = people.queue("first", escalates_to=lead)
    ana, sam = (people.person(name, decides=first) for name in ("ana", "sam"))
    gate = people.gate(queue="first")
    services.touch_presence(gate_id=gate.pk, by=ana, version=1)
    services.escalate(gate_id=gate.pk, by=sam, gate_version=1, why="Above my pay")

    text = browser("ana").get(f"/inbox/{gate.pk}/").content.decode()

    assert "Sam passed it on to Lead" in text
    assert "Above my pay" in text


@pytest.mark.parametrize("who", ["never-looked", "right-taken-away", "stranger"])
def test_for_everybody_else_it_does_not_exist(moved, who):
    ana = people.User.objects.get(username="ana")
    if who == "never-looked":
        Presence.objects.all().delete()
    elif who == "right-taken-away":
        access.revoke(of=ana, permission="decide_gates", on=people.queue("first"), by=None)
    name = "ana"
    if who == "stranger":
        name = people.person("eve", "Reviewer", decides=people.queue("elsewhere")).username
    client = browser(name)

    assert client.get(f"/inbox/{moved.pk}/").status_code == 404
    assert client.post(f"/inbox/{moved.pk}/decide/", {"verdict": "approve", "version": 1}).status_code == 404
    assert client.post(f"/inbox/{moved.pk}/draft/", {"note": "x"}).status_code == 404
    assert not Draft.objects.exists()


def test_fields_that_were_changed_are_shown_as_typed_and_kept_as_a_draft(moved):
    sent = {
        "verdict": "edit", "version": 1, "note": "Smaller", "key": "k",
        "answer.summary": "Isolate only its web port", "answer.amount": "12.5",
    }  # fmt: skip
    text = browser("ana").post(f"/inbox/{moved.pk}/decide/", sent, headers=PARTIAL).content.decode()

    assert "Isolate only its web port" in text
    assert ">Amount</label>" not in text  # nobody touched it
    kept = Draft.objects.get(gate=moved)
    assert (kept.text, kept.answer["summary"]) == ("Smaller", "Isolate only its web port")
    again = browser("ana").get(f"/inbox/{moved.pk}/").content.decode()
    assert "Isolate only its web port" in again
