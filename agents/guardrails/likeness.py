"""How much a sentence reads like those that turn a model: a linear classifier over words and word pairs. No Django.

The second half of the injection filter, for what no rule names. Trained by `manage.py train_injection` on texts of our
own (`data/injection_training.tsv`) against sentences of real incident descriptions and news; `data/injection.json`
holds the weights and what they are worth. A piece without any of its cue
words is passed over: that is nearly all of most texts, and keeps this cheap.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

FILE: Final = Path(__file__).parent / "data" / "injection.json"
LEAST_WORDS: Final = 3
MOST_WORDS: Final = 60  # of one piece: an order that is longer is looked at in parts
MOST_PIECES: Final = 500  # of one text; an attack behind more is bounded by the contract's size
_ENDS: Final = re.compile(r"[.!?;:\n](?:(?<=\n)\n*|\s+)")  # begins with a set, which is looked for fast
_WORD: Final = re.compile(r"\w+")


class Term(NamedTuple):
    """What a word or a pair that stands once in a piece adds: to the score, and to the square of the piece's length."""

    pull: float
    square: float


@dataclass(frozen=True, slots=True)
class Model:
    """What each known term adds, its inverse document frequency worked in; `threshold` is of the raw score."""

    terms: Mapping[str, Term]
    firsts: Mapping[str, frozenset[str]]  # of known pairs, by the second word: most words end none
    intercept: float
    threshold: float
    cues: frozenset[str]  # words without any of which no piece is looked at

    def score(self, words: list[str]) -> float:
        """The raw score of one piece: TF-IDF with sublinear counts and unit length, as it was trained."""
        terms, firsts = self.terms, self.firsts
        found = [word for word in words if word in terms]
        found += [f"{one} {other}" for one, other in pairwise(words) if other in firsts and one in firsts[other]]
        counts: dict[str, int] = {}
        for term in found:
            counts[term] = counts.get(term, 0) + 1
        total, length = 0.0, 0.0
        for term, count in counts.items():
            pull, square = terms[term]
            if count > 1:
                factor = 1 + math.log(count)
                pull, square = pull * factor, square * factor * factor
            total += pull
            length += square
        return self.intercept + (total / math.sqrt(length) if length else 0.0)


@cache
def stored() -> Model:
    """The model beside this module, read once."""
    held: dict[str, Any] = json.loads(FILE.read_text())
    terms = {term: Term(idf * weight, idf * idf) for term, (idf, weight) in held["terms"].items()}
    firsts: dict[str, set[str]] = {}
    for term in terms:
        first, _, second = term.partition(" ")
        if second:
            firsts.setdefault(second, set()).add(first)
    cues = frozenset(term for term, (_, weight) in held["terms"].items() if weight >= held["cue"] and " " not in term)
    known = {second: frozenset(words) for second, words in firsts.items()}
    return Model(terms, known, held["intercept"], held["threshold"], cues)


def is_alike(plain: str) -> bool:
    """Whether any piece of a lower-case text reads like an attack."""
    model = stored()
    return any(not model.cues.isdisjoint(words) and model.score(words) > model.threshold for words in pieces(plain))


def pieces(plain: str) -> Iterator[list[str]]:
    """The words of each sentence; long ones in parts that overlap by half."""
    found = 0
    for sentence in _ENDS.split(plain):
        words = _WORD.findall(sentence)
        for start in range(0, max(len(words) - MOST_WORDS // 2, 1), MOST_WORDS // 2):
            part = words[start : start + MOST_WORDS]
            if len(part) >= LEAST_WORDS:
                yield part
                found += 1
            if found >= MOST_PIECES:
                return


def terms(words: list[str]) -> list[str]:
    """Words and pairs of neighbours."""
    return [*words, *(f"{one} {other}" for one, other in pairwise(words))]
