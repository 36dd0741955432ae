"""What may be shown of a text that is still being written: masked, and nothing that could still become a secret.

A secret is known by its whole form, so whoever masks what is there so far shows the beginning of one. Here the word
under way is held back, and figures for as long as they may go on. No Django.
"""

import re
from typing import Final

from agents.guardrails import credentials, detectors
from agents.guardrails.masking import mask_text

LONGEST: Final = 4_000  # characters shown: the newest
_LOOKED_AT: Final = 2 * LONGEST  # so that what the shown part begins with has its surroundings
_BETWEEN: Final = ' \n\t\r"'  # ends a word; JSON, which models write, need not have spaces
# Groups of figures and capitals, as cards, accounts and telephone numbers are written: the next group may follow.
_GROUPS_UNDER_WAY: Final = re.compile(r"(?:(?<![^\s\"])(?=[A-Z0-9().+\-/]*[0-9])[A-Z0-9().+\-/]{1,40}\s{1,3}){1,12}\Z")


def shown(text: str) -> str:
    """The newest words of `text` that may be shown while it grows."""
    settled = _settled(text[-_LOOKED_AT:])
    plain = credentials.hidden(settled, credentials.find(settled))
    masked = mask_text(plain, detectors.find(plain))
    return masked if len(masked) <= LONGEST else masked[-LONGEST:].partition(" ")[2]


def _settled(text: str) -> str:
    whole = text[: max(text.rfind(mark) for mark in _BETWEEN) + 1]
    return _GROUPS_UNDER_WAY.sub("", whole)
