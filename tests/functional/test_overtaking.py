"""Answers that overtake each other: what a person asked for last is what stays on the page, and nothing is missed."""

import re

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, Route, expect

from orchestrator import events
from tests import factories, people
from tests.functional.conftest import Held, Site, until


@pytest.fixture
def developer(site: Site) -> User:
    for name in ("intake-agent", "severity-agent"):
        factories.agent(name)
    return factories.user("dev", "Agent Development Specialist")


@pytest.fixture
def agents(site: Site, developer: User, page: Page) -> Page:
    """The list of agents, live and at rest, with nothing under the pointer."""
    page.mouse.move(0, 0)
    site.enter(page, developer, "/agents/")
    expect(page.locator("html")).to_have_attribute("data-live", "live")
    page.wait_for_load_state("networkidle")
    return page


def register(name: str) -> None:
    factories.agent(name)
    events.append("agent.registered", actor="engine", data={"agent": name})


def search(page: Page) -> None:
    page.get_by_label("Search agents by name or title").press_sequentially("sever")
    expect(page).to_have_url(re.compile(r"/agents/\?q=sever$"))


def test_refresh_that_is_late_does_not_undo_a_search(agents: Page) -> None:
    refresh = Held(agents, r"/agents/$")
    register("triage-agent")
    refresh.wait()

    search(agents)
    expect(agents.get_by_role("link", name="Intake agent")).to_have_count(0)
    refresh.let_go()
    register("severity-two")

    expect(agents.get_by_role("link", name="Severity two")).to_be_visible()
    expect(agents.get_by_role("link", name="Intake agent")).to_have_count(0)


def test_refresh_during_a_search_does_not_undo_it_and_is_not_lost(agents: Page) -> None:
    asked = Held(agents, r"/agents/\?q=sever$")
    with agents.expect_request(re.compile(r"/agents/\?q=sever$")):
        agents.get_by_label("Search agents by name or title").press_sequentially("sever")
    asked.wait()

    agents.evaluate("window.addEventListener('refresh', () => (window.told = true), {capture: true})")
    register("severity-two")
    until(lambda: agents.evaluate("window.told"), what="the page knows of the change")
    asked.let_go()

    expect(agents.get_by_role("link", name="Severity two")).to_be_visible()
    expect(agents.get_by_role("link", name="Intake agent")).to_have_count(0)


def test_refresh_that_failed_is_made_up_for(agents: Page) -> None:
    failed: list[str] = []

    def fail_once(route: Route) -> None:
        if failed:
            return route.continue_()
        failed.append(route.request.url)
        return route.fulfill(status=503, body="")

    agents.route(re.compile(r"/agents/$"), fail_once)
    register("triage-agent")

    expect(agents.get_by_role("link", name="Triage agent")).to_be_visible()
    assert failed


def test_search_typed_later_wins_however_many_are_under_way(agents: Page) -> None:
    box = agents.get_by_label("Search agents by name or title")
    first = Held(agents, r"/agents/\?q=i$")
    box.fill("i")
    first.wait()
    for text in ("in", "sev"):
        with agents.expect_request(re.compile(rf"/agents/\?q={text}$")):
            box.fill(text)

    expect(agents.get_by_role("link", name="Intake agent")).to_have_count(0)
    first.let_go()
    expect(agents).to_have_url(re.compile(r"/agents/\?q=sev$"))
    expect(agents.get_by_role("link", name="Severity agent")).to_be_visible()


def test_enter_in_the_palette_waits_for_the_results_of_what_was_typed(agents: Page, site: Site) -> None:
    agents.keyboard.press("Control+k")
    expect(agents.get_by_role("option").first).to_be_visible()
    slow = Held(agents, r"/search/\?q=severity$")

    agents.get_by_role("combobox").fill("severity")
    slow.wait()
    agents.keyboard.press("Enter")
    slow.let_go()

    expect(agents).to_have_url(f"{site.address}/agents/severity-agent/")


def test_escape_closes_the_palette_at_once(agents: Page) -> None:
    agents.keyboard.press("Control+k")
    agents.get_by_role("combobox").fill("severity")

    agents.keyboard.press("Escape")

    expect(agents.locator("#palette")).to_be_hidden()


def test_card_opened_last_is_the_one_that_stays(site: Site, page: Page) -> None:
    titles = [f"Isolate {name}" for name in ("one", "two", "three")]
    gates = [people.gate(title=title) for title in titles]
    site.enter(page, people.person("ana", decides=people.queue()), "/inbox/")
    expect(page.locator("#card-title")).to_have_text(titles[0])
    earlier, later = (Held(page, rf"/inbox/{gate.pk}/$") for gate in gates[1:])

    page.locator(f"#row-{gates[1].pk} .queue-row").click()
    earlier.wait()
    page.locator(f"#row-{gates[2].pk} .queue-row").click()
    later.wait()
    earlier.let_go()
    later.let_go()

    expect(page.locator("#card-title")).to_have_text(titles[2])
    expect(page).to_have_url(re.compile(f"/inbox/{gates[2].pk}/$"))


def test_card_opened_while_a_verdict_is_under_way_opens_after_it(site: Site, page: Page) -> None:
    titles = [f"Isolate {name}" for name in ("one", "two", "three")]
    gates = [people.gate(title=title) for title in titles]
    site.enter(page, people.person("ana", decides=people.queue()), "/inbox/")
    verdict = Held(page, rf"/inbox/{gates[0].pk}/decide/$")

    page.get_by_role("button", name="Approve").click()
    verdict.wait()
    page.locator(f"#row-{gates[2].pk} .queue-row").click()
    verdict.let_go()

    expect(page.locator("#card-title")).to_have_text(titles[2])
    expect(page.locator(".queue-name")).to_have_text(titles[1:])
