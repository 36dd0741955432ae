"""Sign-in, and everything that ends a session: at once, everywhere."""

import re
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from approvals import access
from orchestrator.models import Event
from tests import factories

pytestmark = pytest.mark.django_db
MANAGER = "Workflow Orchestration Manager"


@pytest.fixture
def mara():
    return factories.user("mara", MANAGER)


def sign_in(client: Client, password: str = factories.PASSWORD, **more: str) -> Any:
    return client.post("/sign-in/", {"username": "mara", "password": password, **more})


@pytest.fixture
def browser(mara) -> Client:
    client = Client()
    sign_in(client)
    assert client.get("/runs/").status_code == 200
    return client


def is_in(client: Client) -> bool:
    pages = client.get("/runs/").status_code == 200
    assert pages == (client.get("/api/v1/runs").status_code == 200)
    return pages


def test_session_key_planted_before_signing_in_is_worthless(mara):
    planted = Client()
    planted.cookies["sessionid"] = "a" * 32
    sign_in(planted)

    thief = Client()
    thief.cookies["sessionid"] = "a" * 32

    assert planted.cookies["sessionid"].value != "a" * 32
    assert is_in(planted)
    assert not is_in(thief)


def test_csrf_token_is_a_new_one_after_signing_in(mara):
    client = Client()
    client.get("/sign-in/")
    before = client.cookies["csrftoken"].value

    sign_in(client)

    assert client.cookies["csrftoken"].value != before


def test_signing_out_ends_the_session_on_the_server(browser):
    copied = browser.cookies["sessionid"].value

    browser.post("/sign-out/")

    thief = Client()
    thief.cookies["sessionid"] = copied
    assert not is_in(thief)
    assert not Session.objects.filter(pk=copied).exists()
    assert Event.objects.filter(kind="session.signed_out", actor="user:mara").exists()


def test_signing_out_needs_a_form_not_a_link(browser):
    assert browser.get("/sign-out/").status_code == 405
    assert is_in(browser)


def test_new_password_ends_every_session(browser, mara):
    mara.set_password("another long password")
    mara.save()

    assert not is_in(browser)


def test_disabling_ends_every_session(browser, mara):
    access.set_active(user_id=mara.pk, active=False, by=None)

    assert not is_in(browser)
    assert sign_in(Client()).status_code == 200  # the form again


def test_role_taken_away_counts_at_the_next_click(browser, mara):
    access.set_role(user_id=mara.pk, role=MANAGER, held=False, by=None)

    assert browser.get("/runs/").status_code == 403


def test_session_ends_by_the_clock_however_busy(browser):
    session = Session.objects.get(pk=browser.cookies["sessionid"].value)
    browser.get("/runs/")

    assert Session.objects.get(pk=session.pk).expire_date == session.expire_date
    Session.objects.update(expire_date="2020-01-01T00:00Z")
    assert not is_in(browser)


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(mara):
    client = Client()
    client.get("/sign-in/")
    sign_in(client)

    for name in ("sessionid", "csrftoken"):
        cookie = client.cookies[name]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (True, "Lax", "/", "")


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "http:evil.example",
        "https:///evil.example",
        " //evil.example",
        "/%0d%0aSet-Cookie:a=b",
        "http://testserver@evil.example/",
    ],
)
@pytest.mark.parametrize("again", [False, True], ids=["signing in", "signed in"])
def test_next_leads_nowhere_else(mara, target, again):
    client = Client()
    if again:
        sign_in(client)

    response = client.get("/sign-in/", {"next": target}) if again else sign_in(client, next=target)

    assert response.status_code == 302
    assert response["Location"] in {"/", "/%0d%0aSet-Cookie:a=b"}
    assert "Set-Cookie:a" not in response.headers


def test_next_leads_back_to_our_own_page(mara):
    assert sign_in(Client(), next="/runs/?status=failed")["Location"] == "/runs/?status=failed"


def test_tenth_wrong_password_locks_the_name_and_says_how_long(mara):
    client = Client()
    answers = [sign_in(client, "wrong").status_code for _ in range(10)]

    locked = sign_in(client)

    assert answers == [200] * 9 + [429]
    assert locked.status_code == 429
    assert "Too many failed sign-ins for this name. Wait 15 min and try again, or ask an administrator." in locked.text
    assert not is_in(client)


def test_name_that_claims_another_address_stays_locked(mara):
    client = Client()
    for number in range(10):
        client.post(
            "/sign-in/", {"username": "mara", "password": "wrong"}, headers={"X-Forwarded-For": f"10.0.0.{number}"}
        )

    assert sign_in(client).status_code == 429


def test_unknown_name_and_wrong_password_look_the_same(mara):
    pages = [
        Client().post("/sign-in/", {"username": name, "password": "wrong"}).text.replace(name, "NAME")
        for name in ("mara", "nobody")
    ]

    with_token = re.compile('value="[A-Za-z0-9]{64}"|"X-CSRFToken": "[A-Za-z0-9]{64}"')
    assert len({with_token.sub("", page) for page in pages}) == 1
    assert all("This name and password do not match" in page for page in pages)


def test_password_is_in_no_page_and_no_log(mara, caplog):
    page = Client().post("/sign-in/", {"username": "mara", "password": "hunter2-hunter2"})

    assert "hunter2" not in page.text
    assert "hunter2" not in caplog.text
