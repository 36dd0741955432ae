"""Every page about agents, full of data, at both widths and in both looks: it fits, and keeps nobody out."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.core.management import call_command
from django.db.models.functions import Now
from playwright.sync_api import ConsoleMessage, Page, expect

from agents.guardrails import keyring, sealing
from agents.memory import store as memory
from agents.memory.store import Scope
from agents.models import Agent, Assessment, Evaluation, EvaluationCase, EvaluationItem, Violation
from agents.prompts import services as prompts
from agents.prompts.services import Text
from tests import factories, messages
from tests.functional.conftest import Site, at_rest, serious_problems

LONG = "It said so, and https://example.org/a-very-long-address-without-any-place-to-break-it/" + "x" * 80
WIDTHS = (1440, 390)
# What reaches beyond the page, when the page can be scrolled sideways.
TOO_WIDE = """() => document.documentElement.scrollWidth <= innerWidth ? [] : ["too wide", ...[...document
  .querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > innerWidth + 0.5)
  .map((one) => one.outerHTML.slice(0, 90)).slice(0, 12)]"""
PAGES = (
    "/agents/",
    "/agents/threat-summariser/",
    "/agents/messages/",
    "/agents/messages/?tab=routing",
    "/agents/messages/{message}/",
    "/agents/quality/",
    "/agents/quality/threat-summariser/",
    "/agents/evaluations/",
    "/agents/evaluations/{evaluation}/",
    "/agents/evaluations/{evaluation}/cases/2/",
    "/agents/evaluations/{evaluation}/against/{older}/",
    "/agents/prompts/",
    "/agents/prompts/new/",
    "/agents/prompts/incident-summary/",
    "/agents/prompts/labels/draft/",
    "/agents/tools/",
    "/agents/tools/attack.technique/",
    "/agents/matrix/",
    "/agents/policies/",
    "/agents/policies/incident-lookups/",
    "/agents/guardrails/",
    "/agents/guardrails/reveal/?sealed={sealed}",
    "/agents/memory/",
)


@pytest.fixture
def data_folder(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR, settings.DATA_KEYS = tmp_path, []
    keyring.current.cache_clear()


@pytest.fixture
def addresses(site: Site, data_folder: None) -> dict[str, str]:
    """The demo, and of everything that it has none of, one with long texts. Returns what goes into the addresses."""
    call_command("seed_demo")
    summariser = Agent.objects.get(name="threat-summariser")
    developer = factories.User.objects.get(username="dev")
    sent = messages.send({"question": LONG}, to="threat-summariser", correlation_id="case-" + "7" * 60)
    prompts.create(name="labels", title="Labels", text=Text("Sort: {{ text }}", [{"name": "text", "sample": LONG}]),
                   by=developer)  # fmt: skip
    for number in range(3):
        Assessment.objects.create(
            task=number + 1, run=1, attempt=1, workflow="incident-response", step="summary", agent=summariser.name,
            score=90.0 - number * 30, passed=number < 2, reasons=[LONG],
        )  # fmt: skip
    older, newer = evaluation(passed=True), evaluation(passed=False)
    EvaluationItem.objects.create(evaluation=newer, suite=newer.suite, agent=newer.agent)
    Violation.objects.create(agent=summariser, version=1, rule="secret", facts={})
    memory.remember(
        Scope(agent=summariser.name, version=1, realm="incident-response"),
        {"text": LONG, "layer": "long"},
    )
    sealed = sealing.seal("a diagnosis", frozenset({"phi"}), agent=summariser.name, place="text")
    return {"message": str(sent.uid), "evaluation": str(newer.pk), "older": str(older.pk), "sealed": quote(sealed)}


def evaluation(*, passed: bool) -> Evaluation:
    made = Evaluation.objects.create(
        suite="summary-reading", kind="experience", suite_digest="s" * 64, agent="threat-summariser", agent_version=1,
        agent_digest="a" * 64, dataset="incidents-for-text", dataset_digest="d" * 64, cases=2, passed=passed,
        measures={"contract": 0.5}, trigger="command", started_at=Now(),
        thresholds={"contract": {"at_least": 0.9, "at_most": None, "value": 0.5, "held": passed}},
    )  # fmt: skip
    for number in (1, 2):
        EvaluationCase.objects.create(
            evaluation=made, number=number, case_digest=f"{number}" * 64, passed=number == 1, succeeded=True,
            latency_ms=1, marks={"contract": float(number == 1)}, input={"text": LONG}, expected={}, output={"x": LONG},
        )  # fmt: skip
    return made


@pytest.mark.parametrize(("name", "scheme"), [("dev", "light"), ("dev", "dark"), ("quinn", "light"), ("adam", "dark")])
def test_every_page_about_agents_fits_and_keeps_nobody_out(
    site: Site, page: Page, addresses: dict[str, str], name: str, scheme: str
) -> None:
    """One test a person walks through all pages that the person's roles open, at both widths."""
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    said: list[str] = []
    page.on("console", lambda message: said.append(_words(message)))
    site.enter(page, factories.User.objects.get(username=name), "/agents/")
    opened, problems = 0, []
    for address in PAGES:
        path = address.format(**addresses)
        status = page.goto(site.address + path).status  # type: ignore[union-attr]
        assert status in {200, 403}, (path, status)
        if status == 403:  # the browser says so on its console, as it should
            said.clear()
            continue
        opened += 1
        problems += [(address, width, found) for width in WIDTHS for found in _problems(page, width)]
        problems += [(address, line) for line in said if line]
        said.clear()
    assert problems == []
    assert opened >= len(PAGES) - 6


def _problems(page: Page, width: int) -> list[str]:
    page.set_viewport_size({"width": width, "height": 860})
    at_rest(page)
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.get_by_role("navigation", name="Pages about agents").locator("[aria-current]")).to_be_in_viewport()
    expect(page.locator(".nav-link[aria-current=page]").first).to_contain_text("Agents")
    return [*page.evaluate(TOO_WIDE), *serious_problems(page)]


def _words(message: ConsoleMessage) -> str:
    return message.text if message.type in {"error", "warning"} else ""


def test_tab_of_a_page_far_to_the_right_is_in_sight_on_a_phone(
    site: Site, page: Page, addresses: dict[str, str]
) -> None:
    page.set_viewport_size({"width": 390, "height": 860})

    site.enter(page, factories.User.objects.get(username="dev"), "/agents/memory/")

    tabs = page.get_by_role("navigation", name="Pages about agents")
    expect(tabs.get_by_role("link", name="Memory")).to_be_in_viewport(ratio=0.9)
    expect(tabs.get_by_role("link", name="Messages")).not_to_be_in_viewport()


def test_policy_whose_tests_fail_says_so_before_it_is_proposed(
    site: Site, page: Page, addresses: dict[str, str]
) -> None:
    site.enter(page, factories.User.objects.get(username="ivo"), "/agents/policies/")
    page.get_by_text("Write another policy").click()

    page.get_by_label("The policy, as YAML").fill(
        "policy: more\nentitlements: []\n"
        "tests:\n  - {name: hope, agent: enrichment-fetcher, tool: attack.technique, risk: low, expect: allow}"
    )
    page.get_by_label("Why").focus()

    expect(page.get_by_text("test 'hope' expects allow, and the policy says deny")).to_be_visible()
