"""Cases as values and as JSONL: one object a line with input, expected, tags and provenance. No Django.

Limits hold while a file is read; a line that cannot be used refuses the whole file with its number.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from agents.types import Json

MOST_BYTES: Final = 20_000_000
MOST_CASES: Final = 20_000
LONGEST_LINE: Final = 200_000
MOST_TAGS: Final = 20
_FIELDS: Final = frozenset({"input", "expected", "tags", "provenance"})
SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A case of a Watchkeeper dataset",
    "type": "object", "required": ["input"], "additionalProperties": False,
    "properties": {
        "input": {"type": "object", "minProperties": 1}, "expected": {"type": "object"},
        "tags": {"type": "array", "maxItems": MOST_TAGS, "items": {"type": "string", "maxLength": 60}},
        "provenance": {"type": "object"},
    },
}  # fmt: skip
_PERSONAL: Final = {
    "email": re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+\.[\w.]{2,}"),
    "phone": re.compile(r"(?<![\w.])\+\d{1,3}[ -]?(?:\(?\d{1,4}\)?[ -]?){2,5}\d{2,4}\b|\b\(?\d{3}\)?[ -]\d{3}-\d{4}\b"),
    "card": re.compile(r"\b(?:\d[ -]?){13,16}\b"),
    "ssn": re.compile(r"\b\d{3}-\d{2}-\d{4}\b"),
}  # fmt: skip


class CasesRefused(ValueError):
    """A file of cases that cannot be taken; the message names the line and the remedy."""


@dataclass(frozen=True, slots=True)
class Case:
    """What an agent is given, what is expected of it, and where that comes from."""

    input: dict[str, Json]
    expected: dict[str, Json] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    provenance: dict[str, Json] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of input and expectation: what makes two cases the same."""
        return _digest([self.input, self.expected])


@dataclass(frozen=True, slots=True)
class Collection:
    """Cases without repetition. `contradicting` counts those left out because an earlier one expects otherwise."""

    cases: tuple[Case, ...]
    dropped: int = 0
    contradicting: int = 0

    @property
    def digest(self) -> str:
        """SHA-256 over the cases' digests, whatever their order."""
        return _digest(sorted(case.digest for case in self.cases))


def collect(cases: Iterable[Case]) -> Collection:
    """Each case once; of several for one input the first counts."""
    found: dict[str, Case] = {}
    dropped = contradicting = 0
    for case in cases:
        key = _digest(case.input)
        if (known := found.setdefault(key, case)) is case:
            continue
        if known.expected == case.expected:
            dropped += 1
        else:
            contradicting += 1
    return Collection(tuple(found.values()), dropped, contradicting)


def read_jsonl(body: bytes) -> Collection:
    """The cases of a file. Raises CasesRefused."""
    if len(body) > MOST_BYTES:
        raise CasesRefused(f"The file has {len(body):,} bytes; at most {MOST_BYTES:,} are taken: split it.")
    return collect(_lines(body))


def _lines(body: bytes) -> Iterator[Case]:
    count = 0
    for number, line in enumerate(body.splitlines(), start=1):
        if not line.strip():
            continue
        count += 1
        if count > MOST_CASES:
            raise CasesRefused(f"The file has more than {MOST_CASES:,} cases: split it.")
        yield _case(line, number)


def _case(line: bytes, number: int) -> Case:
    if len(line) > LONGEST_LINE:
        raise CasesRefused(f"Line {number} has {len(line):,} bytes; at most {LONGEST_LINE:,} are taken.")
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as problem:
        raise CasesRefused(f"Line {number} is not JSON: {problem}.") from None
    if flaw := _flaw(value):
        raise CasesRefused(f"Line {number}: {flaw}.")
    return Case(value["input"], value.get("expected", {}), tuple(value.get("tags", ())), value.get("provenance", {}))


def _flaw(value: Any) -> str:
    if not isinstance(value, dict) or not isinstance(value.get("input"), dict) or not value["input"]:
        return 'must be an object with an "input" object that holds something'
    if unknown := sorted(value.keys() - _FIELDS):
        return f'"{unknown[0]:.40}" is not a field; use {", ".join(sorted(_FIELDS))}'
    if any(not isinstance(value.get(name, {}), dict) for name in ("expected", "provenance")):
        return "expected and provenance must be objects"
    tags = value.get("tags", [])
    if not isinstance(tags, list) or len(tags) > MOST_TAGS or any(not isinstance(tag, str) for tag in tags):
        return f"tags must be at most {MOST_TAGS} texts"
    return "NUL characters cannot be stored" if b"\\u0000" in orjson.dumps(value) else ""


def write_jsonl(cases: Iterable[Case]) -> bytes:
    """The file that `read_jsonl` reads."""
    return b"".join(
        orjson.dumps(
            {"input": case.input, "expected": case.expected, "tags": list(case.tags), "provenance": case.provenance},
            option=orjson.OPT_APPEND_NEWLINE,
        )
        for case in cases
    )


def personal_data(cases: Sequence[Case]) -> dict[str, int]:
    """How many cases hold what looks like personal data, by kind. It knows forms, not names: no proof."""
    found: dict[str, int] = {}
    for case in cases:
        text = orjson.dumps([case.input, case.expected]).decode()
        for kind, pattern in _PERSONAL.items():
            if any(kind != "card" or _is_card(match.group()) for match in pattern.finditer(text)):
                found[kind] = found.get(kind, 0) + 1
    return found


def _is_card(text: str) -> bool:
    """Luhn's check digit, so that ids of thirteen digits are not called cards."""
    digits = [int(sign) for sign in text if sign.isdigit()][::-1]
    total = sum(digits[0::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return total % 10 == 0


def _digest(value: Any) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()
