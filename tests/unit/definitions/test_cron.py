"""Slots of cron expressions: daylight saving both ways, leap days, refusals, and what was missed."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.definitions import cron
from orchestrator.definitions.cron import COUNTED, CronInvalid


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def slots(expression: str, zone: str, after: str, count: int = 3) -> list[str]:
    found = islice(cron.read(expression, zone).after(at(after)), count)
    return [f"{slot:%Y-%m-%d %H:%M}" for slot in found]


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        # 29 March 2026, Berlin: 02:00 to 03:00 does not happen; what lies in it happens once, at 03:00 (01:00 UTC).
        ("30 2 * * *", "Europe/Berlin", "2026-03-28 00:00",
         ["2026-03-28 01:30", "2026-03-29 01:00", "2026-03-30 00:30"]),
        ("15,45 2 * * *", "Europe/Berlin", "2026-03-29 00:00",
         ["2026-03-29 01:00", "2026-03-30 00:15", "2026-03-30 00:45"]),
        ("30 3 * * *", "Europe/Berlin", "2026-03-28 12:00",
         ["2026-03-29 01:30", "2026-03-30 01:30", "2026-03-31 01:30"]),
        # 25 October 2026, Berlin: 02:00 to 03:00 happens twice; what names its hour happens the first time.
        ("30 2 * * *", "Europe/Berlin", "2026-10-24 12:00",
         ["2026-10-25 00:30", "2026-10-26 01:30", "2026-10-27 01:30"]),
        # ... and what goes by real time goes on evenly.
        ("*/30 * * * *", "Europe/Berlin", "2026-10-25 00:00",
         ["2026-10-25 00:30", "2026-10-25 01:00", "2026-10-25 01:30"]),
        ("0 * * * *", "Europe/Berlin", "2026-03-29 00:30",
         ["2026-03-29 01:00", "2026-03-29 02:00", "2026-03-29 03:00"]),
        # 8 March and 1 November 2026, New York.
        ("30 2 * * *", "America/New_York", "2026-03-07 12:00",
         ["2026-03-08 07:00", "2026-03-09 06:30", "2026-03-10 06:30"]),
        ("30 1 * * *", "America/New_York", "2026-10-31 12:00",
         ["2026-11-01 05:30", "2026-11-02 06:30", "2026-11-03 06:30"]),
        ("0 12 29 2 *", "Europe/Berlin", "2026-01-01 00:00",
         ["2028-02-29 11:00", "2032-02-29 11:00", "2036-02-29 11:00"]),
        ("0 0 L * *", "UTC", "2028-02-01 00:00", ["2028-02-29 00:00", "2028-03-31 00:00", "2028-04-30 00:00"]),
        ("0 9 * * mon-fri", "UTC", "2026-11-27 10:00", ["2026-11-30 09:00", "2026-12-01 09:00", "2026-12-02 09:00"]),
    ],
)  # fmt: skip
def test_after_gives_the_slots_that_people_expect(expression, zone, after, expected):
    assert slots(expression, zone, after) == expected


def test_after_in_the_hour_that_autumn_repeats_never_goes_back():
    # 01:10 UTC is 02:10 the second time; 02:30 the first time, 00:30 UTC, is over.
    assert slots("30 2 * * *", "Europe/Berlin", "2026-10-25 01:10", 1) == ["2026-10-26 01:30"]


@pytest.mark.parametrize(
    ("expression", "zone", "said"),
    [
        ("99 * * * *", "UTC", "its minute is not valid"),
        ("0 0 30 2 *", "UTC", "its day-of-month is not valid"),
        ("0 0 29 2 * *", "UTC", "must have five fields"),
        ("@daily", "UTC", "must have five fields"),
        ("", "UTC", "must have five fields"),
        ("0 " * 60, "UTC", "must have five fields"),
        ("0 0 * * *", "Mars/Olympus", "time zone 'Mars/Olympus' is not known"),
        ("0 0 * * *", "../../etc/passwd", "is not known"),
    ],
)
def test_read_says_in_one_sentence_what_is_wrong(expression, zone, said):
    with pytest.raises(CronInvalid, match=said) as refused:
        cron.read(expression, zone)

    assert "\n" not in str(refused.value)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="0123456789*/,-#LW monjan", min_size=1, max_size=30))
def test_read_refuses_or_gives_slots_that_rise(text):
    try:
        found = cron.read(text, "Europe/Berlin")
    except CronInvalid:
        return
    slots = list(islice(found.after(at("2026-10-24 23:10")), 20))
    assert all(earlier < later for earlier, later in pairwise(slots))


def test_due_is_the_newest_slot_and_counts_what_was_missed():
    hourly = cron.read("0 * * * *", "UTC")

    due = hourly.due(at("2026-05-01 01:00"), at("2026-05-01 04:30"))

    assert (due.slot, due.missed, due.following) == (at("2026-05-01 04:00"), 3, at("2026-05-01 05:00"))


def test_due_after_a_year_of_every_minute_ends_soon_and_looks_ahead():
    every_minute = cron.read("* * * * *", "UTC")

    due = every_minute.due(at("2026-01-01 00:00"), at("2027-01-01 00:00"))

    assert due.missed == COUNTED
    assert due.following == at("2027-01-01 00:01")
    assert due.slot == at("2026-01-01 00:00") + timedelta(minutes=COUNTED)
