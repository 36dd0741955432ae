"""What a page says, without what is random in it: two letters or digits are found in a token sooner or later."""

import re

_TOKENS = re.compile(r'(nonce="|name="csrfmiddlewaretoken" value="|"X-CSRFToken": ")[^"]*')


def without_tokens(page: str, *, besides: str = "") -> str:
    """A page's source without its tokens and nonces, and without one more secret that it holds by right."""
    without = _TOKENS.sub(r"\1", page)
    return without.replace(besides, "") if besides else without
