"""Each verdict that no other test gives in a browser: onwards, again, without it, more time, another agent."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import transaction
from playwright.sync_api import Page, expect

from agents.models import Agent, AgentVersion
from approvals import access
from approvals.models import Decision, Gate
from orchestrator import services
from orchestrator.engine import gates
from orchestrator.models import Event, Run, Task
from orchestrator.ports import gatekeeper
from tests import people
from tests.functional.conftest import Site, serious_problems, until


@pytest.fixture
def ana(transactional_db: None) -> User:
    return people.person("ana", decides=people.queue())


def address(gate: Gate) -> str:
    return f"/inbox/{gate.pk}/"


def decided(gate: Gate) -> Decision:
    until(lambda: Decision.objects.filter(gate=gate).exists(), what="the verdict is stored")
    return Decision.objects.get(gate=gate)


def test_escalate_by_key_asks_why_and_passes_the_card_on(site: Site, ana: User, page: Page) -> None:
    people.queue("oncall")
    lead = people.queue("lead")
    type(lead).objects.filter(name="oncall").update(escalates_to=lead)
    gate = people.gate(title="Isolate host")
    site.enter(page, ana, address(gate))

    until(lambda: gate.presence.filter(user=ana).exists(), what="she has the card open")
    page.keyboard.press("x")
    expect(page.locator("#verdict-status")).to_contain_text("Say why in the note first")
    page.keyboard.type("above my pay")
    page.keyboard.press("Control+Enter")

    until(lambda: Gate.objects.get(pk=gate.pk).queue == lead, what="it is passed on")
    event = Event.objects.get(kind="gate.escalated")
    assert (event.actor, event.data["reason"]) == ("user:ana", "above my pay")
    expect(page.locator("#inbox-list .queue-row")).to_have_count(0)
    page.goto(f"{site.address}{address(gate)}")
    expect(page.locator(".card-banner")).to_contain_text("Ana passed it on to Lead")
    assert serious_problems(page) == []


@pytest.mark.parametrize(
    ("button", "verdict", "status"), [("Try again", "retry", "ready"), ("Go on without it", "skip", "skipped")]
)
def test_trouble_is_answered_by_another_try_or_by_going_on_without(
    site: Site, ana: User, page: Page, button: str, verdict: str, status: str
) -> None:
    gate = people.gate(kind="exception", allowed=("retry", "skip", "reject", "terminate"), proposal={})
    site.enter(page, ana, address(gate))
    assert serious_problems(page) == []

    page.locator("#note").fill("the provider is back")
    page.locator("#decision").get_by_role("button", name=button).click()

    assert decided(gate).verdict == verdict
    until(lambda: Task.objects.get(pk=gate.task_id).status == status, what="the task goes on")


def overdue(run: Run) -> Gate:
    """A run that is alive at its deadline, put before people as the engine does."""
    Run.objects.filter(pk=run.pk).update(deadline_at=datetime(2026, 1, 1, tzinfo=UTC))
    run.refresh_from_db()
    with transaction.atomic():
        services.lock_run(run.pk)
        pk = gatekeeper().open_gate(gates.for_deadline(run, queue="oncall"))
    return Gate.objects.get(pk=pk)


def test_run_past_its_deadline_gets_another_one(site: Site, ana: User, page: Page) -> None:
    people.queue()
    gate = overdue(people.run())
    site.enter(page, ana, address(gate))

    page.get_by_label("Another deadline").fill("4h")
    page.locator("#note").fill("the provider answers tonight")
    page.locator("#decision").get_by_role("button", name="Set another deadline").click()

    assert decided(gate).verdict == "extend"
    until(lambda: Run.objects.get(pk=gate.run_id).deadline_at > datetime.now(UTC), what="it has another deadline")


def test_run_past_its_deadline_goes_on_without_one(site: Site, ana: User, page: Page) -> None:
    people.queue()
    gate = overdue(people.run())
    site.enter(page, ana, address(gate))

    page.locator("#note").fill("nobody waits for it")
    page.locator("#decision").get_by_role("button", name="Let it go on").click()

    assert decided(gate).verdict == "go_on"


def test_step_is_redirected_to_another_agent_from_its_card(site: Site, ana: User, page: Page) -> None:
    other = Agent.objects.create(name="second-assessor", title="Second assessor")
    AgentVersion.objects.create(
        agent=other, number=1, kind="python", isolation="loop", output_schema=people.CONTRACT
    )  # fmt: skip
    gate = people.gate()
    access.grant(to=ana, permission="steer_run", on=gate.workflow, by=None)
    site.enter(page, ana, address(gate))

    page.get_by_text("More", exact=True).last.click()
    page.get_by_role("link", name="Redirect…").click()
    dialog = page.locator("#dialog")
    dialog.get_by_label("Agent").select_option("second-assessor")
    dialog.get_by_label("Why").fill("the first one is out of its depth")
    dialog.get_by_role("button", name="Redirect step").click()

    until(lambda: Event.objects.filter(kind="task.redirected", actor="user:ana").exists(), what="it is redirected")
    assert Gate.objects.get(pk=gate.pk).status == "withdrawn"


@pytest.mark.parametrize("width", [1440, 390])
def test_responsibilities_are_given_in_the_browser_and_the_gap_closes(
    site: Site, ana: User, page: Page, width: int
) -> None:
    cleo = people.person("cleo", "Human Oversight Coordinator")
    pod = Group.objects.create(name="Pod")
    pod.user_set.add(ana)
    page.set_viewport_size({"width": width, "height": 900})
    site.enter(page, cleo, "/access/responsibilities/")
    row = page.locator("tr", has_text="Oncall")
    expect(row).to_contain_text("nobody answers for it")
    assert serious_problems(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    for part in ("accountable", "responsible"):
        row.get_by_role("link", name="Give a part…").click()
        dialog = page.locator("#dialog")
        dialog.get_by_label("Team").select_option("Pod")
        dialog.get_by_label("Part").select_option(part)
        expect(dialog.locator("#act-plan")).to_contain_text(f"Pod is {part} for queue:oncall")
        dialog.get_by_label("Why").fill("they know the hosts")
        dialog.get_by_role("button", name="Keep").click()
        until(lambda part=part: pod.parts.filter(letter=part[0].upper()).exists(), what=part)
        expect(dialog).to_be_hidden()
        expect(row.locator("td").nth(("responsible", "accountable").index(part))).to_contain_text("Pod")

    expect(row).to_contain_text("Pod")
    expect(row).to_contain_text("nothing")
    assert serious_problems(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_round_of_usability_tests_is_recorded_and_what_it_found_is_closed(
    site: Site, page: Page, scheme: Any, transactional_db: None
) -> None:
    quinn = people.person("quinn", "Quality Assurance Lead")
    page.emulate_media(color_scheme=scheme)
    site.enter(page, quinn, "/feedback/usability/")
    expect(page.locator("#rounds-title").locator("xpath=../..")).to_contain_text("No round was held yet")
    assert serious_problems(page) == []

    page.locator("#round-title").fill("June")
    page.locator("#round-day").fill("2026-06-02")
    page.locator("#round-groups").fill("screen reader\nnew to it")
    page.locator("#round-method").fill("Six tasks, moderated.")
    page.locator("#round-people").fill("4")
    page.get_by_label("Tasks tried").fill("24")
    page.get_by_label("Completed without help").fill("21")
    page.get_by_role("button", name="Keep it").click()
    expect(page.locator("#toasts")).to_contain_text("The round is on record")

    page.get_by_text("Add what it found").click()
    page.get_by_label("What stopped or slowed people").fill("The slider is silent.")
    page.locator("details form").get_by_role("button").click()
    expect(page.locator("#toasts")).to_contain_text("The finding is on record")
    assert serious_problems(page) == []
    page.get_by_label("How it was mended").fill("It has a label now.")
    page.locator("form[action*='/close/']").get_by_role("button").click()
    expect(page.get_by_text("Nothing that a round has found is open.")).to_be_visible()
