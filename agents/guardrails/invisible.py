"""Text in characters that no screen shows: Unicode tags, variation selectors, and bits of zero width. No Django.

Tags (U+E0020-E007E) mirror ASCII; a variation selector stands for a byte (U+FE00-FE0F the first 16, U+E0100-E01EF the
others); two characters of zero width stand for bits. All three are published ways to hand a model what its user cannot
see. A flag emoji has six tags and an emoji one selector: so short a run is no text.
"""

import re
from collections.abc import Iterator
from typing import Final

NAME: Final = "invisible characters"
LEAST: Final = 8  # characters hidden
_TAGS: Final = re.compile("[\U000e0020-\U000e007e]{8,}")
_SELECTORS: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{8,}")
_BITS: Final = re.compile("[\u200b-\u200f\u2060-\u2064\ufeff]{64,}")


def read(text: str) -> Iterator[str]:
    """Each text that stands in such characters."""
    for match in _TAGS.finditer(text):
        yield "".join(chr(ord(one) - 0xE0000) for one in match[0])
    for match in _SELECTORS.finditer(text):
        if found := _shown(bytes(map(_byte, match[0]))):
            yield found
    for match in _BITS.finditer(text):
        yield from _from_bits(match[0])


def _byte(selector: str) -> int:
    code = ord(selector)
    return code - 0xFE00 if code <= 0xFE0F else code - 0xE0100 + 16


def _from_bits(run: str) -> Iterator[str]:
    """Two characters as bits, either way round, most significant first."""
    kinds = sorted(set(run))
    if len(kinds) != 2:
        return
    for zero in kinds:
        bits = "".join("0" if one == zero else "1" for one in run)
        whole = len(bits) // 8 * 8
        if found := _shown(int(bits[:whole], 2).to_bytes(whole // 8)):
            yield found


def _shown(raw: bytes) -> str | None:
    try:
        found = raw.decode()
    except UnicodeDecodeError:
        return None
    return found if len(found) >= LEAST and found.isprintable() else None
