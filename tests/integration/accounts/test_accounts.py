"""Accounts from the first link to the last session: invitations, second factors, step-up, view as, tokens, sessions."""

import re
import time
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.core import mail
from django.core.cache import cache, caches
from django.test import Client

from approvals import access
from approvals.accounts import invitations, roles
from approvals.errors import ChangeRefused, LinkInvalid
from approvals.models import ApiToken, Gate, Invitation
from config.api.limits import buckets
from orchestrator.models import Event
from tests import factories, people
from tests.pages import without_tokens

pytestmark = pytest.mark.django_db
PASSWORD = "a perfectly long password"


@pytest.fixture(autouse=True)
def _no_limits_left() -> None:
    cache.clear()
    buckets.clear()


def account(name: str, *roles: str, **columns: Any) -> User:
    return factories.user(name, *roles, **columns)


def sign_in(user: str, password: str = factories.PASSWORD, client: Client | None = None) -> tuple[Client, Any]:
    browser = client or Client()
    return browser, browser.post("/sign-in/", {"username": user, "password": password})


def is_in(browser: Client) -> bool:
    return browser.get("/account/").status_code == 200


def code_of(secret: str, at: float | None = None) -> str:
    return format_hotp_value(hotp_value(secret, int(at or time.time()) // 30))


def with_app(browser: Client) -> str:
    """Set an authenticator app up; its secret."""
    secret = re.search(r'access-key">([A-Z2-7]+)<', browser.get("/account/app/").text)
    assert secret is not None
    answer = browser.post("/account/app/", {"code": code_of(secret[1])})
    assert answer.status_code == 302, answer.text
    cache.clear()  # the same code again within its half minute is refused otherwise
    return secret[1]


def test_link_is_an_address_and_no_credential(settings: Any) -> None:
    adam, zoe = account("adam", "Administrator"), account("zoe", "Reviewer")
    zoe.set_unusable_password()
    zoe.save()
    browser, _answer = sign_in("adam")

    page = browser.post(f"/access/people/{zoe.pk}/link/")
    address = re.search(r'made-link">[^<]*?(/sign-in/join/([^<]+)/)<', page.text)
    assert address is not None
    at, secret = address[1], address[2]

    stored = Invitation.objects.get(user=zoe)
    assert secret not in str(vars(stored))
    assert secret not in browser.get(f"/access/people/{zoe.pk}/").text
    stranger = Client()
    for _scanner in range(5):
        seen = stranger.get(at)
        assert seen.status_code == stranger.head(at).status_code == 200
    assert seen["Referrer-Policy"] == "no-referrer"
    assert "zoe" not in without_tokens(seen.text, besides=secret)
    set_it = {"password": PASSWORD, "again": PASSWORD}
    assert stranger.post(at, {"username": "adam", **set_it}).status_code == 404  # forwarded to somebody else
    assert stranger.post(at, {"username": "zoe", "password": "short", "again": "short"}).status_code == 422
    assert Invitation.objects.get(user=zoe).ended_at is None

    assert stored.made_by == adam
    _is_used_once(stranger, at)


def _is_used_once(stranger: Client, at: str) -> None:
    set_it = {"password": PASSWORD, "again": PASSWORD}

    joined = stranger.post(at, {"username": "Zoe", **set_it})

    assert joined["Location"] == "/sign-in/"
    assert not is_in(stranger)  # it signs nobody in
    assert stranger.post(at, {"username": "zoe", **set_it}).status_code == 404  # once
    assert is_in(sign_in("zoe", PASSWORD)[0])
    assert Event.objects.filter(kind="account.joined", actor="user:zoe").exists()


def test_link_ends_with_time_with_another_link_and_with_the_account() -> None:
    adam, zoe = people.person("adam", "Administrator"), people.person("zoe", "Reviewer")
    first = invitations.make(user=zoe, by=adam)
    second = invitations.make(user=zoe, by=adam)
    with pytest.raises(LinkInvalid):
        invitations.accept(secret=first, username="zoe", password=PASSWORD)
    Invitation.objects.filter(ended_at=None).update(expires_at="2020-01-01T00:00Z")
    with pytest.raises(LinkInvalid):
        invitations.accept(secret=second, username="zoe", password=PASSWORD)
    third = invitations.make(user=zoe, by=adam)
    access.set_active(user_id=zoe.pk, active=False, by=adam)
    with pytest.raises(LinkInvalid):
        invitations.accept(secret=third, username="zoe", password=PASSWORD)


def test_no_link_to_a_used_account_with_grave_rights_from_a_page() -> None:
    adam, coordinator = people.person("adam", "Administrator"), people.person("cora", "Human Oversight Coordinator")
    invitations.make(user=coordinator, by=adam)  # she has never signed in: it is how she gets her first password
    User.objects.filter(pk=coordinator.pk).update(last_login="2026-01-01T00:00Z")

    with pytest.raises(ChangeRefused, match="command line"):
        invitations.make(user=User.objects.get(pk=coordinator.pk), by=adam)

    assert invitations.make(user=coordinator, by=None)


def test_guessing_at_links_is_throttled() -> None:
    guess = {"username": "zoe", "password": PASSWORD, "again": PASSWORD}
    answers = [Client().post(f"/sign-in/join/{'a' * 42}{number % 10}/", guess).status_code for number in range(12)]

    assert answers == [404] * 10 + [429] * 2


def test_app_is_set_up_asked_for_and_lost_with_a_recovery_code(django_capture_on_commit_callbacks: Any) -> None:
    account("zoe", "Auditor")
    browser, _answer = sign_in("zoe")
    with django_capture_on_commit_callbacks(execute=True):
        secret = with_app(browser)
    stored = Authenticator.objects.get(type="totp")
    assert secret not in str(stored.data)  # sealed
    codes = re.search(r'recovery-codes">([^<]+)<', browser.get("/account/codes/").text)
    assert codes is not None

    second, first_step = sign_in("zoe")
    assert first_step["Location"] == "/sign-in/code/"
    assert not is_in(second)
    assert second.post("/sign-in/code/", {"code": "000000"}).status_code == 200
    assert not is_in(second)
    assert second.post("/sign-in/code/", {"code": code_of(secret)})["Location"] == "/"
    assert is_in(second)
    replayed, _answer = sign_in("zoe")
    assert replayed.post("/sign-in/code/", {"code": code_of(secret)}).status_code == 200  # once

    third, _answer = sign_in("zoe")
    recovery = codes[1].split()[0]
    assert third.post("/sign-in/code/", {"code": recovery})["Location"] == "/"
    again, _answer = sign_in("zoe")
    assert again.post("/sign-in/code/", {"code": recovery}).status_code == 200
    assert not is_in(again)
    kinds = Event.objects.filter(kind="account.secured", data__user="zoe").values_list("data__what", flat=True)
    assert "second factor added: totp" in kinds


def test_codes_are_not_guessed() -> None:
    account("zoe", "Auditor")
    secret = with_app(sign_in("zoe")[0])
    browser, _answer = sign_in("zoe")

    for _try in range(6):
        answer = browser.post("/sign-in/code/", {"code": "123456"})
    right = browser.post("/sign-in/code/", {"code": code_of(secret)})

    assert "too many" in answer.text.lower()
    assert right.status_code == 200
    assert not is_in(browser)


def test_role_that_asks_for_a_second_factor_holds_whoever_has_none() -> None:
    roles.require_mfa(role="Auditor", required=True, by=None)
    account("zoe", "Auditor")
    browser, _answer = sign_in("zoe")

    assert browser.get("/audit/")["Location"] == "/account/?needed=1"
    held = browser.get("/api/v1/runs")
    assert (held.status_code, held.json()["code"]) == (403, "second_factor_needed")
    with_app(browser)
    assert browser.get("/audit/").status_code == 200

    browser.post("/account/app/remove/")
    assert browser.get("/audit/")["Location"] == "/account/?needed=1"


def test_lost_factor_is_taken_away_and_sessions_end() -> None:
    account("adam", "Administrator")
    account("zoe", "Auditor")
    theirs, _answer = sign_in("zoe")
    with_app(theirs)
    admin, _answer = sign_in("adam")

    answer = admin.post(
        "/act/everything/all/reset-mfa/", {"input.person": "zoe", "reason": "telephone lost, I know her voice"}
    )

    assert answer.status_code == 302, answer.text
    assert not Authenticator.objects.filter(user__username="zoe").exists()
    assert not is_in(theirs)
    assert is_in(sign_in("zoe")[0])


@pytest.fixture
def stale(settings: Any) -> int:
    """Seconds after which a proof is too old."""
    return int(settings.STEP_UP_SECONDS) + 5


def test_critical_gate_asks_who_you_are_again_and_goes_on_by_itself(stale: int) -> None:
    account("rita", "Human Oversight Coordinator")
    grave, small = people.gate(of=people.run(), risk="critical"), people.gate(of=people.run(), risk="medium")
    browser, _answer = sign_in("rita")
    verdict = {"version": 1, "verdict": "approve", "note": "checked the host"}

    with time_machine.travel(time.time() + stale, tick=True):
        asked = browser.post(f"/inbox/{grave.pk}/decide/", verdict)
        htmx = browser.post(
            f"/inbox/{grave.pk}/decide/",
            verdict,
            headers={"HX-Request": "true", "HX-Current-URL": f"http://testserver/inbox/{grave.pk}/"},
        )
        api = browser.post(f"/api/v1/gates/{grave.pk}/decisions", verdict, content_type="application/json")
        browser.post(f"/inbox/{small.pk}/decide/", verdict)

        assert asked["Location"].startswith("/account/confirm/?next=")
        assert htmx["HX-Redirect"] == f"/account/confirm/?next=%2Finbox%2F{grave.pk}%2Fdecide%2F"
        assert (api.status_code, api.json()["code"]) == (403, "step_up_needed")
        assert Gate.objects.get(pk=grave.pk).status == "open"
        assert Gate.objects.get(pk=small.pk).status == "approved"

        wrong = browser.post(asked["Location"], {"password": "wrong"})
        assert wrong.status_code == 200
        assert Gate.objects.get(pk=grave.pk).status == "open"
        asked = browser.post(f"/inbox/{grave.pk}/decide/", verdict)
        browser.post("/account/confirm/", {"password": factories.PASSWORD, "next": f"/inbox/{grave.pk}/decide/"})
        assert Gate.objects.get(pk=grave.pk).status == "approved"


def test_verdict_that_htmx_sent_goes_on_with_its_note_once_it_is_proved(stale: int) -> None:
    account("rita", "Human Oversight Coordinator")
    grave = people.gate(of=people.run(), risk="critical")
    browser, _answer = sign_in("rita")
    verdict = {"version": 1, "verdict": "approve", "note": "checked the host"}

    with time_machine.travel(time.time() + stale, tick=True):
        asked = browser.post(f"/inbox/{grave.pk}/decide/", verdict, headers={"HX-Request": "true"})
        browser.post(asked["HX-Redirect"], {"password": "wrong", "next": f"/inbox/{grave.pk}/decide/"})
        assert Gate.objects.get(pk=grave.pk).status == "open"
        done = browser.post(
            asked["HX-Redirect"], {"password": factories.PASSWORD, "next": f"/inbox/{grave.pk}/decide/"}
        )

    assert done["Location"].startswith("/inbox/")
    assert Gate.objects.get(pk=grave.pk).status == "approved"
    assert Gate.objects.get(pk=grave.pk).decisions.get().note == "checked the host"


def test_act_from_a_dialog_goes_on_with_its_reason_once_it_is_proved(stale: int) -> None:
    account("adam", "Administrator")
    zoe = account("zoe")
    browser, _answer = sign_in("adam")
    path = "/act/everything/all/give-role/"
    typed = {"input.person": "zoe", "input.role": "Auditor", "reason": "she keeps the books from now on"}
    htmx = {"HX-Request": "true", "HX-Current-URL": f"http://testserver/access/people/{zoe.pk}/"}

    with time_machine.travel(time.time() + stale, tick=True):
        asked = browser.post(path, typed, headers=htmx)
        assert asked["HX-Redirect"].startswith("/account/confirm/?next=%2Fact%2F")
        assert not zoe.groups.exists()
        done = browser.post(asked["HX-Redirect"], {"password": factories.PASSWORD, "next": path})

    assert (done.status_code, "HX-Redirect" in done) == (302, False)
    assert list(zoe.groups.values_list("name", flat=True)) == ["Auditor"]
    assert Event.objects.filter(data__reason=typed["reason"]).exists()


def test_act_that_is_refused_after_the_proof_still_has_its_reason(stale: int) -> None:
    account("adam", "Administrator")
    account("zoe")
    browser, _answer = sign_in("adam")
    path = "/act/everything/all/give-role/"
    typed = {"input.person": "zoe", "input.role": "No such role", "reason": "she keeps the books from now on"}

    with time_machine.travel(time.time() + stale, tick=True):
        asked = browser.post(path, typed, headers={"HX-Request": "true"})
        shown = browser.post(asked["HX-Redirect"], {"password": factories.PASSWORD, "next": path})

    assert shown.status_code in (400, 409, 422)
    assert typed["reason"] in shown.text
    assert "<html" in shown.text


@pytest.mark.parametrize("header", ["x", "Basic x", "Bearer", "Bearer wk_x", "bearer wk_x"])
def test_header_of_ones_own_is_no_proof(stale: int, header: str) -> None:
    account("rita", "Human Oversight Coordinator")
    grave = people.gate(risk="critical")
    browser, _answer = sign_in("rita")
    sent = {"version": 1, "verdict": "approve", "note": "checked the host"}
    claim = {"Authorization": header}

    with time_machine.travel(time.time() + stale, tick=True):
        page = browser.post(f"/inbox/{grave.pk}/decide/", sent, headers=claim)
        api = browser.post(f"/api/v1/gates/{grave.pk}/decisions", sent, content_type="application/json", headers=claim)

    assert page["Location"].startswith("/account/confirm/?next=")
    assert api.status_code in (401, 403)
    assert Gate.objects.get(pk=grave.pk).status == "open"


def test_changes_of_access_and_tokens_ask_who_you_are_again(stale: int) -> None:
    account("adam", "Administrator")
    zoe = account("zoe")
    browser, _answer = sign_in("adam")
    role = {"input.person": "zoe", "input.role": "Auditor", "reason": "new"}

    with time_machine.travel(time.time() + stale, tick=True):
        for path, body in (
            ("/act/everything/all/give-role/", role),
            ("/account/tokens/make/", {"name": "x", "scopes": "read"}),
            ("/inbox/answers/", {"text": "run,step\n1,a", "reason": "x"}),
            (f"/access/people/{zoe.pk}/link/", {}),
            (f"/access/people/{zoe.pk}/view-as/", {}),
        ):
            assert browser.post(path, body)["Location"].startswith("/account/confirm/?next="), path
        api = browser.post("/api/v1/everything/acts/give-role", {"reason": "x"}, content_type="application/json")
        assert api.status_code == 403

    assert not zoe.groups.exists()
    assert not ApiToken.objects.exists()


def test_page_that_sends_a_file_says_before_that_it_will_ask(stale: int) -> None:
    account("rita", "Human Oversight Coordinator")
    browser, _answer = sign_in("rita")
    said = "would have to be chosen again"

    assert said not in browser.get("/inbox/answers/").content.decode()
    with time_machine.travel(time.time() + stale, tick=True):
        page = browser.get("/inbox/answers/").content.decode()
        assert said in page
        assert 'href="/account/confirm/?next=%2Finbox%2Fanswers%2F"' in page

        browser.post("/account/confirm/", {"password": factories.PASSWORD, "next": "/inbox/answers/"})
        assert said not in browser.get("/inbox/answers/").content.decode()


def test_confirming_with_a_code_is_as_good(stale: int) -> None:
    account("adam", "Administrator")
    account("zoe")
    browser, _answer = sign_in("adam")
    secret = with_app(browser)

    later = time.time() + stale
    with time_machine.travel(later, tick=True):
        browser.post("/account/confirm/code/", {"code": code_of(secret, later), "next": "/access/"})
        answer = browser.post(
            "/act/everything/all/give-role/", {"input.person": "zoe", "input.role": "Auditor", "reason": "new"}
        )

    assert not answer["Location"].startswith("/account/confirm/")
    assert User.objects.get(username="zoe").groups.filter(name="Auditor").exists()


def test_view_as_shows_what_they_see_and_does_nothing(stale: int) -> None:
    account("adam", "Administrator")
    rita = people.person("rita", "Reviewer", decides=people.queue())
    gate = people.gate(of=people.run())
    browser, _answer = sign_in("adam")

    browser.post(f"/access/people/{rita.pk}/view-as/")
    page = browser.get("/inbox/?all=1")

    assert gate.title in page.text
    assert "You see what" in page.text
    assert browser.get("/runs/").status_code == 403  # adam may, rita may not
    for path in (
        f"/inbox/{gate.pk}/decide/",
        f"/inbox/{gate.pk}/claim/",
        "/stop/",
        "/account/tokens/make/",
        "/sign-out/",
    ):
        assert browser.post(path, {"version": 1, "verdict": "approve", "note": "x"}).status_code == 403, path
    for path in ("/account/", "/account/tokens/", "/access/", f"/access/people/{rita.pk}/", "/inbox/notices/settings/"):
        assert browser.get(path).status_code == 404, path
    assert Gate.objects.get(pk=gate.pk).status == "open"
    told = Event.objects.filter(kind="session.viewed_as").order_by("id").values_list("actor", "data__refused")
    assert told[0] == ("user:adam", None)
    assert told[1] == ("user:adam", f"POST /inbox/{gate.pk}/decide/")

    browser.post("/account/view-as/end/")
    assert browser.get("/access/").status_code == 200
    browser.post(f"/access/people/{rita.pk}/view-as/")
    with time_machine.travel(time.time() + 601, tick=True):
        assert "You see what" not in browser.get("/access/").text
    assert Event.objects.filter(kind="session.view_ended").count() == 2


def test_view_as_is_of_nobody_with_more_and_by_nobody_without_the_right() -> None:
    account("adam", "Administrator")
    other, root = people.person("ada", "Administrator"), people.person("root", is_superuser=True)
    rita = people.person("rita", "Reviewer")
    browser, _answer = sign_in("adam")

    for user in (other, root, User.objects.get(username="adam")):
        browser.post(f"/access/people/{user.pk}/view-as/")
        assert "You see what" not in browser.get("/access/").text
    account("cora", "Human Oversight Coordinator")
    assert sign_in("cora")[0].post(f"/access/people/{rita.pk}/view-as/").status_code == 404

    browser.post(f"/access/people/{rita.pk}/view-as/")
    access.set_role(user_id=rita.pk, role="Administrator", by=None)  # she has more now
    assert "You see what" not in browser.get("/access/").text


def test_sessions_are_listed_and_ended_one_by_one() -> None:
    account("zoe", "Auditor")
    here, _answer = sign_in("zoe")
    there = Client(headers={"User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/140.0"})
    sign_in("zoe", client=there)
    somebody = account("eve", "Auditor")
    sign_in("eve")
    others = UserSession.objects.get(user=somebody)

    page = here.get("/account/")
    assert "Firefox · Linux" in page.text
    row = UserSession.objects.get(user_agent__contains="Firefox")
    assert here.post(f"/account/sessions/{others.pk}/end/").status_code == 404
    here.post(f"/account/sessions/{row.pk}/end/")
    assert not is_in(there)
    assert is_in(here)

    sign_in("zoe", client=there)
    here.post("/account/sessions/end/")
    assert (is_in(here), is_in(there)) == (True, False)


def test_new_password_ends_other_sessions_and_is_on_record() -> None:
    account("zoe", "Auditor")
    here, there = sign_in("zoe")[0], sign_in("zoe")[0]

    answer = here.post(
        "/account/password/",
        {"old_password": factories.PASSWORD, "new_password1": PASSWORD, "new_password2": PASSWORD},
    )

    assert answer.status_code == 302, answer.text
    assert (is_in(here), is_in(there)) == (True, False)
    assert Event.objects.filter(kind="account.secured", data__what="password changed").exists()


def test_forgotten_password_tells_nobody_who_has_an_account(settings: Any) -> None:
    settings.HAS_MAIL_SERVER = True
    account("zoe", "Auditor", email="zoe@example.org")
    theirs, _answer = sign_in("zoe")

    answers = [Client().post("/sign-in/forgotten/", {"email": f"{name}@example.org"}) for name in ("zoe", "nobody")]

    assert [answer["Location"] for answer in answers] == ["/sign-in/forgotten/sent/"] * 2
    [sent] = mail.outbox
    link = re.search(r"(/sign-in/new-password/\S+)", sent.body)
    assert link is not None
    browser = Client()
    form = browser.get(link[1])["Location"]
    browser.post(form, {"new_password1": PASSWORD, "new_password2": PASSWORD})
    assert not is_in(theirs)
    assert not is_in(browser)
    assert is_in(sign_in("zoe", PASSWORD)[0])
    assert "works no longer" in Client().get(link[1]).text


def test_token_is_shown_once_and_only_to_its_maker() -> None:
    account("zoe", "Auditor")
    browser, _answer = sign_in("zoe")

    page = browser.post("/account/tokens/make/", {"name": "nightly", "scopes": ["read"], "days": "7"})
    secret = re.search(r"(wk_[0-9A-Za-z]{49})", page.text)

    assert secret is not None
    token = ApiToken.objects.get()
    assert secret[1] not in browser.get("/account/tokens/").text
    assert Client().get("/api/v1/runs", headers={"Authorization": f"Bearer {secret[1]}"}).status_code == 200
    account("eve", "Auditor")
    assert sign_in("eve")[0].post(f"/account/tokens/{token.pk}/revoke/").status_code == 404
    browser.post(f"/account/tokens/{token.pk}/revoke/")
    assert Client().get("/api/v1/runs", headers={"Authorization": f"Bearer {secret[1]}"}).status_code == 401


def test_code_is_used_once_by_all_web_processes_together() -> None:
    account("zoe", "Reviewer")
    browser, _answer = sign_in("zoe")
    secret = with_app(browser)
    code = code_of(secret)

    first, _answer = sign_in("zoe")
    first.post("/sign-in/code/", {"code": code})
    caches.close_all()
    del caches["default"]  # as another process: nothing that this one remembers
    second, _answer = sign_in("zoe")
    second.post("/sign-in/code/", {"code": code})

    assert (is_in(first), is_in(second)) == (True, False)
