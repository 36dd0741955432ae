"""How much a sentence reads like those that turn a model: a linear classifier over words and word pairs. No Django.

The second half of the injection filter, for what no rule names. Trained by `manage.py train_injection` on texts of our
own (`data/injection_training.tsv`) against sentences of real incident descriptions and news; `data/injection.json`
holds the weights and what they are worth. A piece without any of its cue
words is passed over: that is nearly all of most texts, and keeps this cheap.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).parent / "data" / "injection.json"
LEAST_WORDS: Final = 3
MOST_WORDS: Final = 60  # of one piece: an order that is longer is looked at in parts
MOST_PIECES: Final = 500  # of one text; an attack behind more is bounded by the contract's size
_ENDS: Final = re.compile(r"[.!?;:]\s+|\n+")
_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Model:
    """Weights of terms, each with its inverse document frequency worked in; `threshold` is of the raw score."""

    idf: Mapping[str, float]
    weights: Mapping[str, float]
    intercept: float
    threshold: float
    cues: frozenset[str] = frozenset()  # words without any of which no piece is looked at
    seconds: frozenset[str] = frozenset()  # words that end a known pair: others need no look

    def score(self, words: list[str]) -> float:
        """The raw score of one piece: TF-IDF with sublinear counts and unit length, as it was trained."""
        total, length = 0.0, 0.0
        known = self.seconds
        pairs = [f"{one} {other}" for one, other in pairwise(words) if other in known]
        for term, count in Counter([*words, *pairs]).items():
            if (idf := self.idf.get(term)) is not None:
                value = (1 + math.log(count)) * idf
                total += value * self.weights[term]
                length += value * value
        return self.intercept + (total / math.sqrt(length) if length else 0.0)


@cache
def stored() -> Model:
    """The model beside this module, read once."""
    held: dict[str, Any] = json.loads(FILE.read_text())
    idf = {term: pair[0] for term, pair in held["terms"].items()}
    weights = {term: pair[1] for term, pair in held["terms"].items()}
    cues = frozenset(term for term, weight in weights.items() if weight >= held["cue"] and " " not in term)
    seconds = frozenset(term.partition(" ")[2] for term in weights if " " in term)
    return Model(idf, weights, held["intercept"], held["threshold"], cues, seconds)


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
