"""Other ways to read a text: what stands in it encoded, backwards, in figures for letters, or in letters nobody sees.

A filter that reads only what is written is passed by "vtaber nyy cerivbhf vafgehpgvbaf". Each disguise has a look that
costs a few microseconds and, only if that finds something, a decoder. What comes out is a *reading*, judged as a text
of its own; so a disguise by itself is nothing, but for text in characters that nobody can see. Ciphers with a key,
pictures and words spread over several fields are not read. No Django.
"""

import base64
import binascii
import html
import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote

from agents.guardrails import invisible, lettering

LONG: Final = 16  # characters of a word from which on it may be more than a word
DEEPEST: Final = 2  # disguises in one another
MOST: Final = 24  # readings of one text
MOST_TEXT: Final = 400_000  # characters of all its readings
MOST_RUNS: Final = 40  # encoded words of one text
READABLE: Final = 0.85  # share of letters, spaces and punctuation in what was decoded


class Reading(NamedTuple):
    """What else a text may say, in lower case, and by which disguise."""

    text: str
    disguise: str
    is_unseen: bool = False  # it stood in characters that are not shown


def readings(text: str, plain: str) -> Iterator[Reading]:
    """Every reading of a text; `plain` is it in lower case, without what is hidden. Mostly none."""
    left = MOST_TEXT
    for number, reading in enumerate(_nested(text, plain, 1)):
        left -= len(reading.text)
        if left < 0 or number >= MOST:
            return
        yield reading


def _nested(text: str, plain: str, depth: int) -> Iterator[Reading]:
    seen = {plain}
    for found, disguise in _once(text, plain):
        lower = found.lower()
        if lower in seen or not lower:
            continue
        seen.add(lower)
        yield Reading(lower, disguise, is_unseen=disguise == invisible.NAME)
        if depth < DEEPEST:
            for inner in _nested(found, lower, depth + 1):
                yield inner._replace(disguise=f"{disguise}, {inner.disguise}")


def _once(text: str, plain: str) -> Iterator[tuple[str, str]]:
    """What one disguise hides."""
    if not text.isascii():
        for found in invisible.read(text):
            yield found, invisible.NAME
        for found, name in lettering.latin(plain):
            yield _changed(plain, found), name
    words = plain.split()
    yield from _turned(plain, words)
    if lettering.FIGURES.search(plain):
        yield _changed(plain, lettering.without_figures(plain)), "figures for letters"
    if apart := lettering.joined(plain):
        yield _changed(plain, apart), lettering.APART
    if words and max(map(len, words)) >= LONG:
        yield from _in_long_words(text)
        yield from _unspaced(plain)
    yield from _escaped(text, plain)


def _turned(plain: str, words: list[str]) -> Iterator[tuple[str, str]]:
    """Backwards, or shifted letter by letter: only where a telling word stands so."""
    if not _BACKWARDS.isdisjoint(words):
        yield plain[::-1], "backwards"
        yield " ".join(word[::-1] for word in words), "backwards"
    for name, (telling, table) in _SHIFTED.items():
        if not telling.isdisjoint(words):
            yield plain.translate(table), name


def _escaped(text: str, plain: str) -> Iterator[tuple[str, str]]:
    for sign, hints, decode, name in _ESCAPES:
        if sign in plain and any(hint in plain for hint in hints) and (found := decode(text)) is not None:
            yield found, name


_SENTENCES: Final = re.compile(r"(?<=[.!?;:])\s+|\n+")


def _changed(plain: str, found: str) -> str:
    """The sentences that read otherwise: the others have been judged."""
    old, new = _SENTENCES.split(plain), _SENTENCES.split(found)
    if len(old) != len(new):
        return found
    return "\n".join(other for one, other in zip(old, new, strict=True) if one != other)


# Words that orders to a model need, as they stand in a text that is turned or shifted letter by letter.
_TELLING: Final = (
    *("instructions", "instruction", "ignore", "previous", "prior", "prompt", "prompts", "system", "rules"),
    *("disregard", "forget", "reveal", "password", "passwords", "secret", "secrets", "override", "approve"),
    *("approved", "approval", "assistant", "bypass", "commands", "guidelines", "everything", "restrictions"),
    *("pretend", "confidential", "print", "repeat", "execute", "follow", "developer", "developers", "regardless"),
    *("unrestricted", "context", "conversation", "output"),
)
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz"
_ROT13: Final = str.maketrans(_ALPHABET, _ALPHABET[13:] + _ALPHABET[:13])
_ATBASH: Final = str.maketrans(_ALPHABET, _ALPHABET[::-1])
_BACKWARDS: Final = frozenset(word[::-1] for word in _TELLING)
_SHIFTED: Final = {
    name: (frozenset(word.translate(table) for word in _TELLING), table)
    for name, table in (("rot13", _ROT13), ("atbash", _ATBASH))
}


_RUN: Final = re.compile(r"[A-Za-z0-9+/_\-]{16,}={0,6}")
_BASE32: Final = re.compile(r"[A-Z2-7]{16,}={0,6}")
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2}){8,}")
_BETWEEN: Final = re.compile(r"[_\-./+]+")
_APART: Final = re.compile(r"[a-z]{1,20}(?:[_\-./+][a-z]{1,20}){2,}")


def _in_long_words(text: str) -> Iterator[tuple[str, str]]:
    """Base64, base32 and hexadecimal."""
    parts: list[bytes] = []
    for _, run in zip(range(MOST_RUNS), _RUN.finditer(text), strict=False):
        word = run[0]
        if _HEX.fullmatch(word) and (found := _text(bytes.fromhex(word))):
            yield found, "hexadecimal"
        if _BASE32.fullmatch(word) and (found := _text(_decoded(base64.b32decode, word, 8))):
            yield found, "base32"
        parts.append(_decoded(base64.b64decode, word.replace("-", "+").replace("_", "/"), 4))
        if found := _text(parts[-1]):
            yield found, "base64"
    if len(parts) > 1 and (found := _text(b"".join(parts))):
        yield found, "base64"


def _unspaced(plain: str) -> Iterator[tuple[str, str]]:
    if found := lettering.unspaced(plain):
        yield _changed(plain, found), "words without spaces"
    if _APART.search(plain):
        found = _APART.sub(lambda match: _BETWEEN.sub(" ", match[0]), plain)
        yield _changed(plain, found), "words without spaces"


def _decoded(decode: Callable[[str], bytes], word: str, block: int) -> bytes:
    """The bytes; none where it is no such encoding."""
    bare = word.rstrip("=")
    try:
        return decode(bare + "=" * (-len(bare) % block))
    except (binascii.Error, ValueError):
        return b""


_WORDY: Final = re.compile(r"[\w\s.,;:!?'\"()<>\[\]{}/@#*|=\-]")


def _text(raw: bytes) -> str | None:
    """What was decoded, if people or models could read it."""
    if len(raw) < 8:
        return None
    for encoding in ("utf-8", "utf-16-le") if b"\0" in raw[:8] else ("utf-8",):
        try:
            found = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        letters = sum(map(str.isalpha, found))
        if letters >= len(found) / 2 and len(_WORDY.findall(found)) >= READABLE * len(found):
            return found
    return None


_ESCAPED: Final = re.compile(r"\\x([0-9a-fA-F]{2})|\\u\{?([0-9a-fA-F]{4})\}?|\\([0-7]{3})")
_BYTES: Final = re.compile(r"(?:(?:0x)?[0-9a-fA-F]{2}[\s,:;\-]{1,2}){7,}(?:0x)?[0-9a-fA-F]{2}\b")
_BITS: Final = re.compile(r"(?:[01]{8}[\s,]{0,2}){4,}")
_CODES: Final = re.compile(
    r"(?:(?:3[2-9]|[4-9][0-9]|1[01][0-9]|12[0-6])[\s,;]{1,2}){7,}(?:[3-9][0-9]|1[01][0-9]|12[0-6])\b"
)
_MORSE: Final = re.compile(r"(?:[.\-]{1,5}[ /|]{1,3}){7,}[.\-]{1,5}")
_PAIR: Final = re.compile(r"(?:0x)?([0-9a-fA-F]{2})(?![0-9a-fA-F])")
_MORSE_CODE: Final = (
    ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --.."
)
_SIGNS: Final = dict(zip(_MORSE_CODE.split(), _ALPHABET, strict=True))


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1] or match[2] or match[3], 8 if match[3] else 16)), text)


def _unquoted(text: str) -> str:
    return unquote(text, errors="replace")


def _from_bytes(text: str) -> str | None:
    return _joined(text, _BYTES, lambda run: bytes(int(pair, 16) for pair in _PAIR.findall(run)))


def _from_bits(text: str) -> str | None:
    return _joined(text, _BITS, lambda run: bytes(int(bits, 2) for bits in re.findall(r"[01]{8}", run)))


def _from_codes(text: str) -> str | None:
    return _joined(text, _CODES, lambda run: bytes(map(int, re.findall(r"[0-9]+", run))))


def _from_morse(text: str) -> str | None:
    def decode(run: str) -> bytes:
        words = re.split(r" ?[/|] ?| {2,}", run)
        return " ".join("".join(_SIGNS.get(sign, "") for sign in word.split()) for word in words).encode()

    return _joined(text, _MORSE, decode)


def _joined(text: str, pattern: re.Pattern[str], decode: Callable[[str], bytes]) -> str | None:
    """All runs of an encoding in a text, decoded."""
    found = (_text(decode(match[0])) for _, match in zip(range(MOST_RUNS), pattern.finditer(text), strict=False))
    return "\n".join(filter(None, found)) or None


# What must stand in a text (in lower case) before the decoder is tried: a character, found at once, then one of these.
_ESCAPES: Final[tuple[tuple[str, tuple[str, ...], Callable[[str], str | None], str], ...]] = (
    ("&", ("&#", "&lt;"), html.unescape, "HTML entities"),
    ("%", ("%20", "%6"), _unquoted, "URL encoding"),
    ("\\", ("\\x", "\\u", "\\1"), _unescaped, "escapes"),
    ("0", (" 20 ", "0x20", ",20,", ":20:", "-20-"), _from_bytes, "hexadecimal"),
    ("0", ("0110", "0111"), _from_bits, "binary"),
    ("3", (" 32 ", ",32,", " 32,"), _from_codes, "character codes"),
    ("-", (" -. ", " .-. ", "--. "), _from_morse, "Morse"),
)
