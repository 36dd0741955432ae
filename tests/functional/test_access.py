"""Access in a browser: a role given after its rehearsal, a second person, a passkey, and pages that axe finds clean."""

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.core.cache import cache
from playwright.sync_api import Page, expect

from approvals.models import AccessChange, Draft, Presence
from orchestrator import acts
from tests import factories, people
from tests.functional.conftest import Site, at_rest, serious_problems


@pytest.fixture
def adam(transactional_db: None) -> User:
    return people.person("adam", "Administrator")


def test_role_is_rehearsed_given_and_undone_and_a_grave_one_waits(site: Site, adam: User, page: Page) -> None:
    zoe, ada = people.person("zoe"), people.person("ada", "Administrator")
    site.enter(page, adam, f"/access/people/{zoe.pk}/")

    page.get_by_role("link", name="Give a role…").click()
    dialog = page.locator("#dialog")
    dialog.get_by_label("Role").select_option("Auditor")
    expect(dialog.locator("#act-plan")).to_contain_text("zoe has the role Auditor")
    dialog.get_by_label("Role").select_option("Administrator")
    expect(dialog.locator("#act-plan")).to_contain_text("zoe has the role Administrator")
    expect(dialog.locator("#act-plan")).to_contain_text("This takes two people")
    dialog.get_by_label("Why").fill("she runs it from now on")
    dialog.get_by_role("button", name="Give role").click()
    expect(page.locator("#access-changes")).to_contain_text("You asked for it")
    assert not User.objects.get(pk=zoe.pk).groups.exists()

    site.enter(page, ada, "/access/changes/")
    page.get_by_role("link", name="Confirm…").click()
    expect(dialog.locator("#act-plan")).to_contain_text("Zoe may now")
    dialog.get_by_label("Why").fill("agreed")
    dialog.get_by_role("button", name="Confirm and do it").click()

    expect(page.locator("#toasts")).to_contain_text("Confirmed and done")
    assert AccessChange.objects.get().outcome == "confirmed"
    assert list(User.objects.get(pk=zoe.pk).groups.values_list("name", flat=True)) == ["Administrator"]


@pytest.mark.parametrize("width", [1440, 390])
def test_pages_of_access_have_no_serious_problem(site: Site, adam: User, page: Page, width: int) -> None:
    queue = people.queue()
    rita = people.person("rita", "Reviewer", decides=queue)
    page.set_viewport_size({"width": width, "height": 900})
    site.enter(page, adam, "/access/")
    role = rita.groups.get().pk
    paths = ("/access/", f"/access/people/{rita.pk}/", "/access/roles/", f"/access/roles/{role}/", "/access/queues/")
    for path in (
        *paths,
        f"/access/queues/{queue.name}/",
        "/access/changes/",
        "/account/",
        "/account/tokens/",
        "/account/app/",
    ):
        page.goto(site.address + path)
        expect(page.locator("h1")).to_be_visible()
        assert serious_problems(page) == [], path
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, path


def test_passkey_is_added_and_signs_in_without_a_password(site: Site, page: Page) -> None:
    cache.clear()
    factories.user("zoe", "Auditor")
    address = site.address.replace("127.0.0.1", "localhost")  # a passkey belongs to a name, not to a number
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    page.goto(f"{address}/sign-in/")
    page.get_by_label("Name").fill("zoe")
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.goto(f"{address}/account/keys/add/")
    page.get_by_label("What you call it").fill("Laptop")
    page.get_by_role("button", name="Ask the device").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    assert Authenticator.objects.filter(type="webauthn").count() == 1

    page.context.clear_cookies()
    page.goto(f"{address}/sign-in/")
    page.get_by_role("button", name="Sign in with a passkey").click()

    expect(page.get_by_role("link", name="Audit").first).to_be_visible()
    page.goto(f"{address}/account/")
    expect(page.locator("main")).to_contain_text("Laptop")


def test_viewing_as_somebody_leaves_no_trace_of_them_and_asks_for_nothing(site: Site, adam: User, page: Page) -> None:
    rita = people.person("rita", "Reviewer", decides=people.queue())
    gate = people.gate()
    refused: list[str] = []
    page.on("response", lambda answer: refused.append(answer.url) if answer.status == 403 else None)
    site.enter(page, adam, f"/access/people/{rita.pk}/")
    page.get_by_role("button", name="View as…").click()
    page.locator("#confirm").get_by_role("button", name="View as").click()
    expect(page.get_by_text("You see what")).to_be_visible()

    page.goto(f"{site.address}/inbox/{gate.pk}/")
    page.get_by_label("Note").fill("through her eyes")
    page.goto(f"{site.address}/inbox/")  # a draft would be kept on the way
    expect(page.locator("#card")).to_be_visible()
    at_rest(page)

    assert refused == []
    assert not Presence.objects.exists()
    assert not Draft.objects.exists()


def test_change_is_confirmed_by_its_words_and_not_by_its_number(site: Site, adam: User, page: Page) -> None:
    zoe, ada = people.person("zoe"), people.person("ada", "Administrator")
    acts.perform(
        acts.find("everything", "give-role"), acts.Target("everything"), by=adam, reason="she runs it from now on",
        answers={"person": zoe.username, "role": "Administrator"},
    )  # fmt: skip
    site.enter(page, ada, "/access/changes/")

    page.get_by_role("link", name="Confirm…").click()

    dialog = page.locator("#dialog")
    expect(dialog.locator("#act-plan")).to_contain_text("zoe has the role Administrator")
    expect(dialog.get_by_label("Change", exact=True)).to_have_count(0)
    expect(dialog.locator("[name='input.change']")).to_have_value(str(AccessChange.objects.get().pk))
