"""Draws that nobody can foretell and that come out the same each time: by a hash under the data folder's own key.

A plain hash of a number could be worked out by whoever reads the source; this takes the key.
"""

import hmac
from hashlib import sha256
from typing import Final

from agents.guardrails import keyring

_ALL: Final = 2**64


def rank(*what: object) -> int:
    """A number from 0 to 2**64 - 1 that belongs to these facts (HMAC-SHA256, the first 8 bytes)."""
    text = "\x1f".join(str(one) for one in what)
    return int.from_bytes(hmac.new(keyring.keys()[-1].encode(), text.encode(), sha256).digest()[:8])


def is_drawn(share: float, *what: object) -> bool:
    """Whether these facts are among `share` (0 to 1) of all."""
    return rank(*what) < share * _ALL
