"""Addresses that are secrets: made once, kept as SHA-256 only, so that nobody reads them out of the database."""

import hashlib
import hmac
import secrets
from typing import Final

from django.conf import settings

LENGTH: Final = 43  # characters of a token: 256 bits


def token() -> str:
    """A new one; unguessable."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is kept of it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def sender(address: str) -> str:
    """An address as a keyed hash, so that the rate limit knows it again and nobody learns it."""
    return hmac.new(settings.SECRET_KEY.encode(), f"feedback {address}".encode(), hashlib.sha256).hexdigest()
