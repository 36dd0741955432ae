"""What calls look at is read beside them, before one of them has to wait for that."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from agents.lifecycle import routes
from orchestrator.engine import before, budgeting
from tests.engine import eventually, finished, publish, shift, start

pytestmark = pytest.mark.django_db(transaction=True)


def due() -> list[Callable[..., None]]:
    """What would be read now."""
    asked: list[Callable[..., None]] = []

    async def in_thread(function: Callable[..., None], *arguments: Any) -> None:
        assert arguments == (before.DUE,)
        asked.append(function)

    asyncio.run(before.keep_fresh(in_thread))
    return asked


def test_views_that_a_call_has_looked_at_are_read_by_its_shift_before_the_next_call():
    publish("  - {key: a, type: automated, agent: test-echo}")
    with shift():
        run = start()
        eventually(lambda: finished(run))

        eventually(lambda: not budgeting.view.wanted and not routes.view.wanted)


@pytest.mark.parametrize(
    ("wanted", "share", "read"),
    [
        pytest.param(True, 0.5, False, id="fresh"),
        pytest.param(True, 0.9, True, id="soon too old"),
        pytest.param(False, 0.9, False, id="which nobody looked at"),
    ],
)
def test_view_is_due_once_it_was_looked_at_and_is_soon_too_old(wanted: bool, share: float, read: bool, monkeypatch):
    for known in (budgeting, routes):
        known.view.read()
        monkeypatch.setattr(known.view, "wanted", wanted)
        monkeypatch.setattr(known.view, "_read_at", known.view._read_at - known.FRESH_SECONDS * share)
    monkeypatch.setattr(budgeting.view, "_pause", 0.0)

    assert due() == ([budgeting.refresh, routes.refresh] if read else [])
    assert not budgeting.view.is_stale()
    assert not routes.view.is_stale()


def test_view_that_is_due_is_read_by_whoever_asks_for_it():
    for known in (budgeting, routes):
        known.view.forget()

        known.refresh(before.DUE)

        assert not known.view.is_stale(before.DUE)
