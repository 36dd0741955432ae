"""What waits, and what starts a workflow by itself, in a real browser."""

import pytest
from playwright.sync_api import Page, expect

from approvals.models import Queue
from orchestrator import groups, signals
from orchestrator.engine import sweep
from orchestrator.models import ConsumerGroup, Workflow
from tests import engine, factories
from tests.functional.conftest import Site, serious_problems

STEPS = """
  - {key: sleep, title: Cool off, type: timer, duration: 90d}
  - {key: paid, title: Payment, type: wait_event, event: order.paid, correlation: A-17, deadline: 30d}
  - {key: bank, title: Bank answers, type: wait_callback, deadline: 14d}
  - {key: credit, title: Credit check, type: subworkflow, workflow: credit}
  - key: letter
    title: Letter
    type: hybrid
    agent: test-echo
    inputs: {text: Dear customer}
    form: {type: object, properties: {text: {type: string}}, required: [text]}
    queue: operations
"""


@pytest.fixture
def manager(site: Site) -> factories.User:
    Queue.objects.get_or_create(name="operations", defaults={"title": "Operations"})
    engine.publish("  - {key: nap, type: timer, duration: 2d}", name="credit")
    engine.publish(STEPS, name="order")
    return factories.user("maria", "Workflow Orchestration Manager")


@pytest.mark.parametrize("width", [1440, 390])
def test_what_a_run_waits_for_stands_on_its_page(site, page: Page, manager, width):
    page.set_viewport_size({"width": width, "height": 900})
    run = engine.start("order")
    with engine.shift():
        engine.eventually(lambda: set(engine.statuses(run).values()) == {"waiting"})
    sweep.fire_timers()

    for key, words in (
        ("paid", "waits for the signal order.paid with the key “A-17”"),
        ("bank", "waits for a call back"),
        ("credit", "of Flow"),
        ("sleep", "It waits and goes on in 89 days"),
    ):
        site.enter(page, manager, f"/runs/{run.pk}/?tab=graph&task={key}")
        expect(page.locator("#task-side .note").first).to_contain_text(words)
        assert serious_problems(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [1440, 390])
def test_consumer_group_is_made_stopped_and_removed_on_the_workflows_page(site, page: Page, manager, width):
    page.set_viewport_size({"width": width, "height": 900})
    workflow = Workflow.objects.get(name="credit")
    groups.create(name="audit", workflow=workflow, signal="order.paid", match="event.data.n > 1", by=manager)
    signals.publish(name="order.paid", data={"n": 2}, by=manager)
    site.enter(page, manager, "/workflows/credit/?tab=signals")

    page.get_by_label("Name of the group").fill("Not A Name")
    page.get_by_label("Signal", exact=True).fill("order.paid")
    page.get_by_role("button", name="Start listening").click()
    expect(page.get_by_role("alert")).to_contain_text("must be lower-case")
    page.get_by_label("Name of the group").fill("billing")
    page.get_by_role("button", name="Start listening").click()
    expect(page.get_by_role("row", name="billing")).to_contain_text("listens")
    assert serious_problems(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("row", name="billing").get_by_text("Stop, replay or remove").click()
    page.get_by_role("row", name="billing").get_by_label("Why").fill("done")
    page.get_by_role("row", name="billing").get_by_role("button", name="Remove").click()
    page.locator("#confirm-yes").click()
    expect(page.get_by_role("row", name="billing")).to_have_count(0)

    assert list(ConsumerGroup.objects.values_list("name", flat=True)) == ["audit"]
