"""Signs what has to prove something outside the database: anchors of the ledger, and evidence that is handed over.

Ed25519, so that whoever checks needs no secret. The private key is named by the setting SIGNING_KEY, `env:NAME` or
`file:/path`; without it, a file in the data folder that is made when first needed. Public keys that were ever used here
are kept in `signing.pub`, one a line, the newest last: what an earlier key has signed still counts.
"""

import os
import secrets
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.conf import settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FILE: Final = "signing.key"
PUBLIC_FILE: Final = "signing.pub"
_SEED_BYTES: Final = 32


class SigningKeyUnusable(Exception):
    """SIGNING_KEY: {problem}; it must name 32 bytes in hexadecimal digits, as env:NAME or file:/path."""

    def __init__(self, problem: str) -> None:
        super().__init__((self.__doc__ or "").format(problem=problem))


def sign(body: bytes) -> tuple[str, str]:
    """The public key and the signature, both in hexadecimal digits."""
    known_keys()  # whoever checks this finds its public key there
    key = _private(_reference())
    return _public_of(key), key.sign(body).hex()


def holds(body: bytes, *, public: str, signature: str) -> bool:
    """Whether one of this installation's keys has signed exactly this."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - 6 MB of every process that signs nothing
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - as above

    if public not in known_keys():
        return False
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(signature), body)
    except (InvalidSignature, ValueError):
        return False
    return True


def public_key() -> str:
    """What checks the signatures that are made now."""
    return _public_of(_private(_reference()))


def known_keys() -> list[str]:
    """Every public key that has signed here, the newest last."""
    newest = public_key()
    path = _folder() / PUBLIC_FILE
    known = path.read_text(encoding="ascii").split() if path.exists() else []
    if newest not in known:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="ascii") as file:
            file.write(f"{newest}\n")
        known.append(newest)
    return known


@cache
def _private(reference: str) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - as above

    try:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(_seed(reference)))
    except ValueError as error:
        raise SigningKeyUnusable(f"{reference} holds no such key") from error


def _public_of(key: "Ed25519PrivateKey") -> str:
    return key.public_key().public_bytes_raw().hex()


def _reference() -> str:
    return settings.SIGNING_KEY or f"file:{_folder() / FILE}"


def _seed(reference: str) -> str:
    kind, _, name = reference.partition(":")
    if kind == "env":
        if not os.environ.get(name):
            raise SigningKeyUnusable(f"the variable {name} is empty")
        return os.environ[name].strip()
    if kind != "file":
        raise SigningKeyUnusable(f"{kind!r} is neither env nor file")
    path = Path(name)
    if not path.exists():
        if settings.SIGNING_KEY:  # a key that somebody named and that is not there must not be made up
            raise SigningKeyUnusable(f"there is no file {name}")
        _create(path)
    return path.read_text(encoding="ascii").strip()


def _folder() -> Path:
    return Path(settings.DATA_DIR)


def _create(path: Path) -> None:
    """Two processes may start at once: the file appears whole or not at all, and the first one stands."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_hex(_SEED_BYTES))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
