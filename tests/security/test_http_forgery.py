"""Nothing changes because another site made a browser ask for it (SCENARIO 70)."""

import pytest
from django.test import Client

from approvals.models import Decision
from orchestrator.models import Run, Stop
from tests.security.cast import BACKEND, World, world

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
OWN = "http://testserver"
ORIGINS = ("https://evil.example", "null", "http://testserver.evil.example", "https://testserver")
SITES = ("cross-site", "same-site")
CHANGES = {
    "decide": ("/inbox/{gate}/decide/", {"version": "1", "verdict": "approve"}),
    "comment": ("/inbox/{gate}/comments/", {"text": "x"}),
    "claim": ("/inbox/{gate}/claim/", {}),
    "pause": ("/act/run/{run}/pause/", {"reason": "x"}),
    "start": ("/workflows/{workflow}/start/", {"as": "json", "json": "{}"}),
    "stop": ("/stop/", {"what": "everything", "reason": "x"}),
    "sign out": ("/sign-out/", {}),
    "API decide": ("/api/v1/gates/{gate}/decisions", {"version": "1", "verdict": "approve"}),
    "API stop": ("/api/v1/stops", {"scope": "everything", "reason": "x"}),
    "API token": ("/api/v1/tokens", {"name": "x", "scopes": "stop"}),
}


@pytest.fixture(scope="module")
def there(module_db) -> World:
    return world()


@pytest.fixture
def browser(there) -> Client:
    """A browser that checks as the product does, and holds a session and a CSRF cookie."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(there.persons["superuser"], backend=BACKEND)
    client.get("/styleguide/")
    return client


def token(client: Client) -> str:
    return client.cookies["csrftoken"].value


def unchanged(there: World) -> bool:
    run = Run.objects.get(pk=there.run.pk)
    return (
        run.status == "running"
        and not Decision.objects.exists()
        and Stop.objects.count() == 1
        and Run.objects.count() == 1
    )


FORGED = {
    "form without a token": {},
    "htmx without a token": HTMX,
    **{f"origin {origin}": {"Origin": origin, "X-CSRFToken": "{token}"} for origin in ORIGINS},
    **{f"page of a {site}": {"Sec-Fetch-Site": site, "Origin": OWN, "X-CSRFToken": "{token}"} for site in SITES},
}


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED)
def test_forged_change_is_refused_by_every_address(there, browser, headers):
    sent = {name: value.format(token=token(browser)) for name, value in headers.items()}

    found = {
        name: browser.post(there.fill(address), form, headers=sent).status_code
        for name, (address, form) in CHANGES.items()
    }

    assert found == dict.fromkeys(CHANGES, 403)
    assert unchanged(there)


def test_change_from_our_own_page_is_made(there, browser):
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": OWN, "X-CSRFToken": token(browser), **HTMX}

    response = browser.post(there.fill("/act/run/{run}/pause/"), {"reason": "x"}, headers=headers)

    assert response.status_code == 204
    assert Run.objects.get(pk=there.run.pk).status == "paused"


def test_link_from_another_site_still_opens_a_page(there, browser):
    assert browser.get("/runs/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_token_of_another_session_is_no_token(there, browser):
    other = Client(enforce_csrf_checks=True)
    other.force_login(there.persons["reviewer"], backend=BACKEND)
    other.get("/styleguide/")

    response = browser.post(there.fill("/act/run/{run}/pause/"), {"reason": "x"}, headers={"X-CSRFToken": token(other)})

    assert response.status_code == 403
    assert unchanged(there)


def test_sign_in_form_from_another_site_is_refused():
    client = Client(enforce_csrf_checks=True)

    response = client.post("/sign-in/", {"username": "x", "password": "y"}, headers={"Origin": "https://evil.example"})

    assert response.status_code == 403
