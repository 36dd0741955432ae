"""Feedback in a browser: chips beside a verdict, a stranger's form and receipt, a rule tried, a proposal accepted."""

import re

from playwright.sync_api import Browser, Page, expect

from agents.registry import sync
from approvals import services
from approvals.feedback import learning, links, proposals, proposing
from approvals.feedback.appraising import Given
from approvals.models import Appraisal, Proposal
from orchestrator import services as engine_services
from orchestrator.definitions.plan import GateTerms
from orchestrator.models import Workflow
from tests import engine, people
from tests.functional.conftest import Site, sealed, serious_problems, until

SOURCE = """metadata: {name: refunds, title: Refunds}
steps:
  - key: check
    type: automated
    agent: test-echo
    gate: {when: "confidence < 0.8", queue: oncall, risk: medium, title: "Refund?"}
"""
EDITED = {"summary": "Isolate the host after backup", "amount": 10}


def refunds() -> Workflow:
    assert engine.OPEN
    sync()
    people.queue()
    return engine_services.publish(source=SOURCE, file="refunds.yaml", by=None).workflow


def test_reviewer_names_a_root_cause_where_the_gate_demands_one(site: Site, page: Page) -> None:
    ana = people.person("ana", decides=people.queue())
    gate = people.gate(terms=GateTerms(feedback="on_change"))
    site.enter(page, ana, f"/inbox/{gate.pk}/")
    form = page.locator("#decision")
    form.get_by_label("Note").fill("It is the wrong host.")
    page.on("dialog", lambda dialog: dialog.accept())
    form.locator("button[value=reject]").click()
    page.get_by_role("dialog").get_by_role("button", name="Reject").click()
    expect(page.locator("#problem")).to_contain_text("root cause")

    form.get_by_text("Wrong facts").click()
    form.locator(".appraisal input[name=rating][value='2']").check(force=True)
    assert serious_problems(page) == []
    form.locator("button[value=reject]").click()
    page.get_by_role("dialog").get_by_role("button", name="Reject").click()
    until(lambda: Appraisal.objects.filter(causes=["wrong_facts"], rating=2).exists(), what="it is kept")


def test_stranger_asks_for_a_person_and_reads_the_answer(site: Site, page: Page, browser: Browser) -> None:
    ana, run = people.person("ana", decides=people.queue()), people.run()
    manager = people.person("max", "Workflow Orchestration Manager")
    _link, secret = links.make(run_id=run.pk, by=manager, about="Your refund", queue="oncall")
    page.goto(f"{site.address}/feedback/form/{secret}/")
    expect(page.get_by_text("An AI system worked on this")).to_be_visible()
    page.get_by_label("Tell us more").fill("Where is my money?")
    page.get_by_label("I want a person to answer me").check()
    assert serious_problems(page) == []
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("A person was asked.")).to_be_visible()

    with browser.new_context() as own:
        desk = own.new_page()
        site.enter(desk, ana, "/inbox/")
        expect(desk.locator("#card-title")).to_contain_text("Asks for a person: Your refund")
        desk.get_by_label("Your answer").fill("It is paid on Monday.")
        desk.locator("button[value=complete]").click()
        expect(desk.locator("#ack")).to_be_visible()
    page.reload()
    expect(page.get_by_text("It is paid on Monday.")).to_be_visible()
    assert serious_problems(page) == []


def test_manager_tries_a_rule_in_the_editor_and_accepts_a_proposal(site: Site, page: Page, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(proposing, "AUTO_LEAST", 4)
    made, ana = refunds(), people.person("ana", decides=people.queue())
    for confidence in (0.7, 0.7, 0.6, 0.5):
        gate = people.gate(of=people.run(of=made), rule="confidence < 0.8", confidence=confidence)
        services.decide(gate_id=gate.pk, by=ana, verdict="approve", gate_version=1, appraisal=Given(rating=5))
    sealed()
    learning.learn()
    proposals.look_at(Workflow.objects.get(pk=made.pk))
    manager = people.person("max", "Workflow Orchestration Manager")

    site.enter(page, manager, "/editor/refunds/")
    page.locator("#source").fill(SOURCE.replace("0.8", "0.65"))
    page.get_by_role("button", name="Try the changed gates").click()
    expect(page.locator("#backtest")).to_contain_text("50% fewer reviews (2 of 4)")
    assert serious_problems(page) == []

    site.enter(page, manager, f"/feedback/proposals/{Proposal.objects.get().pk}/")
    expect(page.locator("h1")).to_contain_text("Let it pass, and look at a tenth")
    page.get_by_label("Why").fill("They are all fine.")
    page.get_by_role("button", name="Accept and publish").click()
    expect(page.get_by_text("What came of it")).to_be_visible()
    assert serious_problems(page) == []
    expect(page.get_by_role("link", name=re.compile("Bring version 1 back"))).to_be_visible()
    until(lambda: Proposal.objects.get().status == "accepted", what="it is accepted")
    page.goto(f"{site.address}/feedback/patterns/")
    expect(page.locator(".pattern-total")).to_contain_text("Outputs judged")
    assert serious_problems(page) == []
