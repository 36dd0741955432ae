"""What the content agents compute: key facts, an extractive draft, readability, and claims that must not be made."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from agents.library.summary import rank
from agents.library.text import Sentence, is_quote, sentences

type FactKind = Literal["number", "quotation", "attribution", "statement"]

HEADLINE_LIMIT = 90  # characters
_NUMBER = re.compile(
    r"(?<![\w.])\$?\d[\d,]*(?:\.\d+)?(?:\s?(?:per cent|percent|%|million|billion|thousand))?", re.IGNORECASE
)
_QUOTATION = re.compile(r"[\"“][^\"”]{15,}[\"”]")
_ATTRIBUTION = re.compile(r"\b(?:says?|said|told|announced|confirmed|according to|warned|denied)\b", re.IGNORECASE)
# Absolute promises, superlatives and hype that nobody can prove; an editor may keep one on purpose.
_BANNED = re.compile(
    r"\b(?:guarantee[sd]?|100\s?(?:%|per cent)\s(?:safe|secure|effective)|risk[- ]free|miracle|"
    r"(?:the )?world'?s (?:best|first|leading)|"
    r"best ever|never fails?|always works|proven to|scientifically proven|cures?|breakthrough|"
    r"revolutionary|game[- ]chang\w+|"
    r"unprecedented|everyone knows|no doubt|undoubtedly)\b",
    re.IGNORECASE,
)
_VOWELS = re.compile(r"[aeiouy]+")


@dataclass(frozen=True, slots=True)
class Fact:
    """A verbatim sentence worth keeping, and what makes it so."""

    sentence: Sentence
    kind: FactKind
    weight: float


@dataclass(frozen=True, slots=True)
class Readability:
    """Flesch reading ease (0 hard, 100 easy) with syllables counted by vowel groups, and the lengths behind it."""

    ease: float
    words: int
    sentences: int


@dataclass(frozen=True, slots=True)
class Finding:
    """Something an editor must look at: the words, and what is wrong with them."""

    rule: Literal["banned_claim", "unsupported_number", "not_in_source"]
    text: str
    advice: str


def key_facts(source: str, limit: int = 8) -> list[Fact]:
    """The most central sentences that carry a number, a quotation or an attribution, in their order in the text."""
    found = sentences(source)
    scores = rank(found)
    facts = [
        Fact(sentence, _kind(sentence.text), score * _worth(sentence.text))
        for sentence, score in zip(found, scores, strict=True)
    ]
    best = sorted(facts, key=lambda fact: (-fact.weight, fact.sentence.start))[:limit]
    return sorted(best, key=lambda fact: fact.sentence.start)


def headline(source: str, limit: int = HEADLINE_LIMIT) -> str:
    """The first sentence, cut at the last clause or word that fits; always a verbatim beginning of it."""
    found = sentences(source)
    lead = found[0].text.rstrip(".") if found else ""
    if len(lead) <= limit:
        return lead
    head = lead[: limit + 1]
    clause = max(head.rfind(mark) for mark in (", ", "; ", " - ", " as ", " after ", " while ", " because "))
    return head[:clause] if clause >= limit // 2 else head[: head.rfind(" ")]


def brief(facts: Sequence[Sentence], word_limit: int) -> list[Sentence]:
    """The facts in order for as long as they fit; always at least one."""
    kept: list[Sentence] = []
    total = 0
    for fact in facts:
        length = len(fact.text.split())
        if kept and total + length > word_limit:
            continue
        kept.append(fact)
        total += length
    return kept


def readability(text: str) -> Readability:
    """How easy `text` is to read."""
    spoken = re.findall(r"[A-Za-z']+", text)
    if not spoken:
        return Readability(0.0, 0, 0)
    count = max(1, len(sentences(text)))
    syllables = sum(_syllables(word) for word in spoken)
    ease = 206.835 - 1.015 * len(spoken) / count - 84.6 * syllables / len(spoken)
    return Readability(round(max(0.0, min(100.0, ease)), 1), len(spoken), count)


def findings(copy: str, source: str) -> list[Finding]:
    """Every banned claim, number without support and sentence that is not in the source."""
    banned = [
        Finding("banned_claim", match.group(), "remove it or name who says it") for match in _BANNED.finditer(copy)
    ]
    known = {_digits(number) for number in _NUMBER.findall(source)}
    loose = [number.strip() for number in _NUMBER.findall(copy) if _digits(number) not in known]
    numbers = [Finding("unsupported_number", number, "the source does not give this number") for number in loose]
    foreign = [
        Finding("not_in_source", sentence.text, "no sentence of the source says this word for word")
        for sentence in sentences(copy)
        if not is_quote(source, sentence.text.rstrip("."))
    ]
    return [*banned, *numbers, *foreign]


def word_limit_of(note: str, usual: int) -> int:
    """The length a reviewer asks for: "at most 60 words", "shorter", "longer"; `usual` if the note names none."""
    lower = note.lower()
    if match := re.search(r"(\d{2,3})\s*words", lower):
        return max(15, int(match.group(1)))
    if re.search(r"\b(?:short(?:er|en)|cut|trim|tight)", lower):
        return usual // 2
    return usual * 2 if re.search(r"\b(?:longer|more detail|expand)", lower) else usual


def _kind(text: str) -> FactKind:
    if _QUOTATION.search(text):
        return "quotation"
    if _NUMBER.search(text):
        return "number"
    return "attribution" if _ATTRIBUTION.search(text) else "statement"


def _worth(text: str) -> float:
    return {"number": 1.5, "quotation": 1.2, "attribution": 1.1, "statement": 1.0}[_kind(text)]


def _digits(number: str) -> str:
    return re.sub(r"[^\d.]", "", number).rstrip(".")


def _syllables(word: str) -> int:
    groups = len(_VOWELS.findall(word.lower()))
    silent = word.lower().endswith("e") and not word.lower().endswith("le") and groups > 1
    return max(1, groups - silent)
