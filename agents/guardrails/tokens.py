"""De-identification: tagged data becomes tokens before a call leaves this process, and itself again in the answer.

The mapping lives in this process for the length of one call. Tokens carry a nonce of the call, so that text which only
looks like one (an attacker's "[EMAIL_1]") is never turned into somebody's data. E-mail addresses become addresses in
the reserved domain `.invalid` (RFC 2606), which contracts that ask for an address still take. No Django.
"""

import re
import secrets
from collections.abc import Mapping
from typing import Final

import orjson

from agents.guardrails import detectors
from agents.guardrails.detectors import Span
from agents.guardrails.masking import Report, each_text, mask_text
from agents.types import Json

_ANY: Final = re.compile(r"\[[A-Z_]+_[0-9]+_[0-9a-f]{6}\]|email-[0-9]+-[0-9a-f]{6}@masked\.invalid", re.IGNORECASE)
WHY: Final = "replaced by a token before it leaves this system"


class Tokens:
    """One call's tokens. The same text always gets the same token, so that a model can still tell two people apart."""

    def __init__(self, given: Json, *, keep: frozenset[str] = frozenset()) -> None:
        """`keep`: tags that need no token, because the agent sees them in clear."""
        self._keep = keep
        self._nonce = _nonce(given)
        self._tokens: dict[str, str] = {}
        self.originals: dict[str, str] = {}

    def hide(self, value: Json, report: Report) -> Json:
        """The value with tokens."""

        def change(text: str, place: str) -> str:
            spans = [span for span in detectors.find(text) if span.tag not in self._keep]
            for span in spans:
                report.mask(place, span, WHY)
            return mask_text(text, spans, lambda span: self._token(text, span)) if spans else text

        return each_text(value, change)

    def restore(self, value: Json) -> Json:
        """The value with what the tokens stand for, in whatever case a model wrote them. Unknown tokens stay."""
        if not self.originals:
            return value
        return each_text(value, lambda text, _place: _ANY.sub(self._original, text))

    @property
    def kept(self) -> dict[str, str]:
        """Original: token. No less secret than what it holds."""
        return dict(self._tokens)

    def adopt(self, kept: Mapping[str, str]) -> None:
        """Know the tokens of an earlier attempt of the same call, and go on in them."""
        self._tokens.update(kept)
        self.originals.update({token.lower(): original for original, token in kept.items()})

    def _token(self, text: str, span: Span) -> str:
        original = text[span.start : span.end]
        known = self._tokens.get(original)
        if known is None:
            number = len(self._tokens) + 1
            known = (
                f"email-{number}-{self._nonce}@masked.invalid"
                if span.kind == "email"
                else f"[{span.kind.upper()}_{number}_{self._nonce}]"
            )
            self._tokens[original] = known
            self.originals[known.lower()] = original
        return known

    def _original(self, match: re.Match[str]) -> str:
        return self.originals.get(match[0].lower(), match[0])


def _nonce(given: Json) -> str:
    text = orjson.dumps(given).lower()
    while (nonce := secrets.token_hex(3)).encode() in text or nonce.isdecimal():
        pass  # one that the input holds could be forged; one of digits alone could look like a number
    return nonce
