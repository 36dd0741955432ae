"""Alerts in a browser: one reaches an open page, is acknowledged, silenced, worked through; a rule is tried."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect

from monitoring.alerts import evaluation, handling, shipped, store
from monitoring.models import Alert, AlertCursor, AlertRule, Silence
from orchestrator import events
from orchestrator.models import Run, Stop
from tests import factories, people
from tests.functional.conftest import Site, serious_problems, until

MANAGER = "Workflow Orchestration Manager"


@pytest.fixture
def mia(transactional_db: None) -> User:
    shipped.seed()
    AlertRule.objects.filter(name="failing-tasks").update(enabled=False)  # one alert for one failure is enough here
    evaluation.tick()
    return people.person("mia", MANAGER, last_name="Tanaka")


def fail(title: str = "Invoice 17") -> Run:
    """A run fails, as the engine says it."""
    run = factories.run(factories.workflow(), statuses=["succeeded", "failed"], status="failed", title=title)
    events.append("run.failed", actor="engine", run_id=run.pk)
    return run


def look() -> None:
    """What the control worker does each second, until it has seen what is new."""
    before = Alert.objects.count()
    until(lambda: evaluation.tick() or Alert.objects.count() > before, what="an alert is raised")


def live(page: Page) -> None:
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")


def test_critical_alert_reaches_an_open_page_and_stays_until_it_is_acknowledged(
    site: Site, mia: User, page: Page
) -> None:
    site.enter(page, mia, "/runs/")
    live(page)
    expect(page.locator("#shell-alerts .note")).to_have_count(0)

    fail()
    look()
    note = page.locator("#shell-alerts .note")
    expect(note).to_contain_text("Run “Invoice 17” failed: 1 of its 3 tasks failed")
    expect(page.locator(".nav [data-key='g e'] .nav-count")).to_have_text("1")
    assert serious_problems(page) == []

    page.reload()
    expect(note).to_have_count(1)
    note.get_by_role("button", name="Acknowledge").click()
    expect(page).to_have_url(re.compile(r"/alerts/\d+/$"))
    expect(page.locator(".alert-standing")).to_contain_text("Closed")
    expect(page.locator("#shell-alerts .note")).to_have_count(0)
    assert Alert.objects.get().acknowledged_by == mia


def test_list_puts_what_nobody_has_answered_first_and_others_see_who_did(site: Site, mia: User, page: Page) -> None:
    ben = people.person("ben", MANAGER)
    factories.run(factories.workflow(), minutes=90, title="Slow one")
    fail("Failed one")
    AlertCursor.objects.update(full_at=None)  # the next look is at everything
    until(lambda: evaluation.tick() is not None and Alert.objects.count() == 2, what="both are raised")
    site.enter(page, ben, "/alerts/")
    live(page)
    rows = page.locator(".alert-row")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("has taken 1 h 30 min")
    assert serious_problems(page) == []

    slow = Alert.objects.get(rule__name="long-run")
    handling.acknowledge(slow.pk, by=mia)

    expect(page.locator(f"#alert-{slow.pk} .pill.is-good")).to_have_text("Mia Tanaka")
    rows.first.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_text("What it told of is over: it is closed with your answer.")).to_be_visible()
    expect(page).to_have_url(f"{site.address}/alerts/")


def test_alert_is_silenced_for_a_while_with_a_reason_and_heard_again(site: Site, mia: User, page: Page) -> None:
    fail()
    look()
    alert = Alert.objects.get(rule__name="failed-run")
    site.enter(page, mia, f"/alerts/{alert.pk}/")
    page.get_by_text("Silence it for a while").click()
    page.get_by_label("What", exact=True).select_option(label="This rule about everything")
    page.get_by_label("For how long").select_option("4")
    page.locator(".silence").get_by_label("Why").fill("Deploying")
    page.get_by_role("button", name="Silence", exact=True).click()

    expect(page.locator(".alert-standing")).to_contain_text("Silenced until")
    expect(page.locator("#shell-alerts .note")).to_have_count(0)
    silence = Silence.objects.get()
    assert timedelta(hours=3.9) < silence.until - timezone.now() < timedelta(hours=4)
    page.get_by_role("link", name="Silences").click()
    expect(page.get_by_text("“Deploying”")).to_be_visible()
    assert serious_problems(page) == []
    page.get_by_role("button", name="End it now").click()
    expect(page.get_by_text("Nothing is silenced")).to_be_visible()


def test_rule_is_tried_on_history_before_it_is_kept(site: Site, mia: User, page: Page) -> None:
    minute = timezone.now().replace(second=0, microsecond=0)
    days = {minute - timedelta(days=day): {"calls": 20.0, "errors": 9.0} for day in range(1, 8)}
    store.add({("tool", "search_web"): days})
    site.enter(page, mia, "/alerts/rules/new/?scope=tool")
    page.locator("#name").fill("search-fails")
    page.get_by_label("Title").fill("Search fails")
    page.get_by_label("Condition").fill("tool_erors > 3")
    page.get_by_role("button", name="Test on history").click()
    expect(page.locator("#tried").get_by_role("alert")).to_contain_text('"tool_erors" is not known')

    page.get_by_label("Condition").fill("tool_errors > 3 && tool_error_rate > 0.4")
    page.get_by_role("button", name="Test on history").click()
    expect(page.locator("#tried")).to_contain_text("It would have fired 7 times in 14 days.")
    expect(page.locator("#tried tbody tr")).to_have_count(7)
    expect(page.locator("#tried tbody tr").first).to_contain_text("tool_error_rate 45 %")
    assert not AlertRule.objects.filter(name="search-fails").exists()
    assert serious_problems(page) == []

    page.get_by_label("Runbook").select_option("tool-failure")
    page.get_by_label("Why").fill("Search is what customers see")
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_text("The rule is kept")).to_be_visible()
    assert AlertRule.objects.get(name="search-fails").scope == "tool"


def test_runbook_shows_what_its_act_would_do_and_does_it(site: Site, mia: User, page: Page) -> None:
    agent = factories.agent("writer")
    for _ in range(4):
        events.append("policy.refused", actor="engine", data={"agent": "writer", "rule": "authority"})
    look()
    alert = Alert.objects.get(rule__name="policy-violations")
    site.enter(page, mia, f"/alerts/{alert.pk}/")
    first = page.locator("#step-stop")
    expect(first.locator(".step-plan li").first).to_be_visible()
    expect(first.get_by_label("Why")).to_have_value(f"Guardrail breach, alert {alert.pk}")
    assert serious_problems(page) == []

    first.get_by_role("button").click()

    expect(page.locator("#step-stop.is-done")).to_contain_text("Mia Tanaka")
    assert Stop.objects.get(lifted_at=None).ref == agent.pk
    page.locator("#step-attempts").get_by_role("button", name="Done").click()
    expect(page.locator("#step-attempts.is-done")).to_have_count(1)


def test_rotation_is_set_and_says_whose_turn_it_is(site: Site, mia: User, page: Page) -> None:
    people.person("ben", MANAGER)
    site.enter(page, mia, "/alerts/on-call/")
    expect(page.get_by_text("Nobody is on call")).to_be_visible()
    page.get_by_label("Mia Tanaka").fill("2")
    page.get_by_label("Ben").fill("1")
    yesterday = timezone.now() - timedelta(days=1)  # today's turn begins at nine, whatever the time is
    page.get_by_label("First turn begins on").fill(yesterday.date().isoformat())
    page.get_by_label("Why").fill("Start")
    page.get_by_role("button", name="Set the rotation").click()

    expect(page.locator(".turns li").first).to_contain_text("Ben")
    expect(page.locator(".turns li").nth(1)).to_contain_text("Mia Tanaka")
    assert serious_problems(page) == []


@pytest.mark.parametrize("path", ["", "history/", "rules/", "rules/long-run/", "on-call/", "silences/", "runbooks/"])
def test_pages_fit_a_phone(site: Site, mia: User, page: Page, path: str) -> None:
    fail("x" * 150)
    look()
    page.set_viewport_size({"width": 390, "height": 844})
    site.enter(page, mia, f"/alerts/{path}")

    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert serious_problems(page) == []
