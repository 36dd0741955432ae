"""Words, sentences with their place in the source, and key phrases. Pure; used by every agent of the library."""

import re
from collections import Counter
from dataclasses import dataclass

STOP_WORDS = frozenset(
    (
        "a about above after again against all also allow allowed allowing allows although am an and any are as at "
        "be because been before being below between both but by can could did do does doing down due during each "
        "either else for from further get had has have having he her here hers him his how however i if in into is "
        "it its itself just like made make may me might more most must my no nor not of off on once one only or "
        "other our out over own per said same say says she should so some such than that the their them then there "
        "these they this those through to too two under until up upon use used user users uses using very via was "
        "we were what when where which while who whom why will with within without would you your "
    ).split()
)
_WORD = re.compile(r"[a-z][a-z0-9_+#-]{1,30}")
_PHRASE_BREAK = re.compile(r"[^\w\s'’-]+|\n+")
_PHRASE_WORD = re.compile(r"[A-Za-z][\w'’-]*")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A verbatim piece of the source: `source[start:end] == text`."""

    start: int
    end: int
    text: str


def words(text: str) -> list[str]:
    """Lower-case words of two or more characters that begin with a letter, in order."""
    return _WORD.findall(text.lower())


def content_words(text: str) -> list[str]:
    """`words` without stop words, with the plural's and the verb's commonest endings cut."""
    return [_stem(word) for word in words(text) if word not in STOP_WORDS]


def sentences(text: str) -> list[Sentence]:
    """The sentences of `text` with their offsets; a line break ends a sentence too."""
    import nupunkt  # noqa: PLC0415 - 2 MB of each worker, and few read sentences

    found: list[Sentence] = []
    for line in re.finditer(r"[^\n]+", text):
        for start, end in nupunkt.sent_spans(line.group()):
            piece = line.group()[start:end]
            left = len(piece) - len(piece.lstrip())
            if stripped := piece.strip():
                begin = line.start() + start + left
                found.append(Sentence(begin, begin + len(stripped), stripped))
    return found


def key_phrases(text: str, limit: int = 6) -> list[str]:
    """The phrases between stop words whose words keep the most company (RAKE), best first, as written in the text."""
    candidates = _candidates(text)
    frequency: Counter[str] = Counter()
    degree: Counter[str] = Counter()
    for phrase in candidates:
        for word in phrase:
            frequency[word.lower()] += 1
            degree[word.lower()] += len(phrase)
    scored: dict[str, tuple[float, str]] = {}
    for phrase in candidates:
        score = sum(degree[word.lower()] / frequency[word.lower()] for word in phrase)
        scored.setdefault(" ".join(phrase).lower(), (score, " ".join(phrase)))
    ranked = sorted(scored.values(), key=lambda item: (-item[0], item[1]))
    return [phrase for _, phrase in ranked[:limit]]


def is_quote(source: str, quote: str) -> bool:
    """Whether `quote` stands in `source` word for word (runs of white space count as one)."""
    return bool(quote.strip()) and " ".join(quote.split()) in " ".join(source.split())


def _candidates(text: str) -> list[list[str]]:
    phrases: list[list[str]] = []
    for chunk in _PHRASE_BREAK.split(text):
        phrase: list[str] = []
        for token in [*chunk.split(), ""]:
            if _PHRASE_WORD.fullmatch(token) and token.lower() not in STOP_WORDS:
                phrase.append(token)
                continue
            if 2 <= len(phrase) <= 4:
                phrases.append(phrase)
            phrase = []
    return phrases


def _stem(word: str) -> str:
    for ending in ("ations", "ation", "ings", "ing", "ies", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word.removesuffix(ending)
    return word
