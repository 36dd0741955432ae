"""The gallery in a real browser: browse, install, run with a sample, keep the advisor's verdict with the workflow."""

import os

import pytest
from playwright.sync_api import Page, expect

from agents import registry
from approvals import demo
from orchestrator.acts import installing
from orchestrator.gallery import templates
from orchestrator.models import Run, TeamAdvice
from orchestrator.patterns.advising import QUESTIONS
from tests import factories
from tests.engine import eventually, finished, shift
from tests.functional.conftest import Site, serious_problems


@pytest.fixture
def manager(site: Site) -> factories.User:
    registry.autodiscover()
    registry.sync()
    demo.seed_queues()
    return factories.user("maria", "Workflow Orchestration Manager", first_name="Maria", last_name="Moor")


def test_template_is_found_installed_run_and_judged(site: Site, page: Page, manager) -> None:
    site.enter(page, manager, "/gallery/")
    page.get_by_role("searchbox", name="Search templates").fill("refund")
    expect(page.get_by_role("heading", name="Booked trip")).to_have_count(0)
    page.get_by_role("link", name="Refund approval").click()

    page.get_by_role("button", name="Install").click()
    expect(page.get_by_text("Installed, v1")).to_be_visible()
    page.get_by_role("button", name="Try it: $42.00 is paid at once").click()
    expect(page.get_by_text("has started with the sample")).to_be_visible()
    run = Run.objects.get()
    assert f"/runs/{run.pk}/" in page.url
    with shift():
        eventually(lambda: finished(run))
    assert run.status == "succeeded", run.error

    site.enter(page, manager, "/advisor/")
    for ask in page.locator("fieldset.ask").all():
        ask.get_by_text("No", exact=True).click()
    page.get_by_role("button", name="Give a verdict").click()
    expect(page.get_by_text("Begin with phase 1 of 4")).to_be_visible()
    expect(page.get_by_text("One agent has not been tried")).to_be_visible()
    page.get_by_text("Keep it with a workflow").click()
    page.locator(".menu-pop").get_by_role("link", name="Refund approval").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Why").fill("Two steps are enough.")
    dialog.get_by_role("button", name="Keep this verdict").click()

    expect(page.get_by_text("Two steps are enough.")).to_be_visible()
    assert TeamAdvice.objects.get().phase == "single"


def test_switch_to_one_agent_stands_on_the_workflow(site: Site, page: Page, manager) -> None:
    found = templates.find("refund-approval")
    assert found is not None
    installing.install(found, by=None, reason="for the test")
    site.enter(page, manager, "/workflows/refund-approval/?tab=design")

    page.get_by_role("link", name="Run with one agent…").last.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Agent")).to_have_value("refund-generalist")
    dialog.get_by_label("Why").fill("The team is away.")
    dialog.get_by_role("button", name="Switch to one agent").click()

    expect(page.get_by_text("New runs are done by one agent")).to_be_visible()
    expect(page.get_by_role("link", name="Switch back…")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_pages_of_the_gallery_keep_nobody_out(site: Site, page: Page, manager, width, scheme) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    found = templates.find("refund-approval")
    assert found is not None
    installing.install(found, by=None, reason="for the test")
    answered = "&".join(f"{name}=no" for name in QUESTIONS)
    paths = ("/gallery/", "/gallery/?q=nothing+like+it", "/gallery/refund-approval/", "/gallery/booked-trip/",
             "/advisor/", f"/advisor/?{answered}", "/workflows/refund-approval/?tab=design",
             "/workflows/refund-approval/?tab=runs")  # fmt: skip

    for path in paths:
        site.enter(page, manager, path)
        assert serious_problems(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=f"{folder}/{paths.index(path)}-{width}-{scheme}.png")
