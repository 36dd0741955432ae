"""What a text names that a machine can look up: CVE, OWASP, NIST and ATT&CK ids, and indicators of compromise.

Addresses are written defanged in every output, so that nobody opens one by a click; their place in the source is kept.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal

from agents.library.text import STOP_WORDS

type Kind = Literal[
    "cve",
    "cwe",
    "ghsa",
    "owasp_llm",
    "nist_ai_rmf",
    "attack",
    "atlas",
    "ip",
    "url",
    "domain",
    "email",
    "sha256",
    "sha1",
    "md5",
]

_IDS: tuple[tuple[Kind, str], ...] = (
    ("cve", r"\bCVE-(?:19|20)\d{2}-\d{4,7}\b"),
    ("cwe", r"\bCWE-\d{1,4}\b"),
    ("ghsa", r"\bGHSA(?:-[23456789cfghjmpqrvwx]{4}){3}\b"),
    ("owasp_llm", r"\bLLM(?:0[1-9]|10)\b"),
    ("nist_ai_rmf", r"\b(?:GOVERN|MAP|MEASURE|MANAGE)-[1-6]\.\d{1,2}\b"),
    ("atlas", r"\bAML\.T\d{4}(?:\.\d{3})?\b"),
    ("attack", r"(?<![\w.])T1\d{3}(?:\.\d{3})?\b"),
)
_OBSERVABLES: tuple[tuple[Kind, str], ...] = (
    ("sha256", r"\b[a-fA-F0-9]{64}\b"),
    ("sha1", r"\b[a-fA-F0-9]{40}\b"),
    ("md5", r"\b[a-fA-F0-9]{32}\b"),
    ("url", r"\bh(?:tt|xx)ps?(?:://|\[://\]|\[:\]//)[^\s<>\"'`)\]]+(?:\][^\s<>\"'`)]*)?"),
    ("email", r"\b[\w.+-]{1,64}(?:@|\[@\])[\w-]+(?:(?:\.|\[\.\])[\w-]+)+\b"),
    ("ip", r"(?<![\d.])(?:\d{1,3}(?:\.|\[\.\])){3}\d{1,3}(?![\d.]*\d)"),
    # A bare domain only with a suffix that file names, code and versions do not use.
    (
        "domain",
        r"(?<![\w@/.-])(?:[A-Za-z0-9-]{2,63}(?:\.|\[\.\])){1,4}(?:com|net|org|info|biz|xyz|top|site|online|club|ru|cn)\b(?![\w(])",
    ),
)
_PATTERNS = [
    (kind, re.compile(pattern, re.IGNORECASE if kind in {"cve", "cwe", "url"} else 0))
    for kind, pattern in (*_IDS, *_OBSERVABLES)
]
_VERSION = re.compile(
    r"\b([A-Za-z][\w./-]{1,60}(?: [A-Z][\w./-]{1,40}){0,3})[ ,]+(?:versions?|v\.?|before|prior to|through|up to)\s*"
    r"(?:and including |before |prior to |through |up to |<=? ?)?(v?\d+(?:\.[\dA-Za-z-]+)+)"
)


@dataclass(frozen=True, slots=True)
class Indicator:
    """One thing a text names. `value` is canonical and defanged; `start` and `end` are its place in the source."""

    kind: Kind
    value: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Product:
    """A product with the version that the text ties to it, as written."""

    name: str
    version: str
    quote: str


def indicators(text: str, limit: int = 100) -> list[Indicator]:
    """Everything found, each value once, in order of appearance; a longer find hides those inside it."""
    found: list[Indicator] = []
    taken: list[tuple[int, int]] = []
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            start, end = match.start(), match.end()
            written = match.group().rstrip(".,;:")
            if any(left < end and start < right for left, right in taken) or not _is_real(kind, written):
                continue
            taken.append((start, end))
            found.append(Indicator(kind, _canonical(kind, written), start, start + len(written)))
    first: dict[tuple[Kind, str], Indicator] = {}
    for indicator in sorted(found, key=lambda item: item.start):
        first.setdefault((indicator.kind, indicator.value), indicator)
    return list(first.values())[:limit]


def products(text: str, limit: int = 10) -> list[Product]:
    """Products whose affected versions the text gives."""
    found: dict[tuple[str, str], Product] = {}
    for match in _VERSION.finditer(text):
        name = match.group(1).rsplit(". ", 1)[-1].removeprefix("In ").strip()
        if not _looks_like_a_name(name):
            continue
        found.setdefault((name.lower(), match.group(2)), Product(name, match.group(2), match.group()))
    return list(found.values())[:limit]


def defang(address: str) -> str:
    """An address that no program turns into a link."""
    return re.sub(r"^http", "hxxp", re.sub(r"(?<!\[)([.@])(?!\])", r"[\1]", refang(address)), flags=re.IGNORECASE)


def refang(address: str) -> str:
    """The address as machines write it."""
    plain = address.replace("[.]", ".").replace("[@]", "@").replace("[://]", "://").replace("[:]", ":")
    return re.sub(r"^hxxp", "http", plain, flags=re.IGNORECASE)


def _looks_like_a_name(name: str) -> bool:
    return name.lower() not in STOP_WORDS and (
        not name.islower() or "/" in name or "-" in name or any(character.isdigit() for character in name)
    )


def _canonical(kind: Kind, written: str) -> str:
    if kind in {"cve", "cwe"}:
        return written.upper()
    if kind in {"url", "email", "ip", "domain"}:
        return defang(written)
    return written.lower() if kind in {"sha256", "sha1", "md5"} else written


def _is_real(kind: Kind, written: str) -> bool:
    """Whether it is what it looks like: version numbers resemble addresses, and a machine's own indicates nothing."""
    if kind != "ip":
        return True
    try:
        address = ipaddress.IPv4Address(refang(written))
    except ValueError:
        return False
    return not (address.is_loopback or address.packed[0] == 0)
