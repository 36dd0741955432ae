"""How alike texts are, by their words: what tells that a talk goes round in circles, or away from its topic."""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher

_WORD = re.compile(r"\w+")
_LONG = 4  # letters: shorter words say little of the topic


def similarity(left: str, right: str) -> float:
    """0-1: the share of words that two texts have in common, in their order."""
    one, other = _WORD.findall(left.lower()), _WORD.findall(right.lower())
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def relevance(said: Iterable[str], topic: Iterable[str]) -> float:
    """0-1: the share of the long words of `said` that occur in `topic`; 1 if it has none."""
    words, known = _long_words(said), _long_words(topic)
    return len(words & known) / len(words) if words else 1.0


def _long_words(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in _WORD.findall(text.lower()) if len(word) >= _LONG}
