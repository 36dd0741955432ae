"""Train the injection filter's classifier, and say what it is worth on texts that it has not seen.

What it learns from: our own training texts, the "dev" texts of tests/fixtures/injections.tsv, and one half (by hash)
of the sentences of real incident descriptions and of news. Its threshold is set by cross-validation on those alone, so
that one sentence in a thousand of the background is flagged. The "held" texts and the other halves are for measuring.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from agents.guardrails import likeness

TEXTS: Final = Path(__file__).parent / "data" / "injection_training.tsv"
SEED: Final = 7
STRENGTH: Final = 3.0  # inverse of the regularisation; 30 finds 7 points more and flags six times as many incidents
BACKGROUND: Final = 4_000  # sentences
FLAGGED: Final = 0.0008  # share of the background that may lie above the threshold
COMMON: Final = 2  # texts that a term must occur in
_LIGHT: Final = 0.2  # weight of a background sentence against one of ours


def own(path: Path = TEXTS) -> list[tuple[str, int]]:
    """Our texts with their labels."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return [(text, int(label)) for label, text in (line.split("\t") for line in lines)]


def is_for_training(text: str) -> bool:
    """Which half a background text belongs to."""
    return hashlib.sha256(text.encode()).digest()[0] % 2 == 0


def background(texts: Sequence[str], most: int) -> list[str]:
    """Sentences of the training half, at random."""
    found = sorted({" ".join(words) for text in texts if is_for_training(text) for words in _pieces(text)})
    Random(SEED).shuffle(found)
    return found[:most]


def _pieces(text: str) -> Iterator[list[str]]:
    return likeness.pieces(text.lower())


def train(labelled: Sequence[tuple[str, int]], plain: Sequence[str]) -> dict[str, Any]:
    """What `likeness.FILE` holds, but for the card."""
    texts = [" ".join(word for words in _pieces(text) for word in words) for text, _ in labelled] + list(plain)
    labels = np.array([label for _, label in labelled] + [0] * len(plain))
    weight = np.array([1.0] * len(labelled) + [_LIGHT] * len(plain))
    scores = np.zeros(len(labels))
    for fit, rest in StratifiedKFold(5, shuffle=True, random_state=SEED).split(labels, labels):
        vectors, classifier = _fitted([texts[at] for at in fit], labels[fit], weight[fit])
        scores[rest] = classifier.decision_function(vectors.transform([texts[at] for at in rest]))
    threshold = float(np.quantile(scores[len(labelled) :], 1 - FLAGGED))
    vectors, classifier = _fitted(texts, labels, weight)
    names = vectors.get_feature_names_out()
    idf, weights = vectors.idf_, classifier.coef_[0]
    mine = labels[: len(labelled)] == 1
    by_name = dict(zip(map(str, names), map(float, weights), strict=True))
    last = classifier.decision_function(vectors.transform(texts[: len(labelled)]))
    attacks = [text for text, is_mine, score in zip(texts, mine, last, strict=False) if is_mine and score > threshold]
    return {
        "terms": {
            str(n): [round(float(i), 3), round(float(w), 3)] for n, i, w in zip(names, idf, weights, strict=True)
        },
        "intercept": round(float(classifier.intercept_[0]), 4),
        "threshold": round(threshold, 4),
        # The strongest word of the attack that has the weakest: a piece without any as strong is none of these.
        "cue": round(min(max(by_name.get(word, 0.0) for word in text.split()) for text in attacks) - 0.001, 3),
        "cross_validated": {
            "recall": round(float((scores[: len(labelled)][mine] > threshold).mean()), 3),
            "false_positives_of_ours": round(float((scores[: len(labelled)][~mine] > threshold).mean()), 3),
        },
    }


def _terms(text: str) -> list[str]:
    return likeness.terms(text.split())


def _fitted(texts: Sequence[str], labels: Any, weight: Any) -> tuple[TfidfVectorizer, LogisticRegression]:
    known = Counter(term for text in texts for term in set(_terms(text)))
    vocabulary = sorted(term for term, count in known.items() if count >= COMMON)
    vectors = TfidfVectorizer(analyzer=_terms, sublinear_tf=True, vocabulary=vocabulary)
    classifier = LogisticRegression(C=STRENGTH, max_iter=2000, class_weight="balanced", random_state=SEED)
    return vectors, classifier.fit(vectors.fit_transform(texts), labels, sample_weight=weight)
