"""Every door to a decision refuses the same: page, API and token, for requester and replay alike (64 and 66)."""

import pytest
from django.test import Client

from approvals.models import Decision
from orchestrator.models import Event
from tests import people
from tests.api import as_user, in_browser
from tests.security.cast import BACKEND

pytestmark = pytest.mark.django_db


def page(user) -> Client:
    client = Client()
    client.force_login(user, backend=BACKEND)
    return client


def form(key: str = "k-1", **more: str) -> dict[str, str]:
    return {"version": "1", "verdict": "approve", "key": key, **more}


@pytest.fixture(params=["reviewer", "coordinator", "superuser"])
def requester(request):
    queue = people.queue()
    if request.param == "superuser":
        return people.person("root", is_superuser=True)
    if request.param == "coordinator":
        return people.person("olga", "Human Oversight Coordinator", "Administrator")
    return people.person("ana", "Reviewer", decides=queue)


def by_page(user, gate):
    return page(user).post(f"/inbox/{gate.pk}/decide/", form())


def by_htmx(user, gate):
    return page(user).post(f"/inbox/{gate.pk}/decide/", form(), headers={"HX-Request": "true"})


def by_token(user, gate):
    return as_user(user).post(f"/gates/{gate.pk}/decisions", {"version": 1, "verdict": "approve"})


def by_session(user, gate):
    browser = in_browser(user)
    browser.client.get("/styleguide/")
    token = browser.client.cookies["csrftoken"].value
    return browser.post(f"/gates/{gate.pk}/decisions", {"version": 1, "verdict": "approve"}, X_CSRFToken=token)


@pytest.mark.parametrize("door", [by_page, by_htmx, by_token, by_session])
def test_own_request_is_refused_at_every_door_and_audited(requester, door):
    gate = people.gate(started_by=requester)

    response = door(requester, gate)

    assert response.status_code == 403
    assert not Decision.objects.exists()
    assert Event.objects.get(kind="gate.refused").data["code"] == "separation_of_duties"


def test_card_offers_the_requester_no_verdict(requester):
    gate = people.gate(started_by=requester)

    text = page(requester).get(f"/inbox/{gate.pk}/").text

    assert 'id="decision"' not in text
    assert "You started this run: someone else decides." in text


def test_form_sent_twice_is_one_decision_and_one_answer():
    gate = people.gate()
    client = page(people.person("ana", "Reviewer", decides=gate.queue))

    answers = [client.post(f"/inbox/{gate.pk}/decide/", form()) for _ in range(3)]

    assert len({(answer.status_code, answer["Location"]) for answer in answers}) == 1
    assert Decision.objects.count() == 1


def test_form_with_a_used_key_and_another_verdict_is_refused():
    gate = people.gate()
    client = page(people.person("ana", "Reviewer", decides=gate.queue))
    client.post(f"/inbox/{gate.pk}/decide/", form())

    response = client.post(f"/inbox/{gate.pk}/decide/", form(verdict="reject", note="no"))

    assert response.status_code == 422
    assert Decision.objects.get().verdict == "approve"


def test_key_of_somebody_else_is_not_theirs_to_answer_for():
    gate = people.gate()
    page(people.person("ana", "Reviewer", decides=gate.queue)).post(f"/inbox/{gate.pk}/decide/", form())

    response = page(people.person("sam", "Reviewer", decides=gate.queue)).post(f"/inbox/{gate.pk}/decide/", form())

    assert response.status_code == 409
    assert Decision.objects.get().decided_by.username == "ana"


@pytest.mark.parametrize("version", ["0", "2", "", "x", "-1", "9" * 30])
def test_version_that_was_never_shown_is_refused(version):
    gate = people.gate()
    client = page(people.person("ana", "Reviewer", decides=gate.queue))

    response = client.post(f"/inbox/{gate.pk}/decide/", form() | {"version": version})

    assert response.status_code == 409
    assert not Decision.objects.exists()
