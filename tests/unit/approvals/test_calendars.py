"""Working hours: weekends, holidays, nights, zones and the days on which clocks move."""

from datetime import UTC, datetime

import pytest

from approvals import calendars

OFFICE = {"zone": "Europe/Berlin", "days": [0, 1, 2, 3, 4], "from": "09:00", "to": "17:00", "holidays": ["2026-12-25"]}
HOUR = 3600.0


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "hours", "ends"),
    [
        pytest.param("2026-11-30T09:00", 2, "2026-11-30T11:00", id="within a day"),
        pytest.param("2026-11-30T15:00", 2, "2026-12-01T09:00", id="over night"),
        pytest.param("2026-11-27T15:00", 2, "2026-11-30T09:00", id="over a weekend"),
        pytest.param("2026-11-28T03:00", 1, "2026-11-30T09:00", id="from a weekend"),
        pytest.param("2026-11-30T04:00", 1, "2026-11-30T09:00", id="before it opens"),
        pytest.param("2026-12-24T15:00", 2, "2026-12-28T09:00", id="over a holiday"),
        pytest.param("2026-10-23T14:00", 2, "2026-10-26T09:00", id="clock put back: 09:00 there is 08:00 UTC now"),
        pytest.param("2026-11-30T08:00", 40, "2026-12-04T16:00", id="a whole week"),
    ],
)
def test_span_of_working_time_ends(start, hours, ends):
    assert calendars.after(OFFICE, at(start), hours * HOUR) == at(ends)


def test_without_a_calendar_all_time_counts():
    assert calendars.after({}, at("2026-11-28T03:00"), HOUR) == at("2026-11-28T04:00")


def test_calendar_that_never_opens_does_not_run_for_ever():
    closed = {**OFFICE, "days": []}

    assert calendars.after(closed, at("2026-11-28T03:00"), HOUR) == at("2026-11-28T04:00")


@pytest.mark.parametrize(
    "wrong",
    [
        {"zone": "Mars/Olympus"}, {"days": []}, {"days": [7]}, {"from": "25:00"}, {"to": "08:00"},
        {"holidays": ["Christmas"]}, {"holidays": 3}, {"more": 1},
    ],
)  # fmt: skip
def test_calendar_that_makes_no_sense_is_refused(wrong):
    assert calendars.problem(OFFICE) == ""
    assert calendars.problem({**OFFICE, **wrong})
