"""When a notice may leave: nights, weekends, digests, and the hours that clocks skip or repeat."""

from datetime import UTC, datetime, time

import pytest

from approvals.notices.quiet import Hours, due_at

BERLIN = "Europe/Berlin"
NIGHT = Hours(BERLIN, time(22), time(7), is_on=True)
LUNCH = Hours(BERLIN, time(12), time(13), is_on=True)
WEEKEND = Hours(BERLIN, time(22), time(7), weekends=True, is_on=True)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "now", "pace", "risk", "due"),
    [
        (NIGHT, "2026-11-25T12:00", "at_once", "low", "2026-11-25T12:00"),
        (NIGHT, "2026-11-25T21:30", "at_once", "high", "2026-11-26T06:00"),
        (NIGHT, "2026-11-26T02:00", "at_once", "high", "2026-11-26T06:00"),
        (NIGHT, "2026-11-26T05:59", "at_once", "low", "2026-11-26T06:00"),
        (NIGHT, "2026-11-26T06:00", "at_once", "low", "2026-11-26T06:00"),
        (NIGHT, "2026-11-26T02:00", "at_once", "critical", "2026-11-26T02:00"),
        (Hours(BERLIN, time(22), time(7), critical_passes=False, is_on=True), "2026-11-26T02:00", "at_once", "critical",
         "2026-11-26T06:00"),
        (Hours(BERLIN), "2026-11-26T02:00", "at_once", "low", "2026-11-26T02:00"),
        (LUNCH, "2026-11-25T11:30", "at_once", "low", "2026-11-25T12:00"),
        (WEEKEND, "2026-11-28T10:00", "at_once", "low", "2026-11-30T06:00"),  # Saturday: then the night of Monday
        (WEEKEND, "2026-11-27T21:30", "at_once", "low", "2026-11-30T06:00"),  # Friday night runs into it
        (Hours(BERLIN), "2026-11-25T12:20", "hourly", "high", "2026-11-25T13:00"),
        (Hours(BERLIN), "2026-11-25T12:20", "daily", "high", "2026-11-26T07:00"),
        (Hours(BERLIN), "2026-11-25T06:20", "daily", "high", "2026-11-25T07:00"),
        (Hours(BERLIN), "2026-11-25T12:20", "daily", "critical", "2026-11-25T12:20"),  # no digest waits for the gravest
        # 25 October 2026, three o'clock becomes two: the night ends at seven by the new clock.
        (NIGHT, "2026-10-24T21:00", "at_once", "low", "2026-10-25T06:00"),
        # 29 March 2026, two o'clock becomes three.
        (NIGHT, "2026-03-28T22:00", "at_once", "low", "2026-03-29T05:00"),
    ],
)  # fmt: skip
def test_due_at(hours: Hours, now: str, pace: str, risk: str, due: str) -> None:
    assert due_at(at(now), pace=pace, risk=risk, hours=hours) == at(due)


def test_quiet_all_week_ends_all_the_same() -> None:
    """Hours that leave one minute free: the answer is in it, not a loop without an end."""
    hours = Hours("UTC", time(0, 1), time(0), weekends=True, is_on=True)

    assert due_at(at("2026-11-28T10:00"), pace="at_once", risk="low", hours=hours) == at("2026-11-30T00:00")
