"""Letters that are not what they seem: look-alikes of other scripts, figures for letters, letters and words pushed
apart or together. No Django.

Where a figure may stand for two letters ("1": i or l) and where words have no spaces, the words that the classifier
knows decide (`likeness`).
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Final

from agents.guardrails import likeness

LOOK_ALIKE: Final = "look-alike letters"
APART: Final = "letters apart"
_PAIRS: Final = (
    ("авеёкмнорстухѕіїјһԁԛԝӏьгпѵґ", "abeekmhopctyxsiijhdqwlbrnvr"),  # Cyrillic
    ("αβεηικνορτυχγωζμϲϳςά", "abenikvoptuxywzucjca"),  # Greek
    ("օոսհցզ", "onuhgq"),  # Armenian
    ("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprstuvwyz"),  # small capitals
    ("ɑɩıɡłøđħŧƒɓɗɛɨɳɵʂʈʉʋƙɱ", "aiiglodhtfbdeinostuvkm"),
)
_OTHERS: Final = str.maketrans(
    {one: other for theirs, ours in _PAIRS for one, other in zip(theirs, ours, strict=True)}
    | {chr(base + at): chr(97 + at) for base in (0x1F150, 0x1F170, 0x1F1E6) for at in range(26)}
)
_TURNED: Final = str.maketrans("ɐqɔpǝɟƃɥᴉıɾʞןɯuodbɹsʇnʌʍxʎz", "abcdefghiijklmnopqrstuvwxyz")
_UPSIDE: Final = re.compile("[ɐɔǝɟɥɹʇʌʍʎ]")


def latin(plain: str) -> Iterator[tuple[str, str]]:
    """The text in plain Latin letters, if that is another one: look-alikes, accents, letters upside down."""
    if len(_UPSIDE.findall(plain)) >= 4:
        yield plain.translate(_TURNED)[::-1], "letters upside down"
    bare = unicodedata.normalize("NFD", plain.translate(_OTHERS))
    found = "".join(one for one in bare if not unicodedata.combining(one))
    if found != plain:
        yield found, LOOK_ALIKE


# A figure or sign between two letters. It begins with the figure, so that the search runs over everything else.
FIGURES: Final = re.compile(r"[013457@$!|](?<=[a-z].)(?=[a-z013457@$!|])")
_EITHER: Final = re.compile(r"[1!|]")
_SURE: Final = str.maketrans("0345789@$+€", "oeastbgaste")
_MIXED: Final = re.compile(r"[a-z]")
_ANY: Final = re.compile(r"\S+")


def without_figures(plain: str) -> str:
    """The text with letters where figures stood in words; numbers stay."""
    return _ANY.sub(_spelled, plain)


def _spelled(match: re.Match[str]) -> str:
    word = match[0]
    if word.isalpha() or not _MIXED.search(word):
        return word
    core = word.rstrip(".,;:?\"')]}").lstrip("\"'([{")
    if core.rstrip("!").isalpha():
        return word
    sure = core.translate(_SURE)
    variants = (_EITHER.sub("i", sure), _EITHER.sub("l", sure), _EITHER.sub("i", sure.rstrip("!")))
    known = _known()
    return next((one for one in variants if one in known), variants[0])


_SPACED: Final = re.compile(r"(?:\b\w ){3,}\w\b")
_PERHAPS_SPACED: Final = re.compile(r" \w \w \w \w ")  # is in every such text, and is looked for much faster
_DOTTED: Final = re.compile(r"(?<![a-z0-9])[a-z0-9](?:[._\-*|/~+,:][a-z0-9])+(?![a-z0-9])")
_SIGN: Final = r"[._\-*|/~+,:]"
_PERHAPS_DOTTED: Final = re.compile(rf"{_SIGN}(?<=(?<![a-z])[a-z].)[a-z]{_SIGN}[a-z]{_SIGN}?(?![a-z]{{2}})")
_BETWEEN: Final = re.compile(r"[._\-*|/~+,: ]")
_WIDE: Final = re.compile(r" {2,}|\n")


def joined(plain: str) -> str | None:
    """The text with letters that stand apart put together, if some do: "i g n o r e", "i.g.n.o.r.e"."""
    is_spaced = _PERHAPS_SPACED.search(f" {plain} ") is not None
    is_dotted = _PERHAPS_DOTTED.search(plain) is not None
    if not is_spaced and not is_dotted:
        return None
    found = plain
    if is_dotted:
        found = _DOTTED.sub(lambda match: _BETWEEN.sub("", match[0]), found)
    if is_spaced:
        # Two spaces between words: then each word is known. One everywhere: the run is cut by known words.
        found = " ".join(_SPACED.sub(_together, part) for part in _WIDE.split(found))
    return found if found != plain else None


def _together(match: re.Match[str]) -> str:
    run = match[0].replace(" ", "")
    return cut(run) or run


LONGEST: Final = 20  # letters of a word
MOST_CUT: Final = 400  # letters of one run
MOST_RUNS: Final = 40
_RUN: Final = re.compile(r"[a-z]{16,300}")


def unspaced(plain: str) -> str | None:
    """The text with spaces between known words that had none, if there are any."""
    found = _RUN.sub(lambda match: cut(match[0]) or match[0], plain, count=MOST_RUNS)
    return found if found != plain else None


def cut(run: str) -> str | None:
    """A run of letters as the fewest known words; None where it is not made of them, or is one."""
    if len(run) > MOST_CUT:
        return None
    known = _known()
    best: list[tuple[int, int] | None] = [(0, 0), *([None] * len(run))]  # words so far, where the last one begins
    for end in range(1, len(run) + 1):
        for start in range(max(0, end - LONGEST), end):
            before = best[start]
            if before is None or run[start:end] not in known:
                continue
            now = best[end]
            if now is None or before[0] + 1 < now[0]:
                best[end] = (before[0] + 1, start)
    last = best[-1]
    if last is None or last[0] < 2:
        return None
    words, at = [], len(run)
    while at > 0:
        step = best[at]
        assert step is not None
        words.append(run[step[1] : at])
        at = step[1]
    return " ".join(reversed(words))


@cache
def _known() -> frozenset[str]:
    """Words, without single letters that are none."""
    return frozenset(
        term
        for term in likeness.stored().terms
        if " " not in term and term.isalpha() and (len(term) > 1 or term in "ai")
    )
