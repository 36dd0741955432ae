"""The data keys, newest first: from DATA_KEYS, else from a file in the data folder that is made when first needed.

The newest seals, all of them open. `manage.py rotate_keys` puts a new one in front. Nothing but this module reads them.
"""

import os
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from hmac import new as hmac
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.conf import settings

from agents.errors import SealBroken

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

FILE: Final = "data.keys"


@cache
def current() -> "MultiFernet":
    """The keys in use by this process."""
    from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415 - 6 MB of every worker that seals nothing

    return MultiFernet([Fernet(key) for key in keys()])


def decrypt(token: bytes) -> bytes:
    """What a token holds. Raises SealBroken if no key here has made it."""
    return _opened(current().decrypt, token)


def rotate(token: bytes) -> bytes:
    """The same under the newest key. Raises SealBroken if no key here has made it."""
    return _opened(current().rotate, token)


def _opened(cipher: Callable[[bytes], bytes], token: bytes) -> bytes:
    from cryptography.fernet import InvalidToken  # noqa: PLC0415 - as above

    try:
        return cipher(token)
    except InvalidToken:
        raise SealBroken(problem="none of the data keys here has made it") from None


def keys() -> list[str]:
    """Newest first."""
    if settings.DATA_KEYS:
        return list(settings.DATA_KEYS)
    path = _path()
    if not path.exists():
        _create(path, [_new_key()])
    return path.read_text().split()


def add_key() -> int:
    """Put a new key in front of those in the file; return how many there are. Other processes read it when they start.

    Raises RuntimeError when the environment names the keys: it is theirs to change then.
    """
    if settings.DATA_KEYS:
        raise RuntimeError("DATA_KEYS names the keys; put the new one in front there and start everything anew.")
    known = [_new_key(), *keys()]
    new = _path().with_suffix(f".{secrets.token_hex(4)}")
    _create(new, known)
    new.replace(_path())
    current.cache_clear()
    return len(known)


def pseudonym(subject: str) -> str:
    """A person's id as it is kept: a keyed hash (HMAC-SHA256) of it, stable as long as the oldest key is kept."""
    return hmac(keys()[-1].encode(), subject.strip().casefold().encode(), sha256).hexdigest()


def _new_key() -> str:
    """As Fernet makes its keys: 32 random bytes in URL-safe base64."""
    return urlsafe_b64encode(os.urandom(32)).decode()


def key_of_text(text: str) -> str:
    """A Fernet key from any text, for tests and for those who keep passphrases."""
    return urlsafe_b64encode(sha256(text.encode()).digest()).decode()


def _path() -> Path:
    return Path(settings.DATA_DIR) / FILE


def _create(path: Path, contents: list[str]) -> None:
    """Written whole or not at all, for its owner alone. The first of two processes wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write("\n".join(contents) + "\n")
    try:
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        part.unlink()
