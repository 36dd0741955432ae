"""Packaged documents to be searched: news texts of 2001, and incidents with the reference that reports each.

Both are real and on this machine: the Lee background corpus in gensim (LGPL-2.1, installed with the demo), and
genai-incidents (CC BY 4.0). Nothing is downloaded.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from agents.errors import Permanent
from agents.library.incidents import load, narrative
from agents.library.samples import News
from agents.library.text import Sentence, content_words, sentences

type Collection = Literal["news", "incidents"]


@dataclass(frozen=True, slots=True)
class Document:
    """One text with what identifies it: an id of its collection, and the address where it was published, if known."""

    id: str
    title: str
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Found:
    """A document, how alike it is to what was asked (0-1), and the words they share."""

    document: Document
    score: float
    shared: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """A verbatim sentence of a document, and the share of the question's weight (IDF) whose words stand in it."""

    document: Document
    sentence: Sentence
    coverage: float


class Index:
    """TF-IDF over a collection: word -> [(document, weight)]. Built once in a process, in 2 s for 15,000 documents."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = documents
        counts = [Counter([*content_words(one.title), *content_words(one.text)]) for one in documents]
        frequency = Counter(word for count in counts for word in count)
        self.idf = {word: math.log((1 + len(documents)) / (1 + number)) + 1 for word, number in frequency.items()}
        self._unknown = math.log(1 + len(documents)) + 1
        self._postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for place, count in enumerate(counts):
            weights = {word: (1 + math.log(number)) * self.idf[word] for word, number in count.items()}
            norm = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
            for word, weight in weights.items():
                self._postings[word].append((place, weight / norm))

    def find(self, asked: str, limit: int) -> list[Found]:
        """The `limit` documents most like what was asked, best first: cosine times the share of the words they have."""
        weights = {word: self.idf[word] for word in set(content_words(asked)) if word in self.idf}
        total = sum(weights.values()) or 1.0
        norm = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
        likeness: dict[int, float] = defaultdict(float)
        shared: dict[int, list[str]] = defaultdict(list)
        for word, weight in weights.items():
            for place, own in self._postings[word]:
                likeness[place] += weight * own / norm
                shared[place].append(word)
        scores = {at: value * sum(weights[word] for word in shared[at]) / total for at, value in likeness.items()}
        best = sorted(scores, key=lambda place: (-scores[place], self.documents[place].id))[:limit]
        return [Found(self.documents[at], round(scores[at], 4), tuple(sorted(shared[at]))) for at in best]

    def passages(self, asked: str, found: Sequence[Found], limit: int) -> list[Passage]:
        """The sentences of these documents that say most of what was asked, by their words, best first."""
        weights = {word: self.idf.get(word, self._unknown) for word in set(content_words(asked))}
        total = sum(weights.values()) or 1.0
        every = [
            Passage(one.document, sentence, round(sum(weights[word] for word in weights.keys() & words) / total, 4))
            for one in found
            for sentence in sentences(one.document.text)
            if (words := set(content_words(sentence.text)))
        ]
        return sorted(every, key=lambda passage: -passage.coverage)[:limit]


@cache
def index(collection: Collection) -> Index:
    """This process's index of a collection. Raises Permanent when its documents are not installed."""
    return Index(_news() if collection == "news" else _incidents())


def _news() -> list[Document]:
    news = News()
    if not news.is_available():
        raise Permanent("The news texts are not on this machine; run `uv sync --group demo`.", code="no_documents")
    return [
        Document(f"LEE-{number}", text[:70], text, f"Lee background corpus (gensim), document {number}")
        for number, text in enumerate(news.texts, 1)
    ]


def _incidents() -> list[Document]:
    return [
        Document(one.id, one.title, narrative(one.title, one.description), one.reference or f"genai-incidents {one.id}")
        for one in load()
    ]
