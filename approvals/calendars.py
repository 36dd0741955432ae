"""Business hours of a queue: when a span of working time ends. Pure: values in and out.

A calendar is {"zone", "days" (0 is Monday), "from", "to", "holidays"}; without one all time is working time.
"""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

LONGEST_DAYS: Final = 3 * 366  # a calendar that has no hour open in so long is taken for always open


def after(calendar: Mapping[str, Any], start: datetime, seconds: float) -> datetime:
    """The moment at which so many seconds of working time have passed since `start` (aware)."""
    if not calendar:
        return start + timedelta(seconds=seconds)
    zone = ZoneInfo(calendar["zone"])
    left, day = seconds, start.astimezone(zone).date()
    for _ in range(LONGEST_DAYS):
        opens, closes = _hours(calendar, day, zone)
        begin = max(opens, start)
        if _is_open(calendar, day) and begin < closes:
            # Real seconds, not those of the wall clock: a night in which the clock moves is as long as it is.
            room = closes.timestamp() - begin.timestamp()
            if left <= room:
                return datetime.fromtimestamp(begin.timestamp() + left, tz=start.tzinfo)
            left -= room
        day += timedelta(days=1)
    return start + timedelta(seconds=seconds)


def problem(calendar: Mapping[str, Any]) -> str:
    """What is wrong with a calendar as somebody typed it; empty if nothing is."""
    if not calendar:
        return ""
    if set(calendar) != {"zone", "days", "from", "to", "holidays"}:
        return "it needs zone, days, from, to and holidays"
    if calendar["zone"] not in available_timezones():
        return f"{calendar['zone']!r:.60} is not a time zone; write Europe/Berlin or the like"
    try:
        opens, closes = time.fromisoformat(calendar["from"]), time.fromisoformat(calendar["to"])
        for day in calendar["holidays"]:
            date.fromisoformat(day)
    except (TypeError, ValueError):
        return "write hours as 09:00 and holidays as 2026-12-25"
    if opens >= closes:
        return "its hours must end after they begin, on the same day"
    days = calendar["days"]
    if not isinstance(days, list) or not days or any(day not in range(7) for day in days):
        return "days are a list of 0 (Monday) to 6"
    return ""


def _hours(calendar: Mapping[str, Any], day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    opens, closes = (datetime.combine(day, time.fromisoformat(calendar[name]), zone) for name in ("from", "to"))
    return opens, closes


def _is_open(calendar: Mapping[str, Any], day: date) -> bool:
    return day.weekday() in calendar["days"] and day.isoformat() not in calendar["holidays"]
