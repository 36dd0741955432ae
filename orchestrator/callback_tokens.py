"""The secret addresses of `wait_callback` steps: made by signing, kept as a hash.

The same task and serial make the same token in every attempt, so that an address which a lost attempt has handed over
still leads here. It is known by its hash alone: a signing key that changes closes no open address.
"""

import hashlib
import re
from typing import Final

from django.conf import settings
from django.utils.crypto import salted_hmac

_SALT: Final = "orchestrator.callback"
_TOKEN: Final = re.compile(r"cb_[0-9a-z]{1,16}_[0-9a-f]{64}")
_MOST: Final = 1_000  # addresses of one task that are looked through
PLACEHOLDER: Final = "(the secret address of this step)"  # stands for it wherever it is stored or shown


def issue(task: int, serial: int) -> str:
    """The token of a task's address; a new serial makes a new one."""
    signature = salted_hmac(_SALT, f"{task}:{serial}", algorithm="sha256").hexdigest()
    return f"cb_{task:x}_{signature}"


def following(task: int, token_hash: str, *, remembered: int = 0) -> int:
    """The serial after that of the address with this hash: an address that was ever open is never issued again.

    `remembered` is what the task knows of it, for addresses that were signed with another key.
    """
    known = (serial for serial in range(_MOST) if digest(issue(task, serial)) == token_hash)
    return next(known, remembered) + 1


def address(token: str) -> str:
    """The address to which the other side sends what it has to say."""
    return f"{settings.PUBLIC_URL}/api/v1/callbacks/{token}"


def is_well_formed(token: str) -> bool:
    """Whether this could be one of ours: what cannot be is refused without asking the database."""
    return _TOKEN.fullmatch(token) is not None


def digest(token: str) -> str:
    """What is stored of it. 256 bits of signature need no salt and no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()
