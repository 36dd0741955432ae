"""The agent pages in a real browser."""

import pytest
from playwright.sync_api import Page, expect

from tests import factories
from tests.functional.conftest import Site, serious_problems


@pytest.fixture
def developer(site: Site) -> factories.User:
    for name in ("intake-agent", "severity-agent"):
        factories.agent(name)
    factories.workflow("incident", factories.incident_steps(), title="Incident response")
    return factories.user("dev", "Agent Development Specialist")


def test_agent_page_says_where_it_is_used(site, page: Page, developer):
    site.enter(page, developer, "/agents/")

    page.get_by_role("link", name="Severity agent").click()

    expect(page.get_by_role("link", name="Incident response")).to_be_visible()


def test_agents_search_narrows_as_one_types(site, page: Page, developer):
    site.enter(page, developer, "/agents/")

    page.get_by_label("Search agents by name or title").press_sequentially("sever")

    expect(page.get_by_role("link", name="Intake agent")).to_have_count(0)
    expect(page.get_by_role("link", name="Severity agent")).to_be_visible()


@pytest.mark.parametrize("width", [1440, 390])
def test_agent_pages_keep_nobody_out(site, page: Page, developer, width):
    page.set_viewport_size({"width": width, "height": 900})

    for path in ("/agents/", "/agents/severity-agent/"):
        site.enter(page, developer, path)
        assert serious_problems(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
