"""Names and ids as they may go out. They are no place for secrets; should one stand in one, it ends here."""

from functools import lru_cache
from typing import Final

from agents.guardrails import credentials
from agents.tools import secrets

LONGEST: Final = 200


def clean(text: str) -> str:
    """The text without secrets, and not too long."""
    return _hidden(secrets.mask(text)[:LONGEST])


@lru_cache(maxsize=20_000)  # the same few names, again and again
def _hidden(text: str) -> str:
    return credentials.hidden(text, credentials.find(text))
