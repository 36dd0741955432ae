"""Signing in with a provider: a real OpenID Connect server on loopback, asked by code with PKCE and answered for."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import User
from django.test import Client
from oidc_provider_mock import User as Theirs
from oidc_provider_mock import run_server_in_thread

from orchestrator.models import Event
from tests import factories

pytestmark = pytest.mark.django_db
PEOPLE = (
    Theirs(sub="zoe-at-theirs", claims={"email": "zoe@example.org", "email_verified": True, "name": "Zoe"}),
    Theirs(sub="eve-at-theirs", claims={"email": "zoe@example.org", "email_verified": False}),
    Theirs(sub="new-at-theirs", claims={"email": "new@example.org", "email_verified": True}),
)


@pytest.fixture
def provider(settings: Any) -> Iterator[str]:
    with run_server_in_thread(user_claims=PEOPLE) as server:
        issuer = f"http://localhost:{server.server_port}"
        app = {
            "provider_id": "sso", "name": "Example", "client_id": "watchkeeper", "secret": "s3cret",
            "settings": {"server_url": issuer, "oauth_pkce_enabled": True},
        }  # fmt: skip
        settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [app], "OAUTH_PKCE_ENABLED": True}}
        yield issuer


def come_back(browser: Client, subject: str) -> Any:
    """Press the button, agree at the provider as `subject`, and follow the way back."""
    away = browser.post("/sign-in/with/sso/")["Location"]
    assert "code_challenge=" in away
    agreed = httpx.post(away, data={"sub": subject})
    assert agreed.status_code == 302, agreed.text
    return browser.get(agreed.headers["Location"].replace("http://testserver", ""))


def test_verified_address_signs_its_account_in(provider: str) -> None:
    zoe = factories.user("zoe", "Auditor", email="zoe@example.org")
    browser = Client()
    assert "Sign in with Example" in browser.get("/sign-in/").text

    assert come_back(browser, "zoe-at-theirs")["Location"] == "/"

    assert browser.get("/audit/").status_code == 200
    assert SocialAccount.objects.get().user == zoe
    assert zoe.has_usable_password()  # still theirs
    User.objects.filter(pk=zoe.pk).update(email="moved@example.org")
    again = Client()
    come_back(again, "zoe-at-theirs")  # known by who they are at the provider, from now on
    assert again.get("/audit/").status_code == 200
    assert Event.objects.filter(kind="session.signed_in", actor="user:zoe").count() == 2


@pytest.mark.parametrize("subject", ["eve-at-theirs", "new-at-theirs"], ids=["not verified", "no account"])
def test_nobody_else_gets_in_or_makes_an_account(provider: str, subject: str) -> None:
    factories.user("zoe", "Auditor", email="zoe@example.org")
    browser = Client()

    answer = come_back(browser, subject)

    assert answer["Location"] == "/sign-in/"
    assert "Nobody here has the address" in browser.get("/sign-in/").text
    assert browser.get("/audit/").status_code == 302
    assert not SocialAccount.objects.exists()
    assert User.objects.count() == 1


def test_second_factor_is_asked_for_and_closed_accounts_stay_out(provider: str) -> None:
    zoe = factories.user("zoe", "Auditor", email="zoe@example.org")
    come_back(Client(), "zoe-at-theirs")
    browser = Client()
    browser.post("/sign-in/", {"username": "zoe", "password": factories.PASSWORD})
    secret = re.search(r'access-key">([A-Z2-7]+)<', browser.get("/account/app/").text)
    assert secret is not None
    from allauth.mfa.totp.internal import auth

    auth.TOTP.activate(zoe, secret[1])

    assert come_back(Client(), "zoe-at-theirs")["Location"] == "/sign-in/code/"
    User.objects.filter(pk=zoe.pk).update(is_active=False)
    assert come_back(Client(), "zoe-at-theirs")["Location"] == "/sign-in/"


def test_answer_that_nobody_asked_for_is_refused(provider: str) -> None:
    factories.user("zoe", "Auditor", email="zoe@example.org")
    browser = Client()
    away = Client().post("/sign-in/with/sso/")["Location"]
    stolen = httpx.post(away, data={"sub": "zoe-at-theirs"}).headers["Location"].replace("http://testserver", "")

    answer = browser.get(stolen)  # another browser's state

    assert answer["Location"] == "/sign-in/"
    assert browser.get("/audit/").status_code == 302
