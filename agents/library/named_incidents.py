"""The incidents of genai-incidents that name a company or are of a category, counted and cited."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from agents.library.incidents import DATA_VERSION, Incident, load

SOURCE = f"{DATA_VERSION} (CC BY 4.0)"
SEVERITIES = ("critical", "high", "medium", "low")


@dataclass(frozen=True, slots=True)
class Count:
    """Incidents by severity and by year, and the gravest of them, newest first."""

    total: int
    by_severity: dict[str, int]
    by_year: dict[str, int]
    gravest: tuple[Incident, ...]


@cache
def _all() -> tuple[Incident, ...]:
    return tuple(load())


def naming(aliases: Sequence[str], *, since: str, until: str) -> list[Incident]:
    """Incidents between two dates whose title or affected party has one of the names as whole words."""
    names = re.compile(r"(?<!\w)(?:" + "|".join(re.escape(one) for one in aliases) + r")(?!\w)", re.IGNORECASE)
    return [one for one in _all() if _within(one, since, until) and names.search(f"{one.title}\n{one.affected}")]


def of_categories(categories: Sequence[str], *, since: str, until: str) -> list[Incident]:
    """Incidents between two dates whose attack vector is one of the categories."""
    return [one for one in _all() if one.category in categories and _within(one, since, until)]


def categories() -> frozenset[str]:
    """Every attack vector that the file knows."""
    return frozenset(one.category for one in _all())


def count(incidents: Sequence[Incident], most: int = 5) -> Count:
    """How many there are, how grave, when, and the `most` gravest."""
    grave = sorted(incidents, key=lambda one: one.date, reverse=True)
    grave.sort(key=lambda one: SEVERITIES.index(one.severity) if one.severity in SEVERITIES else len(SEVERITIES))
    return Count(
        total=len(incidents),
        by_severity=dict(Counter(one.severity for one in incidents)),
        by_year=dict(sorted(Counter(one.date[:4] for one in incidents).items())),
        gravest=tuple(grave[:most]),
    )


def _within(incident: Incident, since: str, until: str) -> bool:
    """Dates are ISO texts of differing length; an incident of 2023-04 lies within 2023-04-15 to 2024."""
    return bool(incident.date) and since[: len(incident.date)] <= incident.date and incident.date <= f"{until}~"
