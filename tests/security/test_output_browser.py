"""Hostile words in a real browser: nothing is fetched from elsewhere, nothing runs, the decision is still ours."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from approvals.models import Decision
from orchestrator.models import Stop
from tests.functional.conftest import browser_type_launch_args, context, site, until
from tests.security import hostile

__all__ = ["browser_type_launch_args", "context", "site"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]


@pytest.fixture
def there(site) -> hostile.Stage:
    return hostile.stage()


@pytest.fixture
def asked(page: Page) -> Iterator[list[str]]:
    """Every address the browser asks for; a dialog of the browser's is a failure."""
    found: list[str] = []
    page.on("request", lambda request: found.append(f"{request.method} {request.url}"))
    page.on("websocket", lambda socket: found.append(f"WS {socket.url}"))
    dialogs: list[str] = []

    def dismiss(dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    yield found
    assert dialogs == []


def test_hostile_words_ask_for_nothing_and_run_nothing(site, page: Page, there, asked):
    site.enter(page, there.root)

    for address in there.pages.values():
        page.goto(site.address + address)
        expect(page.locator("#connection, .menu-head").first).to_be_attached()
        page.wait_for_load_state("networkidle")

    own = (f"GET {site.address}/", f"WS {site.address.replace('http', 'ws')}/ws/live")
    card = f"POST {site.address}/inbox/{there.gate.pk}"
    ours = {f"{card}/presence/", f"{card}/activity/", f"POST {site.address}/inbox/here/"}  # that somebody reads it
    assert [request for request in asked if not request.startswith(own) and request not in ours] == []
    assert not Stop.objects.exists()
    assert not Decision.objects.exists()


def test_card_of_hostile_words_is_decided_by_our_form_alone(site, page: Page, there, asked):
    site.enter(page, there.root, there.pages["card"])

    form = page.evaluate(
        """() => {
            const form = document.getElementById("decision");
            return {
                action: form.getAttribute("action"),
                forms: document.querySelectorAll("#decision").length,
                version: form.elements.version.value,
                names: [...new Set([...form.elements].map((element) => element.name))],
                shadowed: ["action", "method", "submit", "requestSubmit", "elements"].filter(
                    (name) => form[name] instanceof Element,
                ),
            };
        }"""
    )
    assert (form["action"], form["forms"], form["version"]) == (f"/inbox/{there.gate.pk}/decide/", 1, "1")
    assert form["shadowed"] == []
    ours = {"csrfmiddlewaretoken", "version", "key", "note", "verdict", "reviewed", "causes", "rating", "reasons", ""}
    assert [name for name in form["names"] if not (name in ours or name.startswith(("answer.", "rubric.")))] == []
    expect(page.locator(".card-act")).to_contain_text("fin-db-02")
    expect(page.locator("#decision [data-send=approve]")).to_be_visible()

    page.locator("#decision [data-send=approve]").click()

    until(lambda: Decision.objects.filter(gate=there.gate, verdict="approve").exists(), what="it is approved")
    assert Decision.objects.get().before["summary"] == hostile.ALL
