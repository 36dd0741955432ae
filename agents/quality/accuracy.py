"""Is each claim borne out by the source it names? Held word by word against the sources. No Django.

What it finds: a source that was never given, a quote that does not stand in its source, a number or date that the
source does not have there, a denial that the source does not make, and words that are not in the source. What it
cannot find: a claim that says something else in the words of its source, and a right claim in wholly other words is
called unsupported. It reads words, not meaning.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import log
from typing import Any, Final

from agents.library.text import sentences
from agents.quality.paths import MISSING, at, leaves
from agents.quality.texts import LONGEST, Statement, plain, statement, statements, tokens
from agents.quality.types import Claim, Component, Finding, QualitySpec

NAME: Final = "accuracy"
SUPPORTED: Final = 0.6  # share of a claim's weighted words that must stand together in its source
AROUND: Final = 300  # characters on each side of a quote that may bear the rest of its claim
WINDOW: Final = 3  # sentences that may support a claim together
MOST_CLAIMS: Final = 100
_MARK = re.compile(r"\[([^\[\]\n]{1,200})\]")
_PLACE = re.compile(r"\b(?:characters?|chars?)\s+(\d+)\s*[-–]\s*(\d+)", re.IGNORECASE)
_MESSAGES: Final = {
    "fabricated": "names a source that the step was not given",
    "unsupported": "is not borne out by the source it names",
    "unsourced": "names no source: unverified",
}

type Sources = Mapping[str, str]


def check(spec: QualitySpec, output: dict[str, Any], sources: Sources, *, weight: float) -> Component:
    """The share of the claims that are verified; an output in which none is found has nothing to show for itself."""
    written = list(claims_in(at(output, spec.claims)))[:MOST_CLAIMS]
    if not written:
        nothing = Finding(NAME, spec.claims, f"{spec.claims or 'The output'} holds no claim that could be verified.")
        return Component(NAME, 0.0, weight, passed=False, findings=(nothing,))
    checked = tuple(judge(claim, sources) for claim in written)
    faults = tuple(
        Finding(NAME, spec.claims, f"{claim.status}: {_MESSAGES[claim.status]}.", claim.text[:500], claim.source[:200])
        for claim in checked
        if claim.status != "verified"
    )
    return Component(NAME, 1 - len(faults) / len(checked), weight, not faults, faults, checked)


def sources_of(given: Mapping[str, Any]) -> dict[str, str]:
    """A step's input as sources: its texts by their paths, its documents by the name they bear as well."""
    found = {path: value for path, value in leaves(dict(given)) if isinstance(value, str) and value.strip()}
    for name, value in given.items():
        for number, item in enumerate(value if isinstance(value, list) else []):
            if isinstance(item, dict):
                text = "\n".join(text for _, text in leaves(item) if isinstance(text, str))
                for label in _labels(item, f"{name}[{number}]"):
                    found.setdefault(label, text)  # a document cannot take another source's name
    return found


def _labels(item: Mapping[str, Any], path: str) -> Iterator[str]:
    yield path
    for name in ("id", "name", "title", "url"):
        if isinstance(item.get(name), str | int) and str(item[name]).strip():
            yield str(item[name])


def claims_in(value: Any) -> Iterator[Claim]:
    """The claims of a list of {claim, source, quote}, or of a text whose sentences name their source in [brackets]."""
    if isinstance(value, str):
        yield from _marked(value)
    for item in value if isinstance(value, list) and value is not MISSING else []:
        if isinstance(item, dict) and (text := item.get("claim") or item.get("text")):
            source = item.get("source") or item.get("url") or item.get("document") or ""
            quote, when = item.get("quote") or "", item.get("retrieved_at") or ""
            yield Claim(str(text)[:2000], str(source)[:500], "", str(quote)[:5000], retrieved_at=str(when)[:40])
        elif isinstance(item, str) and item.strip():
            yield from _marked(item)


def _marked(text: str) -> Iterator[Claim]:
    for sentence in sentences(text[:LONGEST]):
        marks = _MARK.findall(sentence.text)
        words = _MARK.sub("", sentence.text).strip()
        if words.strip(" .") and not words.startswith("#"):
            for mark in marks or [""]:
                yield Claim(words[:2000], mark.strip(), "")


def judge(claim: Claim, sources: Sources) -> Claim:
    """The same claim with its status and the place that supports it best."""
    if not claim.source:
        return _with(claim, "unsourced")
    text = find_source(claim.source, sources)
    if text is None:
        return _with(claim, "fabricated")
    text = text[:LONGEST]
    return _judge_quote(claim, text) if claim.quote else _judge_words(claim, text)


def find_source(name: str, sources: Sources) -> str | None:
    """The text of the source of that name; "report, page 3" and "report#3" name the report."""
    wanted = plain(name).strip()
    for known, text in sources.items():
        if plain(known).strip() == wanted:
            return text
    beginnings = [known for known in sources if re.match(rf"{re.escape(plain(known).strip())}[\s,:;#(§]", wanted)]
    return sources[max(beginnings, key=len)] if beginnings else None


def _judge_quote(claim: Claim, text: str) -> Claim:
    """A quote must stand in the source word for word, where it says it stands, and bear on the claim."""
    quote = re.sub(r"\s+", r" ", plain(claim.quote)).strip(' "')
    match = re.search(r"\s+".join(map(re.escape, quote.split(" "))), plain(text)) if quote else None
    if match is None:
        return _with(claim, "unsupported")
    place = _PLACE.search(claim.source)
    stated = plain(text[int(place[1]) : int(place[2])]) if place else ""
    if place and re.sub(r"\s+", " ", stated).strip(' "') != quote:
        return _with(claim, "unsupported", match.start(), match.end())
    start, end = (int(place[1]), int(place[2])) if place else match.span()
    # What surrounds the quote may bear the rest of the claim: the names that it stands for with "it".
    around = text[max(0, start - AROUND) : end + AROUND]
    share = _share(tokens(claim.text), tokens(around), {})
    fits = share >= SUPPORTED and _same_figures(statement(claim.text), [statement(around)])
    return _with(claim, "verified" if fits else "unsupported", start, end, share)


def _judge_words(claim: Claim, text: str) -> Claim:
    """The best one to three sentences in a row must hold most of its words, all its figures, and deny as it does."""
    said, wanted, source = statement(claim.text), tokens(claim.text), _read(text)
    best: tuple[bool, float, int] = (False, 0.0, 0)
    place = (0, 0)
    for window, present in source.windows:
        share = _share(wanted, present, source.rarity)
        if share < SUPPORTED and best[0]:
            continue
        agrees = share >= SUPPORTED and _same_figures(said, window) and _denies_alike(said, window)
        start, end = window[0].start, window[-1].end
        if (found := (agrees, round(share, 3), start - end)) > best:
            best, place = found, (start, end)
    return _with(claim, "verified" if best[0] else "unsupported", *place, best[1])


@dataclass(frozen=True, slots=True)
class _Source:
    """A source taken apart once for all claims: one to three sentences in a row with their words, and rare words."""

    windows: tuple[tuple[list[Statement], frozenset[str]], ...]
    rarity: dict[str, float]


@lru_cache(maxsize=8)
def _read(text: str) -> _Source:
    known = statements(text)
    present = [tokens(one.text) for one in known]
    windows = tuple(
        (known[first : first + size], frozenset().union(*present[first : first + size]))
        for first in range(len(known))
        for size in range(1, min(WINDOW, len(known) - first) + 1)
    )
    return _Source(windows, _rarity(present))


def _rarity(present: list[frozenset[str]]) -> dict[str, float]:
    """Inverse sentence frequency: a name says more of what a claim is about than "system"."""
    counts = Counter(word for words in present for word in words)
    return {word: 1 + log(max(1, len(present)) / count) for word, count in counts.items()}


def _share(wanted: frozenset[str], present: frozenset[str], rarity: Mapping[str, float]) -> float:
    most = max(rarity.values(), default=1.0)
    total = sum(rarity.get(word, most) for word in wanted)
    return sum(rarity.get(word, most) for word in wanted & present) / total if total else 0.0


def _same_figures(said: Statement, window: list[Statement]) -> bool:
    values = {item.value for one in window for item in one.quantities}
    days = {day for one in window for day in one.dates}
    return {item.value for item in said.quantities} <= values and said.dates <= days


def _denies_alike(said: Statement, window: list[Statement]) -> bool:
    nearest = max(window, key=lambda one: len(one.words & said.words))
    opposed = any(nearest.kinds.get(group, word) != word for group, word in said.kinds.items())
    return nearest.denied == said.denied and not opposed


def _with(claim: Claim, status: str, start: int | None = None, end: int | None = None, support: float = 0.0) -> Claim:
    return Claim(
        claim.text, claim.source, status, claim.quote, start, end, round(support, 3), retrieved_at=claim.retrieved_at
    )
