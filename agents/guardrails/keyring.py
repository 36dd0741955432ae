"""The data keys, newest first: from DATA_KEYS, else from a file in the data folder that is made when first needed.

The newest seals, all of them open. `manage.py rotate_keys` puts a new one in front. Nothing but this module reads them.
"""

import os
import secrets
from base64 import urlsafe_b64encode
from functools import cache
from hashlib import sha256
from hmac import new as hmac
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings

FILE: Final = "data.keys"


@cache
def current() -> MultiFernet:
    """The keys in use by this process."""
    return MultiFernet([Fernet(key) for key in keys()])


def keys() -> list[str]:
    """Newest first."""
    if settings.DATA_KEYS:
        return list(settings.DATA_KEYS)
    path = _path()
    if not path.exists():
        _create(path, [Fernet.generate_key().decode()])
    return path.read_text().split()


def add_key() -> int:
    """Put a new key in front of those in the file; return how many there are. Other processes read it when they start.

    Raises RuntimeError when the environment names the keys: it is theirs to change then.
    """
    if settings.DATA_KEYS:
        raise RuntimeError("DATA_KEYS names the keys; put the new one in front there and start everything anew.")
    known = [Fernet.generate_key().decode(), *keys()]
    new = _path().with_suffix(f".{secrets.token_hex(4)}")
    _create(new, known)
    new.replace(_path())
    current.cache_clear()
    return len(known)


def pseudonym(subject: str) -> str:
    """A person's id as it is kept: a keyed hash (HMAC-SHA256) of it, stable as long as the oldest key is kept."""
    return hmac(keys()[-1].encode(), subject.strip().casefold().encode(), sha256).hexdigest()


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
