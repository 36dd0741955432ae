"""Extractive summaries by LexRank: sentences that most other sentences resemble. Every sentence is a verbatim quote.

sumy's LexRank gives the same ranking (a test compares them) but imports nltk, which imports scikit-learn: 120 MB and
2.5 s in every worker process. These forty lines need numpy alone, and load it when the first text is summarised.
"""

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents.library.text import Sentence, content_words, sentences

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

type Floats = NDArray[np.float64]

_THRESHOLD = 0.1  # two sentences are alike above this cosine
_EPSILON = 1e-4  # the power method stops below this change
_LONGEST = 400  # sentences: bounds the quadratic matrix


@dataclass(frozen=True, slots=True)
class Ranked:
    """A sentence and its centrality, 0-1 relative to the most central one."""

    sentence: Sentence
    score: float


def rank(found: list[Sentence]) -> list[float]:
    """Each sentence's centrality; they sum to 1."""
    if not found:
        return []
    counts = [Counter(content_words(sentence.text)) for sentence in found]
    frequency = Counter(word for count in counts for word in count)
    idf = {word: math.log(len(found) / (1 + number)) for word, number in frequency.items()}
    return [float(score) for score in _stationary(_transitions(counts, idf))]


def summarise(text: str, *, limit: int) -> list[Ranked]:
    """The `limit` most central sentences of `text`, in their original order."""
    found = sentences(text)[:_LONGEST]
    scores = rank(found)
    best = sorted(range(len(found)), key=lambda index: (-scores[index], index))[:limit]
    top = max(scores, default=1.0)
    return [Ranked(found[index], round(scores[index] / top, 4)) for index in sorted(best)]


def _transitions(counts: list[Counter[str]], idf: dict[str, float]) -> Floats:
    import numpy as np

    size = len(counts)
    links = np.zeros((size, size))
    for row in range(size):
        links[row, row] = 1.0
        for column in range(row):
            links[row, column] = links[column, row] = _cosine(counts[row], counts[column], idf) > _THRESHOLD
    totals: Floats = links / links.sum(axis=1, keepdims=True)
    return totals


def _cosine(left: Counter[str], right: Counter[str], idf: dict[str, float]) -> float:
    shared = sum(_weight(left, word, idf) * _weight(right, word, idf) for word in left.keys() & right.keys())
    norm = _norm(left, idf) * _norm(right, idf)
    return shared / norm if norm else 0.0


def _norm(count: Counter[str], idf: dict[str, float]) -> float:
    return math.sqrt(sum(_weight(count, word, idf) ** 2 for word in count))


def _weight(count: Counter[str], word: str, idf: dict[str, float]) -> float:
    return count[word] / max(count.values()) * idf[word]


def _stationary(transitions: Floats) -> Floats:
    import numpy as np

    size = len(transitions)
    scores = np.full(size, 1.0 / size)
    for _ in range(200):
        following: Floats = transitions.T @ scores
        if np.abs(following - scores).sum() < _EPSILON:
            return following
        scores = following
    return scores
