"""Gates that need several people, in a browser: quorum, blind second approver, two keys at one moment."""

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect

from approvals import services
from approvals.models import Gate, Vote
from orchestrator.definitions.plan import GateTerms
from tests import people
from tests.functional.conftest import Site, serious_problems, until


@pytest.fixture
def ana(transactional_db: None) -> User:
    return people.person("ana", decides=people.queue())


@pytest.fixture
def sam(transactional_db: None) -> User:
    return people.person("sam", decides=people.queue())


def address(gate: Gate) -> str:
    return f"/inbox/{gate.pk}/"


def test_two_people_approve_and_the_card_says_who_has_and_what_is_missing(
    site: Site, ana: User, sam: User, page: Page
) -> None:
    gate = people.gate(terms=GateTerms(approvals=2))
    site.enter(page, ana, address(gate))
    expect(page.locator(".votes")).to_contain_text("2 approvals missing")
    expect(page.locator(".votes")).to_contain_text("Nobody has voted yet.")
    page.get_by_role("button", name="Approve", exact=False).first.click()
    expect(page.locator("#ack")).to_contain_text("1 more person is needed")
    until(lambda: Vote.objects.filter(gate=gate, voter=ana).exists(), what="the vote is stored")

    site.enter(page, ana, address(gate))
    expect(page.locator(".votes")).to_contain_text("1 approval missing")
    expect(page.locator("#decision")).to_have_count(0)
    expect(page.locator(".card-banner")).to_contain_text("You have voted.")

    site.enter(page, sam, address(gate))
    expect(page.locator(".vote-list")).to_contain_text("Ana")
    assert serious_problems(page) == []
    page.get_by_role("button", name="Approve", exact=False).first.click()
    until(lambda: Gate.objects.get(pk=gate.pk).status == "approved", what="the gate is approved")


def test_second_approver_sees_no_opinion_before_their_own_vote(site: Site, ana: User, sam: User, page: Page) -> None:
    gate = people.gate(terms=GateTerms(approvals=3, blind=True), confidence=0.31)
    services.decide(gate_id=gate.pk, by=ana, verdict="reject", gate_version=1, note="Smells of a trap.")

    site.enter(page, sam, address(gate))
    expect(page.locator(".votes")).to_contain_text("Has voted")
    expect(page.locator("#card")).not_to_contain_text("Smells of a trap.")
    expect(page.locator("#card .confidence")).to_have_count(0)
    assert "Smells of a trap." not in page.content()
    page.get_by_role("button", name="Approve", exact=False).first.click()
    until(lambda: Vote.objects.filter(gate=gate).count() == 2, what="the vote is stored")

    site.enter(page, sam, address(gate))
    expect(page.locator(".votes")).to_contain_text("Smells of a trap.")
    expect(page.locator("#card .confidence")).to_contain_text("31 %")


def test_two_keys_turned_at_one_moment_open_the_gate(
    site: Site, ana: User, sam: User, page: Page, browser: Browser
) -> None:
    gate = people.gate(terms=GateTerms(approvals=2, two_keys=True), risk="high")
    other = browser.new_context().new_page()
    site.enter(page, ana, address(gate))
    site.enter(other, sam, address(gate))
    until(lambda: gate.presence.count() == 2, what="both have the card open")

    page.get_by_role("button", name="Approve", exact=False).first.click()
    until(lambda: Vote.objects.filter(gate=gate, voter=ana).exists(), what="the first key is turned")
    site.enter(page, ana, address(gate))
    expect(page.locator(".votes")).to_contain_text("this key counts until")
    expect(other.locator(".votes")).to_contain_text("1 approval missing")
    other.get_by_role("button", name="Approve", exact=False).first.click()

    until(lambda: Gate.objects.get(pk=gate.pk).status == "approved", what="the gate is approved")
    other.context.close()


def test_somebody_stands_in_and_one_gate_is_handed_to_a_person(site: Site, ana: User, sam: User, page: Page) -> None:
    gate = people.gate()
    site.enter(page, ana, "/inbox/away/")
    page.get_by_label("First day").fill("2030-01-07")
    page.get_by_label("Last day").fill("2030-01-11")
    page.get_by_label("Who stands in").select_option("sam")
    page.get_by_role("button", name="Keep it").click()
    expect(page.locator("table")).to_contain_text("Sam")
    assert serious_problems(page) == []
    page.get_by_role("button", name="End it").click()
    expect(page.locator("table")).to_contain_text("ended")

    page.goto(site.address + address(gate))
    page.get_by_role("link", name="Hand it to a person").click()
    page.get_by_label("Who should look at it").select_option("sam")
    page.get_by_role("button", name="Hand it over").click()
    expect(page.locator("#card-top")).to_contain_text("Handed to Sam by Ana")


def test_approval_needs_every_point_of_the_checklist(site: Site, ana: User, page: Page) -> None:
    gate = people.gate(terms=GateTerms(purpose="compliance", checklist=("I read the contract",)))
    site.enter(page, ana, address(gate))
    page.get_by_role("button", name="Approve", exact=False).first.click()
    expect(page.locator("#problem")).to_contain_text("Tick each point")
    page.get_by_label("I read the contract").check()
    page.get_by_role("button", name="Approve", exact=False).first.click()
    until(lambda: Gate.objects.get(pk=gate.pk).status == "approved", what="the gate is approved")
