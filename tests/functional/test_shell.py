"""The frame around every page: signing in, navigation, palette, look, stop control, keyboard."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from approvals.roles import ROLES
from orchestrator import services
from orchestrator.models import Stop
from tests import factories
from tests.functional.conftest import Site, at_rest, serious_problems

MANAGER = "Workflow Orchestration Manager"


@pytest.fixture
def manager(transactional_db: None) -> User:
    return factories.user("mia", MANAGER, first_name="Mia", last_name="Tanaka")


def test_sign_in_leads_to_the_page_asked_for_and_sign_out_back(site: Site, manager: User, page: Page) -> None:
    page.goto(f"{site.address}/audit/")
    expect(page).to_have_url(re.compile("/sign-in/\\?next="))

    page.get_by_label("Name").fill("mia")
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Audit")).to_be_visible()
    page.get_by_label("Your account").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{site.address}/sign-in/")
    page.goto(f"{site.address}/")
    expect(page).to_have_url(re.compile("/sign-in/"))


def test_sign_in_with_a_wrong_password_says_so_and_keeps_the_name(site: Site, manager: User, page: Page) -> None:
    page.goto(f"{site.address}/sign-in/")

    page.get_by_label("Name").fill("mia")
    page.get_by_label("Password").fill("not this one")
    page.keyboard.press("Enter")

    expect(page.get_by_role("alert")).to_contain_text("do not match")
    expect(page.get_by_label("Name")).to_have_value("mia")


def test_sign_in_after_ten_failures_is_locked_in_one_sentence(site: Site, manager: User, page: Page) -> None:
    for _ in range(9):
        Client().post("/sign-in/", {"username": "mia", "password": "not this one"})
    page.goto(f"{site.address}/sign-in/")

    page.get_by_label("Name").fill("mia")
    page.get_by_label("Password").fill("not this one")
    page.keyboard.press("Enter")

    expect(page.get_by_text("Wait 15 min and try again")).to_be_visible()


def test_palette_finds_a_run_by_its_number_with_the_keyboard_alone(site: Site, manager: User, page: Page) -> None:
    run = factories.run(factories.workflow("incident"), title="Deepfake call to finance")
    site.enter(page, manager)

    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.type(str(run.pk))
    expect(page.get_by_role("option", name=re.compile("Deepfake call"))).to_be_visible()
    page.keyboard.press("Enter")

    expect(page).to_have_url(f"{site.address}/runs/{run.pk}/")


def test_palette_opens_the_page_that_is_called_what_was_typed(site: Site, page: Page) -> None:
    site.enter(page, factories.user("vera", *ROLES))

    page.keyboard.press("Control+k")
    page.keyboard.type("people")
    expect(page.get_by_role("option", name="How people decide")).to_be_visible()
    page.keyboard.press("Enter")

    expect(page).to_have_url(f"{site.address}/access/")


def test_palette_answers_somebody_who_is_quicker_than_the_page(site: Site, page: Page) -> None:
    """htmx looks at a page in a task of its own: `setTimeout` without a time."""
    page.add_init_script("const soon = setTimeout; setTimeout = (call, ms = 1000, ...more) => soon(call, ms, ...more)")
    site.enter(page, factories.user("rob", "Reviewer"))

    page.keyboard.press("Control+k")
    page.keyboard.type("4711")

    expect(page.get_by_text("No run, gate or agent matches “4711”.")).to_be_visible()


def test_palette_hides_runs_of_workflows_that_the_user_may_not_see(site: Site, page: Page) -> None:
    run = factories.run(factories.workflow("secret"), title="Deepfake call to finance")
    site.enter(page, factories.user("rob", "Reviewer"))

    page.keyboard.press("Control+k")
    page.keyboard.type(str(run.pk))

    expect(page.get_by_text(f"No run, gate or agent matches “{run.pk}”.")).to_be_visible()
    expect(page.get_by_text("Deepfake")).to_have_count(0)


def test_look_is_remembered_across_pages(site: Site, manager: User, page: Page) -> None:
    site.enter(page, manager)

    page.get_by_label("Your account").click()
    page.get_by_role("button", name="Dark").click()
    page.goto(f"{site.address}/audit/")

    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(10, 13, 18)"


def test_navigation_shows_only_what_the_roles_open(site: Site, page: Page) -> None:
    site.enter(page, factories.user("dev", "Agent Development Specialist"))

    links = page.get_by_role("navigation", name="Main", exact=True).get_by_role("link").all_inner_texts()

    assert "Agents" in links
    assert "Audit" not in links
    assert page.get_by_role("link", name="Stop…").count() == 0


def test_stop_shows_its_reach_then_holds_and_can_be_lifted(site: Site, manager: User, page: Page) -> None:
    workflow = factories.workflow("incident", title="Incident response")
    factories.run(workflow, statuses=["running", "ready"])
    factories.run(factories.workflow("refunds"), statuses=["ready"])
    site.enter(page, manager)

    page.get_by_role("link", name="Stop…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("running task would be")).to_contain_text("1")
    expect(dialog.get_by_text("ready tasks would not start")).to_contain_text("2")
    dialog.get_by_label("What to stop").select_option("Incident response")
    expect(dialog.get_by_text("ready task would not start")).to_contain_text("1")
    dialog.get_by_label("Why").fill("Wrong hosts are being isolated")
    dialog.get_by_role("button", name="Stop now").click()

    expect(dialog.get_by_role("heading", name="Stopped")).to_be_visible()
    stop = Stop.objects.get()
    assert (stop.scope, stop.ref, stop.reason) == ("workflow", workflow.pk, "Wrong hosts are being isolated")
    dialog.get_by_role("link", name="To the watch floor").click()
    banner = page.locator("#shell-stops")
    expect(banner).to_contain_text("Workflow Incident response is stopped by mia tanaka", ignore_case=True)
    expect(banner).to_contain_text("Wrong hosts are being isolated")

    banner.get_by_role("link", name="Lift…").click()
    dialog.get_by_label("Why it may go on").fill("The list of hosts is right now")
    dialog.get_by_role("button", name="Lift the stop").click()
    expect(page.get_by_text("The stop is lifted; work goes on.")).to_be_visible()
    stop.refresh_from_db()
    assert stop.lifted_by == manager


def test_dialog_closes_by_a_click_beside_it_and_not_by_selecting_text_to_beyond_it(
    site: Site, manager: User, page: Page
) -> None:
    site.enter(page, manager)
    page.get_by_role("link", name="Stop…").click()
    reason = page.get_by_role("dialog").get_by_label("Why")
    reason.fill("Wrong hosts are being isolated")

    inside = reason.bounding_box()
    assert inside
    page.mouse.move(inside["x"] + 8, inside["y"] + 8)
    page.mouse.down()
    page.mouse.move(4, 4)
    page.mouse.up()
    expect(reason).to_have_value("Wrong hosts are being isolated")

    page.mouse.click(4, 4)
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_stop_twice_is_refused_with_the_reason_kept(site: Site, manager: User, page: Page) -> None:
    services.stop(scope="everything", ref=None, by=manager, reason="first")
    site.enter(page, manager, "/stop/")

    page.get_by_label("Why").fill("second")
    page.get_by_role("button", name="Stop now").click()

    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Why")).to_have_value("second")
    assert Stop.objects.count() == 1


def test_stop_set_elsewhere_appears_on_an_open_page_without_a_reload(site: Site, manager: User, page: Page) -> None:
    site.enter(page, manager, "/audit/")
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")

    services.stop(scope="everything", ref=None, by=manager, reason="Something is off")

    expect(page.locator("#shell-stops")).to_contain_text("Everything is stopped")


def test_shell_without_javascript_reads_searches_and_stops(site: Site, manager: User, browser: Browser) -> None:
    run = factories.run(factories.workflow("incident"), title="Deepfake call to finance")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    site.enter(page, manager)

    page.get_by_role("searchbox", name="Search or jump to").fill(str(run.pk))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Deepfake call to finance")).to_be_visible()
    page.get_by_role("link", name="Stop…").last.click()
    page.get_by_label("Why").fill("No script, same stop")
    page.get_by_role("button", name="Stop now").click()

    expect(page.get_by_role("heading", name="Stopped")).to_be_visible()
    assert Stop.objects.get().reason == "No script, same stop"
    context.close()


def test_keyboard_skips_to_the_content_and_reaches_pages_by_two_keys(site: Site, manager: User, page: Page) -> None:
    site.enter(page, manager)

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("g")
    page.keyboard.press("t")

    expect(page).to_have_url(f"{site.address}/audit/")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("path", ["/", "/audit/", "/styleguide/", "/stop/", "/search/?q=a", "/sign-in/", "/nowhere/"])
def test_page_has_no_serious_accessibility_problem_and_fits(
    site: Site, manager: User, page: Page, path: str, width: int, scheme: str
) -> None:
    factories.run(factories.workflow("incident", title="Incident response"), statuses=["running"])
    page.set_viewport_size({"width": width, "height": 860})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    if path == "/sign-in/":
        page.goto(site.address + path)
    else:
        site.enter(page, manager, path)
    at_rest(page)

    assert serious_problems(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
