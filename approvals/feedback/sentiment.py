"""A guess at the mood of a text by counted words, with negation: good enough to sort by, never to decide by.

Small lists of our own, English and German: a text without any of the words is neutral. A word that both languages
know counts as it does in either; "nicht gut" and "not good" are both turned round.
"""

import re
from typing import Final

_GOOD: Final = frozenset(
    "good great excellent helpful clear thanks thank perfect correct right fast quick useful happy love nice works "
    "worked accurate pleased satisfied easy friendly solved resolved wonderful amazing appreciate best "
    "gut gute guter gutes guten toll tolle super hervorragend hilfreich hilfreiche klar danke dank perfekt richtig "
    "korrekt schnell schnelle nützlich glücklich freue gefreut zufrieden einfach freundlich freundliche gelöst "
    "funktioniert wunderbar ausgezeichnet bestens lob großartig genau verständlich".split()
)
_BAD: Final = frozenset(
    "bad wrong poor terrible awful useless unhelpful confusing incorrect slow broken angry hate rude fails failed "
    "error mistake disappointed frustrated frustrating unacceptable missing unclear worst misleading false complaint "
    "ridiculous annoying never problem "
    "schlecht schlechte schlechter schlechtes falsch falsche falscher fehler fehlerhaft nutzlos unbrauchbar verwirrend "
    "langsam kaputt wütend ärgerlich verärgert unhöflich enttäuscht enttäuschend frustriert inakzeptabel fehlt unklar "
    "unverständlich irreführend beschwerde lächerlich nervig schrecklich furchtbar mangelhaft katastrophe".split()
)
_NOT: Final = frozenset(
    "not no never isn't wasn't don't doesn't didn't can't cannot won't hardly without "
    "nicht kein keine keiner keinen nie niemals kaum ohne".split()
)
_WORD: Final = re.compile(r"[a-zäöüß']+")
_MOST: Final = 5_000  # characters that are read


def of(text: str, rating: int | None = None) -> str:
    """positive, neutral or negative. A rating says more than words: 1-2 is negative, 4-5 positive."""
    if rating is not None and rating != 3:
        return "negative" if rating < 3 else "positive"
    words = _WORD.findall(text.lower()[:_MOST].replace("\u2019", "'"))
    score = sum(_weight(words, place) for place in range(len(words)))
    return "positive" if score > 0 else "negative" if score < 0 else "neutral"


def _weight(words: list[str], place: int) -> int:
    word = words[place]
    weight = (word in _GOOD) - (word in _BAD)
    negated = any(before in _NOT for before in words[max(0, place - 2) : place])
    return -weight if negated else weight
