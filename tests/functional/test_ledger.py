"""A person works on the task ledger of a magentic step, in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from orchestrator.definitions.plan import PlanStep
from orchestrator.models import Event, Run, Task
from tests import factories
from tests.functional.conftest import Site, serious_problems

OPTIONS = {"goal": "find out", "manager": "boss", "queue": "ops", "agents": [{"agent": "digger"}, {"agent": "reader"}]}


def line(name: str, title: str, status: str = "todo") -> dict[str, object]:
    made = {"id": name, "title": title, "status": status, "agent": "digger", "input": {"where": "cellar"}}
    return {**made, "by": "manager", "why": "it leads further", "round": 1, "result": None}


@pytest.fixture
def run(site: Site) -> Run:
    step = PlanStep(index=0, key="work", title="Investigate", kind="pattern", pattern="magentic", options=OPTIONS)
    made = factories.run(factories.workflow("dig", [step], title="Dig"), statuses=["blocked"])
    entries = [
        line("a", "Look into the cellar", "done"),
        line("b", "Read the letters"),
        line("c", "Ask the neighbours"),
    ]
    log = [{"round": 1, "by": "manager", "did": "add", "id": one, "why": "it leads further"} for one in "abc"]
    state = {"turn": 3, "seen": 0, "first": 1, "count": 0, "memory": {"entries": entries, "log": log, "round": 2}}
    Task.objects.of_run(made.pk).update(state=state)
    return made


def test_person_adds_moves_and_drops_tasks_of_the_ledger(site: Site, page: Page, run: Run) -> None:
    site.enter(page, factories.user("maria", "Workflow Orchestration Manager"), f"/runs/{run.pk}/?task=work")
    ledger = page.get_by_role("region", name="Ledger")
    dialog = page.get_by_role("dialog")
    expect(ledger.get_by_text("added by manager in round 1").first).to_be_visible()

    ledger.get_by_role("link", name="Add a task").click()
    dialog.get_by_label("What is to be done").fill("Search the attic")
    dialog.get_by_label("Agent", exact=True).select_option("reader")
    dialog.get_by_label("Before which one").select_option("b")
    expect(dialog.get_by_text("“Search the attic” is added, for reader")).to_be_visible()
    dialog.get_by_label("Why").fill("nobody has been there")
    dialog.get_by_role("button", name="Add task").click()
    expect(ledger.get_by_role("listitem").nth(1)).to_have_text(
        re.compile("Search the attic.*added by maria in round 2: “nobody has been there”", re.DOTALL)
    )

    ledger.get_by_role("link", name="Move c").click()
    dialog.get_by_label("Before which one").select_option("b")
    expect(dialog.get_by_text("c goes before b")).to_be_visible()
    dialog.get_by_label("Why").fill("they leave tonight")
    dialog.get_by_role("button", name="Move task").click()
    expect(ledger.get_by_role("listitem").nth(2)).to_contain_text("Ask the neighbours")

    ledger.get_by_role("link", name="Drop b").press("Enter")
    dialog.get_by_label("Why").fill("they were burnt")
    dialog.get_by_role("button", name="Drop task").click()
    expect(ledger.get_by_role("listitem").nth(3)).to_contain_text("dropped: with the next turn")
    expect(ledger.get_by_role("link", name="Drop b")).to_have_count(0)

    told = Event.objects.filter(run_id=run.pk, kind="task.noted", actor="user:maria").order_by("id")
    assert [(event.data["did"], event.data["line"]) for event in told] == [("add", "p1"), ("move", "c"), ("drop", "b")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_ledger_keeps_nobody_out(site: Site, page: Page, run: Run, width: int, scheme: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    site.enter(page, factories.user("maria", "Workflow Orchestration Manager"), f"/runs/{run.pk}/?task=work")

    expect(page.get_by_role("region", name="Ledger")).to_be_visible()
    assert serious_problems(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
