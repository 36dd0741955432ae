"""The reviewer's list in a browser: order, search, live arrival, and that it holds still while it is read."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect

from approvals import services
from tests import people
from tests.functional.conftest import Held, Site, serious_problems


@pytest.fixture
def ana(transactional_db: None) -> User:
    return people.person("ana", decides=people.queue())


@pytest.fixture
def sam(transactional_db: None) -> User:
    return people.person("sam", decides=people.queue())


def live(page: Page) -> None:
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")


def test_list_is_ordered_by_harm_and_time_and_opens_the_first(site: Site, ana: User, page: Page) -> None:
    people.gate(title="Close duplicates", risk="low")
    people.gate(title="Isolate host", risk="critical")

    site.enter(page, ana, "/inbox/")

    expect(page.locator(".queue-name")).to_have_text(["Isolate host", "Close duplicates"])
    expect(page.locator("#card-title")).to_have_text("Isolate host")
    expect(page.locator(".queue-row").first).to_have_attribute("aria-current", "true")


def test_row_opens_its_card_beside_the_list_and_back_returns(site: Site, ana: User, page: Page) -> None:
    people.gate(title="Isolate host", risk="critical")
    second = people.gate(title="Close duplicates", risk="low")
    site.enter(page, ana, "/inbox/")

    page.locator(".queue-row").nth(1).click()

    expect(page.locator("#card-title")).to_have_text("Close duplicates")
    expect(page).to_have_url(re.compile(f"/inbox/{second.pk}/$"))
    expect(page.locator(".queue-row").nth(1)).to_have_attribute("aria-current", "true")
    page.go_back()
    expect(page.locator("#card-title")).to_have_text("Isolate host")


def test_new_gate_appears_without_a_reload(site: Site, ana: User, page: Page) -> None:
    site.enter(page, ana, "/inbox/")
    expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()
    live(page)

    people.gate(title="Isolate host")

    expect(page.locator(".queue-row")).to_contain_text("Isolate host")
    expect(page.locator("#card-title")).to_have_text("Isolate host")


def test_list_under_the_pointer_holds_still_and_greys_what_is_settled(
    site: Site, ana: User, sam: User, page: Page
) -> None:
    first = people.gate(title="Isolate one", risk="high")
    people.gate(title="Isolate two")
    site.enter(page, ana, "/inbox/")
    live(page)
    row = page.locator(f"#row-{first.pk} .queue-row")
    row.hover()

    services.decide(gate_id=first.pk, by=sam, verdict="approve", gate_version=1)

    expect(row).to_contain_text("Approved by Sam")
    expect(row).to_have_attribute("data-settled", "")
    note = page.locator("#inbox-list [data-hold-note]")
    expect(note).to_be_visible()
    note.click()
    expect(page.locator("#inbox-list")).not_to_contain_text("Isolate one")


def test_refresh_that_was_under_way_when_reading_began_waits(site: Site, ana: User, sam: User, page: Page) -> None:
    first = people.gate(title="Isolate one", risk="high")
    people.gate(title="Isolate two")
    page.mouse.move(0, 0)
    site.enter(page, ana, "/inbox/")
    live(page)
    page.wait_for_load_state("networkidle")
    held = Held(page, r":\d+/inbox/$")

    services.decide(gate_id=first.pk, by=sam, verdict="approve", gate_version=1)
    held.wait()
    row = page.locator(f"#row-{first.pk} .queue-row")
    row.hover()
    held.let_go()

    expect(page.locator("#inbox-list [data-hold-note]")).to_be_visible()
    expect(row).to_contain_text("Approved by Sam")


def test_search_looks_into_payloads(site: Site, ana: User, page: Page) -> None:
    people.gate(title="Isolate host", action={"host": "zebra-9"})
    people.gate(title="Close duplicates")
    site.enter(page, ana, "/inbox/")

    page.get_by_label("Search titles and payloads").fill("zebra")

    expect(page.locator(".queue-name")).to_have_text(["Isolate host"])
    page.get_by_label("Search titles and payloads").fill("okapi")
    expect(page.get_by_text("Nothing matches")).to_be_visible()


def test_queue_narrows_the_list_and_the_next_card(site: Site, page: Page) -> None:
    ana = people.person("ana", decides=people.queue())
    people.access.grant(to=ana, permission="decide_gates", on=people.queue("leads"), by=None)
    people.gate(title="Isolate host", risk="critical")
    people.gate(title="Promote one", queue="leads")
    people.gate(title="Promote two", queue="leads")
    site.enter(page, User.objects.get(pk=ana.pk), "/inbox/")

    page.get_by_role("link", name="Leads 2").click()
    expect(page.locator(".queue-name")).to_have_text(["Promote one", "Promote two"])
    page.get_by_role("button", name="Approve").click()

    expect(page.locator("#card-title")).to_have_text("Promote two")
    expect(page).to_have_url(re.compile(r"\?queue=leads$"))


def test_history_lists_what_i_decided(site: Site, ana: User, page: Page) -> None:
    gate = people.gate(title="Isolate host")
    services.decide(gate_id=gate.pk, by=ana, verdict="approve", gate_version=1, note="agreed")
    site.enter(page, ana, "/inbox/")

    page.get_by_role("link", name="Decided", exact=True).click()

    row = page.get_by_role("row").nth(1)
    expect(row).to_contain_text("Approved")
    expect(row).to_contain_text("agreed")
    assert serious_problems(page) == []
    row.get_by_role("link", name="Isolate host").click()
    expect(page.locator(".card-banner")).to_contain_text("Approved by Ana")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_inbox_has_no_serious_accessibility_problem(site: Site, ana: User, page: Page, scheme: Any) -> None:
    for risk in ("low", "medium", "high", "critical"):
        people.gate(title=f"Isolate {risk}", risk=risk)
    page.emulate_media(color_scheme=scheme)

    site.enter(page, ana, "/inbox/")
    live(page)

    assert serious_problems(page) == []


def test_inbox_works_without_javascript(site: Site, ana: User, browser: Browser) -> None:
    first = people.gate(title="Isolate one", risk="critical")
    people.gate(title="Isolate two")
    page = browser.new_context(java_script_enabled=False).new_page()
    site.enter(page, ana, "/inbox/")

    page.get_by_role("link", name=re.compile("Isolate one")).first.click()
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#problem")).to_contain_text("Say why in the note")
    page.locator("#note").fill("agreed")
    page.get_by_role("button", name="Approve").click()

    expect(page.locator("#card-title")).to_have_text("Isolate two")
    expect(page.locator("#ack")).to_contain_text("Approved")
    assert first.decisions.get().note == "agreed"
    page.context.close()
