"""A cron expression in words, for people: "At 02:30, Monday to Friday". Pure; what the words cannot say is read out."""

import re
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

_DAYS: Final = {
    "sun": gettext_lazy("Sunday"), "mon": gettext_lazy("Monday"), "tue": gettext_lazy("Tuesday"),
    "wed": gettext_lazy("Wednesday"), "thu": gettext_lazy("Thursday"), "fri": gettext_lazy("Friday"),
    "sat": gettext_lazy("Saturday"),
}  # fmt: skip
_MONTHS: Final = {
    "jan": gettext_lazy("January"), "feb": gettext_lazy("February"), "mar": gettext_lazy("March"),
    "apr": gettext_lazy("April"), "may": gettext_lazy("May"), "jun": gettext_lazy("June"),
    "jul": gettext_lazy("July"), "aug": gettext_lazy("August"), "sep": gettext_lazy("September"),
    "oct": gettext_lazy("October"), "nov": gettext_lazy("November"), "dec": gettext_lazy("December"),
}  # fmt: skip
_STEP: Final = re.compile(r"\*/(\d+)")
_PLAIN: Final = re.compile(r"\d+")
_MOST_TIMES: Final = 6  # moments of a day that are listed one by one


def in_words(expression: str) -> str:
    """A known-good expression of five fields in one sentence without a full stop; its zone is said beside it."""
    minute, hour, day, month, weekday = expression.lower().split()
    days = [part for part in (_days_of_month(day), _weekdays(weekday)) if part]
    # cron runs on either when both days are restricted, unless one of them begins with a star
    either = not day.startswith("*") and not weekday.startswith("*")
    joined = _(" or ").join(days) if either else ", ".join(days)
    return ", ".join(part for part in (_time(minute, hour), joined, _months(month)) if part)


def _time(minute: str, hour: str) -> str:
    minutes, hours = minute.split(","), hour.split(",")
    if all(map(_PLAIN.fullmatch, (*minutes, *hours))) and len(minutes) * len(hours) <= _MOST_TIMES:
        times = sorted((int(h), int(m)) for h in hours for m in minutes)
        return _("At %(times)s") % {"times": _listed([f"{h:02d}:{m:02d}" for h, m in times])}
    return ", ".join(part for part in (_minutes(minute), _hours(hour)) if part)


def _minutes(minute: str) -> str:
    if minute in ("*", "*/1"):
        return _("Every minute")
    if found := _STEP.fullmatch(minute):
        count = int(found.group(1))
        return ngettext("Every %(count)d minute", "Every %(count)d minutes", count) % {"count": count}
    return _("At minute %(minutes)s of the hour") % {"minutes": _ranges(minute)}


def _hours(hour: str) -> str:
    if hour in ("*", "*/1"):
        return ""
    if found := _STEP.fullmatch(hour):
        count = int(found.group(1))
        return ngettext("every %(count)d hour", "every %(count)d hours", count) % {"count": count}
    return _("in hour %(hours)s") % {"hours": _ranges(hour)}


def _days_of_month(day: str) -> str:
    if day in ("*", "?"):
        return ""
    if day == "l":
        return _("on the last day of the month")
    if day == "lw":
        return _("on the last weekday of the month")
    if found := _STEP.fullmatch(day):
        return _("every %(count)s days of the month") % {"count": found.group(1)}
    return _("on day %(days)s of the month") % {"days": _ranges(day)}


def _weekdays(weekday: str) -> str:
    if weekday in ("*", "?"):
        return ""
    return _listed(list(dict.fromkeys(_weekday(part) for part in weekday.split(","))))


def _weekday(part: str) -> str:
    name, _hash, place = part.partition("#")
    if place:
        return _("%(day)s number %(place)s of the month") % {"day": _day(name), "place": place}
    if len(name) > 1 and name.endswith("l"):
        return _("the last %(day)s of the month") % {"day": _day(name[:-1])}
    first, dash, last = name.partition("-")
    return _("%(first)s to %(last)s") % {"first": _day(first), "last": _day(last)} if dash else _day(name)


def _day(name: str) -> str:
    if name.isdigit() and int(name) <= 7:
        return str(list(_DAYS.values())[int(name) % 7])
    return str(_DAYS.get(name, name))


def _months(month: str) -> str:
    if month == "*":
        return ""
    if found := _STEP.fullmatch(month):
        return _("every %(count)s months") % {"count": found.group(1)}
    parts = [_("%(first)s to %(last)s") % {"first": _month(a), "last": _month(b)} if dash else _month(a)
             for a, dash, b in (part.partition("-") for part in month.split(","))]  # fmt: skip
    return _("in %(months)s") % {"months": _listed(parts)}


def _month(name: str) -> str:
    if name.isdigit() and 1 <= int(name) <= 12:
        return str(list(_MONTHS.values())[int(name) - 1])
    return str(_MONTHS.get(name, name))


def _ranges(field: str) -> str:
    return _listed([part.replace("-", _(" to ")) for part in field.split(",")])


def _listed(parts: list[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return _("%(parts)s and %(last)s") % {"parts": ", ".join(parts[:-1]), "last": parts[-1]}
