"""Does it contradict earlier steps of the run? Figures, dates, kinds and denials are compared. No Django.

Two sentences are about the same thing when most content words of the shorter one stand in the other too. It finds a
figure of the same unit, a date, a word of a set that excludes the others (high/low, approved/rejected ...) or a denial
that differs there, and fields of the same name with other values. It cannot find a contradiction told in other words
("the server survived" / "all machines were lost"), by calculation, or through what the reader knows.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

from agents.quality.paths import last_name, leaves
from agents.quality.texts import GROUPS, Statement, statements
from agents.quality.types import Component, Finding, QualitySpec

NAME: Final = "consistency"
ALIKE: Final = 0.6
ALIKE_FOR_DENIAL: Final = 0.75
TOLERANCE: Final = 0.005  # relative: what rounding makes of a figure
MOST: Final = 50
MOST_COMPARED: Final = 200  # sentences of the output, and of each earlier step
MOST_EARLIER: Final = 1_000  # sentences of all earlier steps
# Names under which every step keeps a value of its own.
_OWN: Final = frozenset(
    (
        "confidence score id key name title status text summary description note reason message version attempt count "
        "total index rank position rounds start end length tokens cost seconds duration created_at updated_at at url "
        "support weight probability temperature"
    ).split()
)


def check(spec: QualitySpec, output: dict[str, Any], earlier: Mapping[str, Any], *, weight: float) -> Component:
    """1 without a contradiction; each one halves what is left."""
    found = [*_fields(spec, output, earlier), *_sentences(output, earlier)][:MOST]
    return Component(NAME, 0.5 ** len(found), weight, not found, tuple(found))


def _fields(spec: QualitySpec, output: dict[str, Any], earlier: Mapping[str, Any]) -> Iterator[Finding]:
    facts = {name.casefold() for name in spec.facts}
    mine = [(path, value) for path, value in leaves(output) if "[" not in path and value is not None]
    for step, said in earlier.items():
        theirs: dict[str, list[tuple[str, Any]]] = {}
        for path, value in leaves(said):
            if "[" not in path and value is not None:
                theirs.setdefault(last_name(path), []).append((path, value))
        for path, value in mine:
            name = last_name(path)
            for other_path, other in theirs.get(name, ()):
                if (name in facts or name not in _OWN) and (how := differs(value, other, named=name in facts)):
                    message = f"{how}: {path} is {_short(value)}, but {step}.{other_path} is {_short(other)}."
                    yield Finding(NAME, path, message, _short(value), step, _short(other))


def differs(value: Any, other: Any, *, named: bool) -> str:
    """How two values of one field exclude each other: "figure", "date", "kind", "yes and no", or "" if they do not.

    Free texts under one name differ without contradiction, so they count only where the author has `named` the field.
    """
    if isinstance(value, bool) or isinstance(other, bool):
        return "yes and no" if isinstance(value, bool) and isinstance(other, bool) and value != other else ""
    if isinstance(value, int | float) and isinstance(other, int | float):
        return "" if _near(value, other) else "figure"
    if not isinstance(value, str) or not isinstance(other, str):
        return ""
    left, right = value.strip().casefold(), other.strip().casefold()
    if left == right:
        return ""
    if (day := _day(left)) and (other_day := _day(right)):
        return "date" if day != other_day else ""
    excluding = any(left in group and right in group for group in GROUPS)
    return "kind" if excluding or named else ""


def _sentences(output: dict[str, Any], earlier: Mapping[str, Any]) -> Iterator[Finding]:
    mine, left = _said(output), MOST_EARLIER
    for step, said in earlier.items():
        theirs = [other for _, other in _said(said)][:left]
        left -= len(theirs)
        for path, one in mine:
            for other in theirs:
                if one.text != other.text and (how := contradiction(one, other)):
                    message = f"{how}: says other than {step} about the same thing."
                    yield Finding(NAME, path, message, one.text[:500], step, other.text[:500])


def contradiction(one: Statement, other: Statement) -> str:
    """How two sentences about the same thing exclude each other, or ""."""
    alike = len(one.words & other.words) / min(len(one.words), len(other.words))
    if alike < ALIKE or len(one.words & other.words) < 2:
        return ""
    if _other_figure(one, other):
        return "figure"
    if one.dates and other.dates and not one.dates & other.dates:
        return "date"
    if any(other.kinds.get(group, word) != word for group, word in one.kinds.items()):
        return "kind" if one.denied == other.denied else ""  # "not high" and "low" may both be true
    return "denial" if one.denied != other.denied and alike >= ALIKE_FOR_DENIAL else ""


def _other_figure(one: Statement, other: Statement) -> bool:
    for mine in one.quantities:
        same_unit = [theirs.value for theirs in other.quantities if theirs.unit == mine.unit]
        if same_unit and mine.unit and not any(_near(mine.value, value) for value in same_unit):
            return True
    return False


def _near(value: float, other: float) -> bool:
    return abs(value - other) <= TOLERANCE * max(abs(value), abs(other))


def _said(value: Any) -> list[tuple[str, Statement]]:
    found = [
        (path, one)
        for path, text in leaves(value)
        if isinstance(text, str) and " " in text.strip()
        for one in statements(text)
    ]
    return found[:MOST_COMPARED]


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def _short(value: Any) -> str:
    return str(value)[:200]
