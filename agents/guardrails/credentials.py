"""Keys, tokens and passwords in what an agent is sent or returns: detect-secrets' patterns behind a cheap first look.

Patterns with a fixed form are sure. High entropy alone is not: hashes, ids and file names have it too, so it counts
only as text that mixes cases and digits, and is masked rather than refused. No Django.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final, NamedTuple

from agents.guardrails.masking import mask_for

LEAST: Final = 16  # characters
ENTROPY: Final = 4.5  # bits a character, detect-secrets' own limit for base64


class Secret(NamedTuple):
    """One find. `is_sure`: its form alone proves it."""

    start: int
    end: int
    kind: str
    is_sure: bool


_RUN: Final = re.compile(r"[A-Za-z0-9+/=_\-.:]{16,}")  # where a token can stand: nothing else is matched against forms
_OWN: Final = (
    ("JSON web token", re.compile(r"eyJ[\w\-]{5,}\.[\w\-]{5,}(?:\.[\w\-]*)?")),
    ("model provider key", re.compile(r"\bsk-(?:ant-|proj-)?[A-Za-z0-9_\-]{20,}")),
    ("Google key", re.compile(r"AIza[\w\-]{35}")),
    ("GitHub token", re.compile(r"github_pat_\w{20,}")),
    ("npm token", re.compile(r"npm_[A-Za-z0-9]{36}")),
    ("Watchkeeper token", re.compile(r"wk_[A-Za-z0-9]{20,}")),
)
# What needs its surroundings: looked for only where the hint, in lower case, stands in the text.
_AROUND: Final = (
    (
        "private key",
        ("private key",),
        re.compile(r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z ]{0,20}PRIVATE KEY(?: BLOCK)?-----|\Z)"),
    ),
    ("password in an address", ("://",), re.compile(r"://[^\s/:@?#]{1,100}:([^\s/@]{1,200})@")),
    (
        "AWS secret key",
        ("aws",),
        re.compile(r"(?i)aws.{0,20}?(?:key|pwd|pw|password|pass|token).{0,20}?[\"']([0-9a-z/+]{40})[\"']"),
    ),
    (
        "secret by its name",
        ("key", "secret", "token", "passw"),
        re.compile(
            r"(?i)(?<![a-z])(?:api[_\- ]?key|secret(?:[_-]?(?:access[_-]?)?key)?|access[_-]?token|auth[_-]?token|passwo?r?d)"
            r"[\"']?\s{0,3}[:=]\s{0,3}[\"']?([A-Za-z0-9+/_\-.!@#$%^&*]{12,})"
        ),
    ),
)  # fmt: skip
_WORD: Final = re.compile(r"[A-Za-z0-9+/_\-]{32,128}={0,2}")


def find(text: str) -> list[Secret]:
    """Every secret, in order and without overlaps: of two that overlap the sure one, then the earlier."""
    if len(text) < LEAST:
        return []
    found = [*_in_runs(text), *_by_surroundings(text)]
    if not found:
        return []
    kept: list[Secret] = []
    for secret in sorted(found, key=lambda one: (not one.is_sure, one.start, -one.end)):
        if all(secret.start >= other.end or secret.end <= other.start for other in kept):
            kept.append(secret)
    return sorted(kept)


def _in_runs(text: str) -> Iterator[Secret]:
    if max(map(len, text.split()), default=0) < LEAST:  # takes half of what the runs do
        return
    for run in _RUN.finditer(text):
        word, at = run[0], run.start()
        for kind, pattern in (*_OWN, *_patterns()):
            for match in pattern.finditer(word):
                yield Secret(at + match.start(), at + match.end(), kind, is_sure=True)
        if len(word) >= 32:
            yield from _by_entropy(word, at)


def _by_surroundings(text: str) -> Iterator[Secret]:
    lower = text.lower()
    for kind, hints, pattern in _AROUND:
        if any(hint in lower for hint in hints):
            for match in pattern.finditer(text):
                group = pattern.groups
                yield Secret(match.start(group), match.end(group), kind, is_sure=True)


def _by_entropy(word: str, at: int) -> Iterator[Secret]:
    for match in _WORD.finditer(word):
        random = match[0]
        mixed = any(map(str.islower, random)) and any(map(str.isupper, random)) and any(map(str.isdigit, random))
        if mixed and _entropy(random) >= ENTROPY:
            yield Secret(at + match.start(), at + match.end(), "random text", is_sure=False)


def hidden(text: str, found: Sequence[Secret]) -> str:
    """The text with these finds in it masked."""
    for secret in reversed(found):
        text = f"{text[: secret.start]}{mask_for('secret')}{text[secret.end :]}"
    return text


def _entropy(word: str) -> float:
    """Shannon entropy in bits a character."""
    size = len(word)
    return -sum(count / size * math.log2(count / size) for count in Counter(word).values())


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    from agents.guardrails import forms  # noqa: PLC0415 - loaded by workers whose agents are screened only

    return forms.patterns()
