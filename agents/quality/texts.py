"""What sentences can be compared by without a language model: words, quantities, dates, denials. No Django."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

from agents.library.text import STOP_WORDS, content_words, sentences

LONGEST: Final = 200_000  # characters of one text that are read
MOST_SENTENCES: Final = 500
_MULTIPLIERS = {"thousand": 1e3, "k": 1e3, "million": 1e6, "m": 1e6, "billion": 1e9, "bn": 1e9}
_SPELLED = {
    word: value
    for value, word in enumerate(
        "one two three four five six seven eight nine ten eleven twelve".split(), start=1
    )
}  # fmt: skip
_MONTHS = {
    month: number
    for number, month in enumerate(
        "january february march april may june july august september october november december".split(), start=1
    )
}  # fmt: skip
_MONTH = "|".join([*_MONTHS, *(name[:3] for name in _MONTHS)])
_DATE = re.compile(
    rf"\b(?P<y>\d{{4}})-(?P<m>\d\d)-(?P<d>\d\d)\b"
    rf"|\b(?P<d2>\d{{1,2}})(?:st|nd|rd|th)? (?P<m2>{_MONTH})\.? (?P<y2>\d{{4}})\b"
    rf"|\b(?P<m3>{_MONTH})\.? (?P<d3>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y3>\d{{4}})\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"(?<![\w.-])(?P<currency>[$€£])?\s?(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    r"(?:\s?(?P<multiple>thousand|million|billion|bn|k|m)\b)?(?:\s?(?P<percent>%|percent\b))?(?:\s(?P<unit>[a-z]+))?"
    rf"|\b(?P<spelled>{'|'.join(_SPELLED)})\s(?P<counted>[a-z]+)",
    re.IGNORECASE,
)
_DENIAL = re.compile(r"\b(?:not?|never|none|without|cannot|neither|nor|no longer)\b|n['’]t\b", re.IGNORECASE)
# Words that exclude each other where the rest of a sentence is the same.
GROUPS: Final[tuple[frozenset[str], ...]] = tuple(
    frozenset(group.split())
    for group in (
        "low medium moderate high critical", "approved rejected denied pending", "accepted refused",
        "increased decreased unchanged", "rose fell", "up down", "passed failed", "open closed", "enabled disabled",
        "yes no", "true false", "compliant noncompliant", "public private confidential", "internal external",
        "encrypted unencrypted", "safe unsafe", "valid invalid", "eligible ineligible", "profit loss",
        "monday tuesday wednesday thursday friday saturday sunday", "supported unsupported", "complete incomplete",
    )
)  # fmt: skip
_GROUP_OF: Final = {word: number for number, group in enumerate(GROUPS) for word in group}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit: a currency sign, "%", the noun that is counted (as a stem), or nothing."""

    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence taken apart. `words` are its content words without numbers, dates, denials and opposites."""

    text: str
    start: int
    end: int
    words: frozenset[str]
    quantities: tuple[Quantity, ...]
    dates: frozenset[date]
    kinds: dict[int, str]  # group of opposites: the word of it that stands here
    denied: bool


def statements(text: str) -> list[Statement]:
    """The sentences of a text with at least two content words, at most MOST_SENTENCES of them."""
    found = (statement(item.text, item.start) for item in sentences(text[:LONGEST])[:MOST_SENTENCES])
    return [one for one in found if len(one.words) >= 2]


def statement(text: str, start: int = 0) -> Statement:
    """One sentence taken apart; `start` is its place in the text it comes from."""
    dates = frozenset(found for match in _DATE.finditer(text) if (found := _date(match)) is not None)
    rest = _DATE.sub(" ", text)
    kinds = {_GROUP_OF[word]: word for word in re.findall(r"[a-z]+", rest.lower()) if word in _GROUP_OF}
    return Statement(
        text=text,
        start=start,
        end=start + len(text),
        words=_plain_words(rest),
        quantities=tuple(quantities(rest)),
        dates=dates,
        kinds=kinds,
        denied=len(_DENIAL.findall(rest)) % 2 == 1,
    )


def quantities(text: str) -> list[Quantity]:
    """The numbers of a text without dates, multiplied out: "4.2 million hosts" is 4,200,000 of "host"."""
    return [_quantity(match) for match in _NUMBER.finditer(text)]


def tokens(text: str) -> frozenset[str]:
    """Content words and numbers: what a claim and its source must share."""
    numbers = {f"{item.value:g}" for item in quantities(_DATE.sub(" ", text))}
    return frozenset(content_words(text)) | numbers | {day.isoformat() for day in dates_in(text)}


def dates_in(text: str) -> frozenset[date]:
    """The days that a text names with year, month and day."""
    return frozenset(found for match in _DATE.finditer(text) if (found := _date(match)) is not None)


def plain(text: str) -> str:
    """One spelling of quotes, dashes, blanks and case, of the same length where characters are only replaced."""
    table = str.maketrans(
        {"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "\u00a0": " ", "\n": " ", "\t": " "}
    )
    return text.translate(table).lower()


def _plain_words(text: str) -> frozenset[str]:
    denials = {"not", "no", "never", "none", "without", "cannot", "neither", "nor"}
    opposites = {stem for word in _GROUP_OF for stem in content_words(word)}
    numbers = {stem for word in (*_SPELLED, *_MULTIPLIERS, "percent") for stem in content_words(word)}
    return frozenset(content_words(text)) - denials - opposites - numbers


def _quantity(match: re.Match[str]) -> Quantity:
    if spelled := match["spelled"]:
        return Quantity(float(_SPELLED[spelled.lower()]), _unit(match["counted"]))
    value = float(match["number"].replace(",", "")) * _MULTIPLIERS.get((match["multiple"] or "").lower(), 1.0)
    if match["currency"]:
        return Quantity(value, match["currency"])
    return Quantity(value, "%" if match["percent"] else _unit(match["unit"]))


def _unit(word: str | None) -> str:
    if not word or word.lower() in STOP_WORDS:
        return ""
    stems = content_words(word)
    return stems[0] if stems else ""


def _date(match: re.Match[str]) -> date | None:
    year, month, day = (match[name] or match[f"{name}2"] or match[f"{name}3"] for name in "ymd")
    number = int(month) if month.isdecimal() else next(n for m, n in _MONTHS.items() if m.startswith(month.lower()[:3]))
    try:
        return date(int(year), number, int(day))
    except ValueError:
        return None
