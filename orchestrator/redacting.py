"""Secrets in what is kept, found by their names or by their look, and masked. Used by the event log."""

import re
from typing import Final

from agents.types import Json

MASK: Final = "[masked]"
_SECRET_NAME = re.compile(
    r"(?i)(^|[_\-.])(password|passwd|secret|(api|access|private)[_\-]?key|authorization|cookie)($|[_\-.])"
)
_SECRET_TEXT = re.compile(
    r"""
    \b(?:sk|pk|rk)[-_](?:[a-z0-9]+[-_])*[A-Za-z0-9_\-]{16,}      # OpenAI, Anthropic, Stripe
    | \b(?:AKIA|ASIA)[0-9A-Z]{16}\b                              # AWS access key id
    | \bgh[pousr]_[A-Za-z0-9]{20,} | \bgithub_pat_\w{20,}        # GitHub
    | \bglpat-[\w\-]{20,} | \bxox[abprs]-[\w\-]{10,}             # GitLab, Slack
    | \bAIza[\w\-]{35}                                           # Google
    | \bwk_[A-Za-z0-9]{20,}                                     # our own tokens
    | \beyJ[\w\-]{10,}\.[\w\-]{10,}\.[\w\-]*                     # JSON web token
    | (?i:\bbearer\s+)[A-Za-z0-9._~+/\-]{16,}=*
    | -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----[\s\S]*?(?:-----END[ ][A-Z ]*PRIVATE[ ]KEY-----|$)
    | (?<=://)[^/\s:@]{1,100}:[^/\s@]{1,200}(?=@)                # user:password in an address
    """,
    re.VERBOSE,
)


def redact(value: Json) -> Json:
    """The same JSON with values that are secrets by their name or by their look replaced by a mask."""
    if isinstance(value, str):
        return _SECRET_TEXT.sub(MASK, value).replace("\0", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, list):
        return [redact(item) for item in value]
    if isinstance(value, dict):
        return {name: MASK if _hides(name, item) else redact(item) for name, item in value.items()}
    return value


def _hides(name: str, item: Json) -> bool:
    return isinstance(item, str) and item != "" and _SECRET_NAME.search(name) is not None
