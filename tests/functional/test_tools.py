"""The pages of tools and policies in a real browser."""

import os

import pytest
from playwright.sync_api import Page, expect

from agents.policies import store
from agents.registry import sync
from agents.tools import meter
from tests import factories, toolbox
from tests.functional.conftest import Site, serious_problems

HELD = "agent: tool-user, tool: test.lookup, scopes: [customers]"
PAY = "agent: tool-user, tool: test.pay, scopes: [money], when: arguments.amount < 5"
PATHS = ("tools/", "tools/test.pay/", "matrix/", "policies/", "policies/test/", "policies/test/?version=2")


@pytest.fixture
def developer(site: Site) -> factories.User:
    toolbox.forget()
    sync()
    toolbox.allow(HELD, PAY, approval="{high: leads}")
    author = factories.user("author", "Agent Development Specialist")
    change = toolbox.policy(HELD, PAY.replace("5", "50")).replace("two_people: false", "two_people: true")
    store.propose(change, by=author, reason="Bigger refunds")
    for decision, code in (("allowed", ""), ("denied", "scope"), ("asked", "")):
        meter.default.count("tool-user", "test.pay", decision, code=code, held=("test v1", "e2"), ms=12.0)
    meter.write_down()
    return factories.user("dev", "Agent Development Specialist")


def test_an_entitlement_is_taken_away_in_two_clicks_and_given_back(site: Site, page: Page, developer) -> None:
    site.enter(page, developer, "/agents/matrix/")
    page.get_by_role("link", name="Take away").first.click()
    page.get_by_role("dialog").get_by_label("Why").fill("no longer needed")
    page.get_by_role("dialog").get_by_role("button", name="Take away").click()
    expect(page.get_by_text("The entitlement is taken away.")).to_be_visible()

    page.goto(f"{site.address}/agents/matrix/")
    expect(page.get_by_role("link", name="Give back")).to_be_visible()


def test_a_proposal_shows_what_it_changes_and_is_approved(site: Site, page: Page, developer) -> None:
    site.enter(page, developer, "/agents/policies/test/?version=2")
    expect(page.get_by_text("What it changes in v1")).to_be_visible()
    page.get_by_role("link", name="Approve").click()
    page.get_by_role("dialog").get_by_label("Why").fill("agreed")
    page.get_by_role("dialog").get_by_role("button", name="Approve").click()
    expect(page.get_by_text("The policy is in force.")).to_be_visible()


@pytest.mark.parametrize("width", [1440, 390])
def test_pages_of_tools_keep_nobody_out(site: Site, page: Page, developer, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    for path in PATHS:
        site.enter(page, developer, f"/agents/{path}")
        assert serious_problems(page) == [], path
        wider = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not wider, path
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=f"{folder}/{width}-{path.strip('/').replace('/', '-').replace('?', '-')}.png")
