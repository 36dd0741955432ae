"""A dialog says beforehand what it will do."""

import pytest

from orchestrator import previews


@pytest.mark.parametrize(
    ("status", "verbs"),
    [
        ("running", ["pause", "cancel"]),
        ("paused", ["resume", "cancel"]),
        ("failed", ["retry"]),
        ("succeeded", []),
        ("cancelled", []),
    ],
)
def test_possible_overrides_follow_the_status(status, verbs):
    assert [override.verb for override in previews.possible(status)] == verbs


def test_preview_cancel_counts_what_is_lost_and_what_is_kept():
    lines = " ".join(previews.preview("cancel", {"running": 2, "blocked": 3, "ready": 1, "succeeded": 5}, []))

    assert "2 running steps are interrupted" in lines
    assert "4 steps that have not started never will." in lines
    assert "are kept" in lines


def test_preview_pause_says_what_goes_on():
    lines = " ".join(previews.preview("pause", {"ready": 1, "running": 1}, []))

    assert "1 ready step is held back." in lines
    assert "may finish; its result is kept." in lines


def test_preview_retry_keeps_what_succeeded():
    lines = " ".join(previews.preview("retry", {"failed": 1, "cancelled": 2, "succeeded": 4}, []))

    assert "1 failed step is tried again" in lines
    assert "4 steps that succeeded are kept" in lines
