"""What every answer carries, whoever asks and whatever goes wrong (SCENARIO 70)."""

import pytest
from django.http import HttpRequest
from django.test import Client
from django.urls import path

from config import urls
from tests.security.cast import World, world

pytestmark = pytest.mark.django_db

ALWAYS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
ANSWERS = {
    "page": ("/runs/", 200),
    "region": ("/runs/{run}/?part=head", 200),
    "card": ("/inbox/{gate}/", 200),
    "redirect": ("/runs", 301),
    "sign-in": ("/sign-in/?next=/runs/", 302),
    "download": ("/runs/{run}/files/{file}/", 200),
    "JSON": ("/api/v1/runs", 200),
    "JSON refusal": ("/api/v1/runs/999999", 404),
    "no JSON route": ("/api/v1/nowhere", 404),
    "schema": ("/workflows/schema.json", 200),
    "static": ("/static/css/base.css", 200),
    "no static file": ("/static/nothing.css", 404),
    "not found": ("/nowhere/", 404),
    "not allowed": ("/audit/verify/", 405),
    "probe": ("/healthz", 200),
    "failure": ("/broken/", 500),
}


def broken(request: HttpRequest) -> None:
    raise RuntimeError


class Broken:
    """The product's addresses, and one that breaks."""

    urlpatterns = (*urls.urlpatterns, path("broken/", broken))
    handler400, handler403 = urls.handler400, urls.handler403
    handler404, handler500 = urls.handler404, urls.handler500


@pytest.fixture
def there(settings) -> World:
    settings.ROOT_URLCONF = Broken
    return world()


def policy(response) -> dict[str, str]:
    return dict(part.strip().partition(" ")[::2] for part in response["Content-Security-Policy"].split(";"))


@pytest.mark.parametrize(("address", "status"), ANSWERS.values(), ids=ANSWERS)
def test_answer_carries_every_guard(there, address, status):
    response = there.browser("superuser").get(there.fill(address))

    assert response.status_code == status
    assert {name: response.get(name) for name in ALWAYS} == ALWAYS
    found = policy(response)
    assert (found["default-src"], found["frame-ancestors"]) == ("'none'", "'none'")
    assert not {"unsafe-inline", "unsafe-eval", "data:", "*"} & set(
        response["Content-Security-Policy"].replace("'", " ").split()
    )


@pytest.mark.parametrize("address", ["/", "/runs/", "/api/v1/runs", "/inbox/1/"])
def test_answer_to_strangers_carries_every_guard(address):
    response = Client().get(address)

    assert response.status_code in {302, 401}
    assert {name: response.get(name) for name in ALWAYS} == ALWAYS
    assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize(
    "address", [address for name, (address, _) in ANSWERS.items() if "static" not in name or "no" in name]
)
def test_answer_with_anything_personal_is_kept_by_no_cache(there, address):
    assert "no-store" in there.browser("superuser").get(there.fill(address))["Cache-Control"]


def test_page_policy_lets_nothing_in_from_elsewhere(there):
    found = policy(there.browser("superuser").get("/runs/"))

    assert {found[name] for name in ("script-src", "style-src", "connect-src", "img-src", "form-action")} == {"'self'"}
    assert (found["base-uri"], found["object-src"]) == ("'none'", "'none'")


def test_download_is_plain_text_that_no_browser_runs(there):
    response = there.browser("superuser").get(there.fill("/runs/{run}/files/{file}/"))

    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["Content-Disposition"].startswith("attachment")
    assert "sandbox" in policy(response)


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1@evil.example", "a b", ""])
def test_foreign_host_is_refused_and_named_nowhere(there, host):
    response = there.browser("superuser").get("/runs/", headers={"Host": host or "[bad"})

    assert response.status_code == 400
    assert "evil.example" not in response.text
    assert response["X-Frame-Options"] == "DENY"
