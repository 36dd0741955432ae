"""Rings for shifts: as many as are missing in each pool, and seldom where nobody has answered for long."""

from typing import Any

import pytest
from pytest_django import Settings

from orchestrator import dispatch, tasks

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What is rung for: (queue, times)."""
    heard: list[tuple[str, int]] = []

    def ring(task: Any, *, times: int = 1, queue: str | None = None) -> bool:
        heard.append((queue or "", times))
        return True

    monkeypatch.setattr(dispatch, "ring", ring)
    monkeypatch.setattr(tasks, "_unanswered", {})
    return heard


def test_every_pool_is_rung_for_on_its_queue(rung: list[tuple[str, int]], settings: Settings) -> None:
    settings.SHIFTS, settings.POOLS = 2, {"eu": 3}

    tasks.ensure_shifts()

    assert rung == [("shifts", 2), ("shifts.eu", 3)]


def test_a_pool_that_nobody_works_is_rung_for_seldom_after_a_while(
    rung: list[tuple[str, int]], settings: Settings
) -> None:
    settings.SHIFTS, settings.POOLS = 1, {}
    for _ in range(1000):
        tasks.ensure_shifts()

    assert rung[:15] == [("shifts", 1)] * 15
    assert 100 <= len(rung) <= 120
