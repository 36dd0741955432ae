"""The patterns in a real browser: ask, read, keep a choice with a workflow, filter the gallery."""

import pytest
from playwright.sync_api import Page, expect

from orchestrator.models import PatternChoice
from tests import factories
from tests.functional.conftest import Site, serious_problems


@pytest.fixture
def manager(site: Site) -> factories.User:
    factories.workflow("incident", factories.incident_steps(), title="Incident response")
    return factories.user("maria", "Workflow Orchestration Manager", first_name="Maria", last_name="Moor")


def test_recommendation_is_kept_with_a_workflow_and_taken_back(site: Site, page: Page, manager) -> None:
    site.enter(page, manager, "/patterns/")

    for number, answer in enumerate(("No", "Yes", "Yes", "Yes")):
        page.locator("fieldset.ask").nth(number).get_by_text(answer, exact=True).click()
    page.get_by_role("button", name="Recommend one").click()
    expect(page.get_by_role("status").get_by_role("link", name="Swarm")).to_be_visible()
    page.get_by_text("Keep it with a workflow").click()
    page.get_by_role("link", name="Incident response").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Pattern")).to_have_value("swarm")
    dialog.get_by_label("Why").fill("Many leads at once, and they build on each other.")
    dialog.get_by_role("button", name="Keep this choice").click()

    expect(page.get_by_text("as the wizard recommends")).to_be_visible()
    expect(page.get_by_text("Many leads at once, and they build on each other.")).to_be_visible()
    expect(page.get_by_text("chosen by Maria Moor")).to_be_visible()
    assert PatternChoice.objects.get().recommended == "swarm"


def test_gallery_is_filtered_with_the_keyboard(site: Site, page: Page, manager) -> None:
    site.enter(page, manager, "/patterns/")

    page.get_by_role("link", name="exception handling").focus()
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Saga (undo what was done)")).to_be_visible()
    expect(page.get_by_role("heading", name="Group chat")).to_have_count(0)
    assert "tag=exception" in page.url


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_pages_of_patterns_keep_nobody_out(site: Site, page: Page, manager, width, scheme) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    asked = "/patterns/?linear=no&parallel=yes&dynamic=yes&collaboration=yes"

    for path in ("/patterns/", asked, "/patterns/?tag=no", "/patterns/saga/", "/workflows/incident/?tab=design"):
        site.enter(page, manager, path)
        assert serious_problems(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
