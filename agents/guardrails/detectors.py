"""Personal, card and health data in text: found by shape and proved by checksum where there is one. No Django.

Digits are looked for once and classified after; e-mail addresses are grown from their @. So the cost is linear in the
text. Names and postal addresses are not found: nothing small enough knows them.
Checksums: Luhn (ISO/IEC 7812-1), IBAN mod 97 (ISO 13616), NHS number mod 11 (NHS Data Dictionary).
"""

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple


class Span(NamedTuple):
    """One find: characters `start` to `end` of a text, what it is, and the data tag that it carries."""

    start: int
    end: int
    kind: str
    tag: str


LEAST: Final = 6  # characters: nothing shorter is any of these
ROUNDS: Final = 20
_MAYBE: Final = re.compile(r"[0-9@](?:[0-9]|(?<=@))")  # two digits or an @; begins with a set, which is looked for fast
_LOCAL: Final = re.compile(r"[A-Za-z0-9._%+\-]{1,64}$")
_DOMAIN: Final = re.compile(r"(?:[A-Za-z0-9\-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9])")
_DIGITS: Final = re.compile(r"(?<![\w.])\+?\(?[0-9](?:[ ().\-]{0,2}[0-9]){6,18}(?![\w])")
_SSN: Final = re.compile(r"(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}")
_PHONE: Final = re.compile(r"\+[0-9](?:[ ().\-]{0,2}[0-9]){7,14}|\(?[0-9]{3}\)?[ .\-]{1,2}[0-9]{3}[ .\-][0-9]{4}")
_IBAN: Final = re.compile(r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_RECORD: Final = re.compile(r"(?i)\b(?:MRN|medical record (?:no\.?|number))[ :#]{1,3}([A-Z0-9\-]{5,14})\b")
_NHS: Final = re.compile(r"(?i)\bNHS (?:no\.?|number)[ :#]{1,3}([0-9]{3}[ \-]?[0-9]{3}[ \-]?[0-9]{4})\b")
_DIAGNOSIS: Final = re.compile(r"\bICD-?10(?:-CM)?[ :#]{1,3}([A-TV-Z][0-9][0-9AB](?:\.[0-9A-Z]{1,4})?)\b")
_BIRTH: Final = re.compile(
    r"(?i)\b(?:DOB|date of birth|born(?: on)?)[ :]{1,3}([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,2}[./][0-9]{1,2}[./][0-9]{4})\b"
)
_NAMES: Final = ("mrn", "medical record", "nhs", "icd", "dob", "born", "birth")  # one stands before each of these
_NAMED: Final = ((_RECORD, "record", "phi"), (_DIAGNOSIS, "diagnosis", "phi"), (_BIRTH, "birth_date", "pii"))
_SPACES: Final = re.compile(r"[^0-9]")


def find(text: str) -> list[Span]:
    """Everything found, in order and without overlaps; of two that overlap the earlier, then the longer.

    What is found is blanked and the rest looked at again: an address that touches another one shows only then.
    """
    if len(text) < LEAST or not _MAYBE.search(text):
        return []
    found: list[Span] = []
    for _round in range(ROUNDS):
        more = _first_of_each(text)
        found += more
        if not more:
            break
        text = _blanked(text, more)
    return sorted(found)


def _blanked(text: str, spans: list[Span]) -> str:
    parts: list[str] = []
    at = 0
    for span in spans:
        parts += (text[at : span.start], " " * (span.end - span.start))
        at = span.end
    return "".join((*parts, text[at:]))


def _first_of_each(text: str) -> list[Span]:
    spans = sorted((span for detect in _DETECTORS for span in detect(text)), key=lambda span: (span.start, -span.end))
    kept: list[Span] = []
    for span in spans:
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept


def _emails(text: str) -> Iterator[Span]:
    at = text.find("@")
    while at >= 0:
        local = _LOCAL.search(text[max(0, at - 64) : at])
        domain = _DOMAIN.match(text, at + 1)
        if local and domain:
            yield Span(at - len(local[0]), domain.end(), "email", "pii")
        at = text.find("@", at + 1)


def _numbers(text: str) -> Iterator[Span]:
    """Runs of digits: a card by its checksum, else a social security number, else a telephone number."""
    for match in _DIGITS.finditer(text):
        written = match[0]
        if is_card(written):
            yield Span(match.start(), match.end(), "card", "pci")
        elif _SSN.fullmatch(written):
            yield Span(match.start(), match.end(), "ssn", "pii")
        elif _PHONE.fullmatch(written):
            yield Span(match.start(), match.end(), "phone", "pii")


def _accounts(text: str) -> Iterator[Span]:
    for match in _IBAN.finditer(text):
        if is_iban(match[0]):
            yield Span(match.start(), match.end(), "iban", "pii")


def _named(text: str) -> Iterator[Span]:
    """What only the word before it tells."""
    lower = text.lower()
    if not any(map(lower.__contains__, _NAMES)):
        return
    for match in _NHS.finditer(text):
        if is_nhs(match[1]):
            yield Span(match.start(1), match.end(1), "nhs_number", "phi")
    for pattern, kind, tag in _NAMED:
        for match in pattern.finditer(text):
            if any(character.isdigit() for character in match[1]):
                yield Span(match.start(1), match.end(1), kind, tag)


_DETECTORS: Final[tuple[Callable[[str], Iterator[Span]], ...]] = (_named, _emails, _numbers, _accounts)


def is_card(written: str) -> bool:
    """A payment card number: 13 to 19 digits that begin as issuers' do, and the Luhn checksum."""
    digits = _SPACES.sub("", written)
    if not 13 <= len(digits) <= 19 or digits[0] not in "23456" or written[0] == "+":
        return False
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


def is_iban(written: str) -> bool:
    """An account number whose check digits are right."""
    plain = written.replace(" ", "")
    if not 15 <= len(plain) <= 34:
        return False
    return int("".join(str(int(character, 36)) for character in plain[4:] + plain[:4])) % 97 == 1


def is_nhs(written: str) -> bool:
    """An NHS number: ten digits whose last is the check digit."""
    digits = [int(digit) for digit in _SPACES.sub("", written)]
    check = 11 - sum(weight * digit for weight, digit in zip(range(10, 1, -1), digits, strict=False)) % 11
    return len(digits) == 10 and check % 11 == digits[9] and check != 10
