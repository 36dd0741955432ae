"""The health tile of an agent's page changes by itself when the agent starts failing (A045)."""

import pytest
from playwright.sync_api import Page, expect

from tests import factories
from tests.engine import eventually, finished, publish, shift, start
from tests.functional.conftest import Site

pytestmark = pytest.mark.django_db(transaction=True)
FAILING = "  - {key: a, type: automated, agent: test-flaky, on_error: fail, inputs: {permanent: '${input.permanent}'}}"


def test_tile_says_that_the_agent_fails_without_a_reload(site: Site, page: Page) -> None:
    publish(FAILING)
    site.enter(page, factories.user("dora", "Agent Development Specialist"), "/agents/test-flaky/")
    tile = page.locator("#agent-health")
    expect(page.locator("html")).to_have_attribute("data-live", "live")
    expect(tile).to_contain_text("Idle")
    page.evaluate("window.notReloaded = true")

    runs = [start(permanent=True) for _ in range(4)]
    with shift():
        eventually(lambda: all(finished(run) for run in runs))

    expect(tile).to_contain_text("Failing")
    expect(tile.locator("dd.bad")).to_have_text("4")
    assert page.evaluate("window.notReloaded")
