"""The run pages in a real browser: live, by keyboard and mouse, and without a script for reading."""

import pytest
from playwright.sync_api import Browser, Page, expect

from orchestrator import services
from orchestrator.models import Run
from tests import factories
from tests.functional.conftest import Site, serious_problems


@pytest.fixture
def run(site: Site) -> Run:
    for name in ("intake", "summary", "enrichment", "severity", "recommend", "report"):
        factories.agent(f"{name}-agent")
    made = factories.workflow("incident", factories.incident_steps(), title="Incident response")
    created = factories.run(made, statuses=["succeeded", "running", "ready"], title="Beaconing on fin-db-02")
    hostile = {
        "summary": "# Seen\n\n![x](https://evil.example/p.png)",
        "html": "<img src='https://evil.example/q.png'>",
    }
    factories.finish(factories.task(created), hostile, confidence=0.8)
    factories.event(created, "run.started", actor="user:maria", tasks=8)
    return created


@pytest.fixture
def manager(run: Run) -> factories.User:
    return factories.user("maria", "Workflow Orchestration Manager", first_name="Maria", last_name="Lind")


def test_run_paused_elsewhere_is_shown_without_a_reload(site, page: Page, run, manager):
    site.enter(page, manager, f"/runs/{run.pk}/")
    expect(page.locator(".run-head .pill").first).to_contain_text("Running")
    page.evaluate("document.body.dataset.kept = 'yes'")

    services.pause_run(run_id=run.pk, by=manager, reason="wait")

    expect(page.locator(".run-head .pill").first).to_contain_text("Paused")
    expect(page.get_by_text("Paused: nothing new starts")).to_be_visible()
    assert page.evaluate("document.body.dataset.kept") == "yes"


def test_run_list_shows_a_new_run_without_a_reload(site, page: Page, run, manager):
    site.enter(page, manager, "/runs/")
    expect(page.get_by_text("Beaconing on fin-db-02")).to_be_visible()

    fresh = factories.run(run.workflow, title="Second alert")
    factories.event(fresh, "run.started", actor="feed", tasks=8)

    expect(page.get_by_text("Second alert")).to_be_visible()


def test_run_list_narrows_as_one_types_and_by_status(site, page: Page, run, manager):
    factories.run(run.workflow, statuses=["failed"], status="failed", title="Second alert")
    site.enter(page, manager, "/runs/")

    page.get_by_label("Search runs").press_sequentially("beac")
    expect(page.get_by_text("Second alert")).to_have_count(0)
    page.get_by_label("Search runs").fill("")
    page.locator("label.chip", has_text="Failed").click()

    expect(page.get_by_text("Second alert")).to_be_visible()
    expect(page.get_by_text("Beaconing on fin-db-02")).to_have_count(0)
    assert "status=failed" in page.url


def test_run_graph_opens_a_step_beside_it_and_back_closes_it(site, page: Page, run, manager):
    site.enter(page, manager, f"/runs/{run.pk}/")

    page.get_by_role("link", name="Intake: succeeded").click()
    expect(page.locator("#task-side h2")).to_have_text("Intake")
    expect(page.locator("a.node[aria-current]")).to_have_count(1)
    page.go_back()

    expect(page.locator("#task-side")).to_have_count(0)


def test_run_step_opened_stays_open_when_the_run_changes(site, page: Page, run, manager):
    site.enter(page, manager, f"/runs/{run.pk}/")
    page.get_by_role("link", name="Intake: succeeded").click()
    expect(page.locator("#task-side h2")).to_have_text("Intake")

    services.pause_run(run_id=run.pk, by=manager, reason="wait")

    expect(page.locator(".run-head .pill").first).to_contain_text("Paused")
    expect(page.locator("#task-side h2")).to_have_text("Intake")


def test_agent_output_makes_no_request(site, page: Page, run, manager):
    outside: list[str] = []
    page.on("request", lambda request: None if site.address in request.url else outside.append(request.url))

    site.enter(page, manager, f"/runs/{run.pk}/?task=intake")
    expect(page.get_by_text("[image: x, evil.example]")).to_be_visible()

    assert outside == []


def test_run_is_paused_and_resumed_by_keyboard_alone(site, page: Page, run, manager):
    site.enter(page, manager, f"/runs/{run.pk}/")

    for verb, word in (("Pause…", "Paused"), ("Resume…", "Running")):
        page.get_by_role("link", name=verb).focus()
        page.keyboard.press("Enter")
        expect(page.locator("#act-reason")).to_be_focused()
        page.keyboard.type("checking with the vendor")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator(".run-head .pill").first).to_contain_text(word)
        expect(page.locator(":focus")).to_have_count(1)  # one goes on from there, not from the top of the page

    assert Run.objects.get(pk=run.pk).status == "running"


def test_override_that_came_too_late_is_answered_in_the_dialog(site, page: Page, run, manager):
    site.enter(page, manager, f"/runs/{run.pk}/")
    page.get_by_role("link", name="Pause…").click()
    page.locator("#act-reason").fill("wait")
    services.cancel_run(run_id=run.pk, by=manager, reason="no longer needed")
    page.get_by_role("button", name="Pause run").click()

    expect(page.get_by_role("alert")).to_contain_text("The run has ended meanwhile")
    expect(page.locator("#dialog :focus")).to_have_count(1)


def test_run_pages_read_without_javascript(site, browser: Browser, run, manager):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()

    site.enter(page, manager, "/runs/")
    page.get_by_role("link", name="Beaconing on fin-db-02").click()
    page.get_by_role("link", name="Intake: succeeded").click()
    expect(page.locator("#task-side h2")).to_have_text("Intake")
    page.get_by_role("link", name="Narrative").click()
    expect(page.get_by_text("started the run of 8 steps")).to_be_visible()
    page.get_by_role("link", name="Pause…").click()
    page.locator("#act-reason").fill("wait")
    page.get_by_role("button", name="Pause run").click()

    expect(page.get_by_text("Paused: nothing new starts")).to_be_visible()
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_run_pages_keep_nobody_out(site, page: Page, run, manager, width, theme):
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 900})
    factories.artifact(run)

    for path in (
        "/runs/",
        *(f"/runs/{run.pk}/?tab={tab}" for tab in ("graph&task=intake", "timeline", "narrative", "files")),
    ):
        site.enter(page, manager, path)
        assert serious_problems(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


@pytest.mark.parametrize("width", [1440, 390])
def test_run_with_one_very_long_word_as_its_title_overflows_nothing(site, page: Page, run, manager, width):
    Run.objects.filter(pk=run.pk).update(title="Donaudampfschifffahrtselektrizitäten" * 4)
    page.set_viewport_size({"width": width, "height": 900})
    site.enter(page, manager, f"/runs/{run.pk}/")

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.goto(f"{site.address}/act/run/{run.pk}/pause/")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_step_chosen_on_a_phone_opens_right_below_the_graph(site, page: Page, run, manager):
    page.set_viewport_size({"width": 390, "height": 900})
    site.enter(page, manager, f"/runs/{run.pk}/?tab=graph&task={factories.task(run).key}")

    graph, card = page.locator(".graph").bounding_box(), page.locator("#task-side").bounding_box()
    story = page.locator(".story").bounding_box()

    assert graph is not None
    assert card is not None
    assert story is not None
    assert graph["y"] < card["y"] < story["y"]
