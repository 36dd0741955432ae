"""The workflow pages in a real browser."""

import pytest
from playwright.sync_api import Page, expect

from tests import factories, people
from tests.functional.conftest import Site, serious_problems

SCHEMA = {"type": "object", "required": ["order"], "properties": {"order": {"type": "string", "maxLength": 40}}}


@pytest.fixture
def manager(site: Site) -> factories.User:
    made = factories.workflow("incident", factories.incident_steps(), title="Incident response")
    factories.publish(made, factories.incident_steps(), schema=SCHEMA, source="metadata:\n  name: incident\n")
    return factories.user("maria", "Workflow Orchestration Manager")


def test_workflow_run_is_started_from_its_card(site, page: Page, manager):
    site.enter(page, manager, "/workflows/")

    page.get_by_role("link", name="Start a run of Incident response").click()
    page.get_by_label("Order").fill("O-77")
    page.get_by_role("button", name="Start run").click()

    expect(page.locator(".run-head h1")).to_be_visible()
    expect(page.get_by_text("1 step is ready and waits for a free worker.")).to_be_visible()


@pytest.mark.parametrize("width", [1440, 390])
def test_workflow_pages_keep_nobody_out(site, page: Page, manager, width):
    page.set_viewport_size({"width": width, "height": 900})
    tabs = ("graph", "people", "versions", "source", "runs")

    for path in ("/workflows/", "/workflows/incident/start/", *(f"/workflows/incident/?tab={tab}" for tab in tabs)):
        site.enter(page, manager, path)
        assert serious_problems(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


DEFINITION = """metadata: {name: letters, title: Letters}
steps:
  - key: look
    type: manual
    queue: desk
    title: Look at it
    form: {type: object}
"""


@pytest.fixture
def author(site: Site) -> factories.User:
    people.queue("desk")
    return factories.user("maria", "Workflow Orchestration Manager")


def test_definition_is_written_mended_and_published_in_the_browser(site, page: Page, author):
    site.enter(page, author, "/editor/")
    source = page.get_by_label("Definition, YAML or JSON")

    source.fill(DEFINITION.replace("queue: desk", "queue: desc"))

    expect(page.get_by_text("Cannot be published")).to_be_visible()
    expect(page.locator("#verdict")).to_contain_text('did you mean "desk"?')
    page.get_by_role("button", name="line 3").click()
    assert source.evaluate("area => area.value.slice(area.selectionStart, area.selectionEnd)") == "  - key: look"
    source.fill(DEFINITION)
    expect(page.get_by_text("is a new workflow, and yours")).to_be_visible()
    page.reload()
    expect(source).to_have_value(DEFINITION)
    page.get_by_label("Why").fill("letters pile up")
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_role("heading", level=1, name="Letters")).to_be_visible()


def test_what_is_typed_stays_when_the_server_does_not_answer(site, page: Page, author):
    site.enter(page, author, "/editor/")
    page.route("**/editor/?check=1", lambda route: route.abort())
    source = page.get_by_label("Definition, YAML or JSON")

    source.fill(DEFINITION)

    expect(page.get_by_text("The server did not answer.")).to_be_visible()
    expect(source).to_have_value(DEFINITION)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_editor_keeps_nobody_out(site, page: Page, author, width, scheme):
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    site.enter(page, author, "/editor/")

    for text in (DEFINITION, DEFINITION.replace("type:", "typ:")):
        page.get_by_label("Definition, YAML or JSON").fill(text)
        expect(page.get_by_text("Draft kept")).to_be_visible()
        assert serious_problems(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_person_is_added_to_a_team_and_that_is_undone(site, page: Page):
    admin = factories.user("adam", "Administrator")
    factories.user("zoe", first_name="Zoe", last_name="Lang")
    site.enter(page, admin, "/teams/")
    page.get_by_role("link", name="New team…").click()
    page.get_by_role("textbox", name="Name").fill("Legal")
    page.get_by_label("Why").fill("contracts")
    page.get_by_role("button", name="Make team").click()
    expect(page.get_by_role("heading", level=1, name="Legal")).to_be_visible()

    page.get_by_role("link", name="Add somebody…").click()
    page.get_by_label("Who").select_option("zoe")
    expect(page.get_by_text("Zoe Lang belongs to Legal.")).to_be_visible()
    page.get_by_label("Why", exact=True).fill("she knows the law")
    page.get_by_role("button", name="Add", exact=True).click()

    expect(page.get_by_role("link", name="Remove Zoe Lang")).to_be_visible()
    assert serious_problems(page) == []
    page.get_by_role("link", name="Undo…").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_role("link", name="Remove Zoe Lang")).to_have_count(0)
