"""Figures as people read them: times, money, shares with what chance leaves open."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from django import template
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _

register = template.Library()

NOTHING: Final = "–"


@register.filter
def time_ms(ms: float | None) -> str:
    """Milliseconds in the unit that suits them: 420 ms, 1.8 s, 4.2 min, 3.1 h, 2.5 d."""
    if ms is None:
        return NOTHING
    for least, unit, word in ((86_400_000 * 2, 86_400_000, "d"), (3_600_000, 3_600_000, "h"), (60_000, 60_000, "min")):
        if ms >= least:
            return f"{number_format(ms / unit, 1)} {word}"
    if ms >= 1000:
        return f"{number_format(ms / 1000, 1)} s"
    return f"{number_format(ms, 0)} ms"


@register.filter
def money(amount: float | Decimal | None) -> str:
    """US dollars: to the cent from a dollar on, with four decimals below; a dash for none."""
    if amount is None:
        return NOTHING
    sign, size = ("−" if amount < 0 else ""), abs(float(amount))
    places = 2 if size >= 1 or size == 0 else 4
    if 0 < size < 0.00005:
        return f"{sign}< $0.0001"
    return f"{sign}${number_format(round(size, places), places, force_grouping=True)}"


@register.filter
def dollars(amount: Decimal) -> str:
    """US dollars to the cent, as statements say them."""
    return f"${number_format(amount, 2, force_grouping=True)}"


@register.filter
def valued(value: float | None, unit: str) -> str:
    """A value in its unit."""
    if value is None:
        return NOTHING
    match unit:
        case "share":
            return exact_percent(value)
        case "ms":
            return time_ms(value)
        case "money":
            return money(value)
        case "score":
            return number_format(value, 1)
        case "times":
            return f"{number_format(value, 2)} ×"
        case "hours":
            return f"{number_format(value, 2)} h"
    return number_format(value, 0, force_grouping=True)


@register.filter
def exact_percent(share: float | None) -> str:
    """A share with one decimal; 100 % only for all, 0 % only for nothing."""
    if share is None:
        return NOTHING
    rounded = round(100 * share, 1)
    if rounded >= 100 and share < 1 - 1e-9:
        rounded = 99.9
    if rounded == 0 and share > 0:
        return "<\xa00.1\xa0%"
    return f"{number_format(rounded, 1)}\xa0%"


@register.filter
def column_of(values: Sequence[float | None], index: int) -> float | None:
    """One value of a row."""
    return values[index]


@register.filter
def plain_number(value: float | None) -> str:
    """For scripts: a point and no grouping, whatever the language; empty for none."""
    return "" if value is None else f"{float(value):.6f}".rstrip("0").rstrip(".")


@register.filter
def both_ends(interval: tuple[float, float] | None, unit: str) -> str:
    """An interval in words."""
    if interval is None:
        return ""
    return _("%(low)s to %(high)s") % {"low": valued(interval[0], unit), "high": valued(interval[1], unit)}


@register.filter
def in_words(value: str | Promise) -> str:
    """Marked words in the reader's language."""
    return str(value)
