"""What faults leave on open pages: nothing. Each is held against its own address, freshly opened (scenarios 46 to 49).

Pages of one person are open while somebody else acts and the fault lasts; once it is over they have to say the same as
fresh ones, without having been loaded anew.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

import psycopg
import pytest
from django.contrib.auth.models import User
from playwright.sync_api import BrowserContext, Page, expect

from approvals import services
from orchestrator import acts
from tests import people
from tests.fresh import Watch, picture
from tests.functional.conftest import Site, at_rest

# Which card lies open beside the list is for its reader to choose.
THE_READERS_CARD = ("#card",)


class Pages:
    """Floor and inbox, open and connected; and what another person does meanwhile, once."""

    def __init__(self, site: Site, context: BrowserContext, vera: User, otto: User) -> None:
        self._otto = otto
        read = people.gate(title="The one that is open", risk="critical", deadline_s=60.0 * 60)
        self._gate = people.gate(title="Isolate host 7", risk="high")
        self._run = people.run(by=otto)
        self.all = [context.new_page() for _ in range(2)]
        self._watch = Watch(context)
        self._apart = ((), THE_READERS_CARD)
        for page, path in zip(self.all, ("/", f"/inbox/{read.pk}/"), strict=True):
            site.enter(page, vera, path)
            page.mouse.move(0, 0)
        for page in self.all:
            expect(page.locator("html")).to_have_attribute("data-live", "live")
            at_rest(page)
            page.evaluate("window.isKept = true")  # a reload would lose it
        self._before = [picture(page, apart) for page, apart in zip(self.all, self._apart, strict=True)]

    def happen(self) -> None:
        """A gate more, a gate less, and a run that is held: both pages tell of it."""
        people.gate(title="Quarantine a mailbox", risk="critical")
        services.decide(gate_id=self._gate.pk, by=self._otto, verdict="approve", gate_version=1)
        act, target = acts.find("run", "pause"), acts.locate("run", str(self._run.pk))
        acts.perform(act, target, by=self._otto, reason="a fault is tried", answers={})

    def are_fresh(self) -> None:
        """Each says what its address says now, which is not what it said before, and was not loaded anew."""
        for page, apart, before in zip(self.all, self._apart, self._before, strict=True):
            self._watch.apart = apart
            wanted, difference = self._watch.compare(page)
            assert not difference, f"{page.url}\n{difference}"
            assert wanted != before, f"nothing has happened to {page.url}"
            assert page.evaluate("window.isKept")


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's notes reach no web process."""

    async def hears_nothing(_self: object, *, timeout: float, stop_after: int) -> AsyncIterator[psycopg.Notify]:
        await asyncio.sleep(timeout)
        for note in ():
            yield note

    monkeypatch.setattr(psycopg.AsyncConnection, "notifies", hears_nothing)


@pytest.fixture
def open_pages(site: Site, context: BrowserContext, vera: User, otto: User) -> Callable[[], Pages]:
    return lambda: Pages(site, context, vera, otto)


def set_all(pages: list[Page], state: str) -> None:
    """Let the browser freeze tabs that nobody looks at, or show them again."""
    for page in pages:
        page.context.new_cdp_session(page).send("Page.setWebLifecycleState", {"state": state})


def test_pages_without_a_network_are_as_fresh_ones_when_it_is_back(
    open_pages: Callable[[], Pages], context: BrowserContext
) -> None:
    pages = open_pages()
    context.set_offline(True)
    for page in pages.all:
        expect(page.locator("html")).to_have_attribute("data-live", "offline")

    pages.happen()
    context.set_offline(False)

    pages.are_fresh()


def test_frozen_pages_are_as_fresh_ones_when_they_are_shown_again(open_pages: Callable[[], Pages]) -> None:
    pages = open_pages()
    set_all(pages.all, "frozen")

    pages.happen()
    set_all(pages.all, "active")

    pages.are_fresh()


def test_pages_whose_server_restarts_are_as_fresh_ones_when_it_is_back(
    open_pages: Callable[[], Pages], site: Site
) -> None:
    pages = open_pages()

    site.stop()
    for page in pages.all:
        expect(page.locator("html")).not_to_have_attribute("data-live", "live")
    pages.happen()
    site.start_again()

    pages.are_fresh()


def test_pages_whose_doorbell_is_never_heard_are_as_fresh_ones_all_the_same(
    deaf: None, open_pages: Callable[[], Pages]
) -> None:
    pages = open_pages()

    pages.happen()

    pages.are_fresh()
