"""Live regions in a real browser: they change without a reload, wait while being read, look old when they are."""

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from orchestrator import events
from orchestrator.models import Run, Workflow
from tests import factories
from tests.functional.conftest import Site

MANAGER = "Workflow Orchestration Manager"


@pytest.fixture
def manager(transactional_db: None) -> User:
    return factories.user("mia", MANAGER, first_name="Mia", last_name="Tanaka")


@pytest.fixture
def runs(site: Site, manager: User, page: Page) -> Page:
    """The run list with one run, connected."""
    happen("First run")
    site.enter(page, manager, "/runs/")
    expect(page.locator("html")).to_have_attribute("data-live", "live")
    page.wait_for_load_state("networkidle")  # what changed while the page was rendered has been fetched
    page.evaluate("window.notReloaded = true")
    return page


def happen(title: str) -> Run:
    workflow = Workflow.objects.first() or factories.workflow()
    made = factories.run(workflow, title=title)
    events.append("run.started", actor="engine", run_id=made.pk, data={})
    return made


def test_run_list_shows_a_new_run_without_a_reload(runs: Page) -> None:
    runs.mouse.move(0, 0)

    happen("Second run")

    expect(runs.get_by_text("Second run")).to_be_visible()
    assert runs.evaluate("window.notReloaded")


def test_page_that_is_fresh_is_not_fetched_again(runs: Page, site: Site) -> None:
    fetched: list[str] = []
    runs.on("request", lambda request: fetched.append(request.url) if "hx-request" in request.headers else None)

    runs.goto(f"{site.address}/runs/")
    expect(runs.locator("html")).to_have_attribute("data-live", "live")
    runs.wait_for_load_state("networkidle")

    assert int(runs.locator("body").get_attribute("data-live-pos") or 0) > 0
    # What is away sends no event, and alerts are asked for apart from the page, so that they hold up none: once each.
    assert sorted(fetched) == [f"{site.address}/shell/?part=alerts", f"{site.address}/shell/?part=machinery"]


def test_run_list_under_the_pointer_waits_until_the_reader_asks(runs: Page) -> None:
    runs.get_by_text("First run").hover()

    happen("Second run")

    expect(runs.locator("#run-rows [data-hold-note]")).to_be_visible()
    expect(runs.get_by_text("Second run")).to_have_count(0)
    runs.locator("#run-rows [data-hold-note]").click()
    expect(runs.get_by_text("Second run")).to_be_visible()


def test_run_list_under_the_pointer_catches_up_when_the_pointer_leaves(runs: Page) -> None:
    runs.get_by_text("First run").hover()
    happen("Second run")
    expect(runs.locator("#run-rows [data-hold-note]")).to_be_visible()

    runs.mouse.move(0, 0)

    expect(runs.get_by_text("Second run")).to_be_visible()


def test_page_without_a_network_says_offline_and_catches_up(runs: Page) -> None:
    runs.mouse.move(0, 0)
    runs.context.set_offline(True)
    expect(runs.locator("html")).to_have_attribute("data-live", "offline")

    happen("Second run")
    runs.context.set_offline(False)

    expect(runs.get_by_text("Second run")).to_be_visible()
    expect(runs.locator("html")).to_have_attribute("data-live", "live")


def test_page_of_an_ended_session_says_so(runs: Page) -> None:
    Session.objects.all().delete()

    expect(runs.locator("html")).to_have_attribute("data-live", "signed_out")


def test_page_whose_server_has_lost_its_data_looks_old(runs: Page) -> None:
    # The socket is there and answers; what the server knows is a minute old, as while its database is away.
    runs.route_web_socket(
        "**/ws/live", lambda socket: socket.on_message(lambda _: socket.send('{"type": "pong", "pos": 1, "age": 60}'))
    )

    runs.reload()

    expect(runs.locator("html")).not_to_have_attribute("data-live", "live")
    expect(runs.locator("#connection")).to_contain_text("Offline")
