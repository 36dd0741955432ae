"""What speaks for an attack in a report: signals of phishing, malware and insider threat, with their techniques.

A signal is a rule of ours: words that analysts look for, and how much they weigh (0-1). The techniques, their names and
mitigations are MITRE ATT&CK's 18.1. The score is a noisy-or of the signals found: independent reasons add up, none
alone makes certain. It is a rule of thumb, not a calibrated probability.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Final, Literal

from agents.library.text import sentences

type Kind = Literal["phishing", "malware", "insider"]
type Disposition = Literal["attack", "suspicious", "benign"]

ATTACK: Final = 0.75
SUSPICIOUS: Final = 0.35


@dataclass(frozen=True, slots=True)
class Rule:
    """Words that speak for a kind of attack."""

    name: str
    pattern: re.Pattern[str]
    weight: float
    technique: str


@dataclass(frozen=True, slots=True)
class Signal:
    """A rule that matched, and the sentence of the report where: `text[start:end] == quote`."""

    rule: Rule
    quote: str
    start: int
    end: int


def _rule(name: str, words: str, weight: float, technique: str) -> Rule:
    return Rule(name, re.compile(words, re.IGNORECASE), weight, technique)


RULES: Final[dict[Kind, tuple[Rule, ...]]] = {
    "phishing": (
        _rule("names phishing", r"\b(?:spear-?)?phish\w*|\bsmishing\b|\bvishing\b", 0.55, "T1566"),
        _rule(
            "asks for credentials",
            r"credential|password|sign in again|verify your (?:account|identity)",
            0.4,
            "T1598.003",
        ),
        _rule("impersonates somebody", r"impersonat|spoof|lookalike|look-alike|posing as|deepfake", 0.4, "T1656"),
        _rule("writes a digit for a letter", r"[@/.][a-z-]*[a-z][01][a-z][\w-]*\.[a-z]", 0.35, "T1583.001"),
        _rule(
            "presses for time",
            r"\burgent|within \d+ hours|immediately|before (?:noon|today|tonight)",
            0.25,
            "T1566.002",
        ),
        _rule("asks for money", r"wire transfer|invoice|gift cards?|payment|\$\s?\d[\d,]{3,}", 0.25, "T1657"),
        _rule(
            "leads to a link or file",
            r"https?://|hxxps?|\battach(?:ed|ment)|\bclick\b|malicious (?:url|link)",
            0.2,
            "T1204.001",
        ),
        _rule("lures with made-up text", r"\blures?\b|ai-(?:drafted|generated|driven)", 0.2, "T1588.007"),
    ),
    "malware": (
        _rule("names malware", r"\bmalware|trojan|backdoor|\bworm\b|infostealer|\brat\b", 0.55, "T1587.001"),
        _rule("encrypts for ransom", r"ransom\w*|encrypted (?:files|the)", 0.5, "T1486"),
        _rule(
            "comes in a package",
            r"malicious (?:package|code|version)|npm|pypi|supply chain|typosquat",
            0.3,
            "T1195.001",
        ),
        _rule(
            "runs commands",
            r"powershell|cmd\.exe|shell commands?|execut\w+ (?:commands?|code)|command generation",
            0.3,
            "T1059",
        ),
        _rule("stays", r"persisten\w+|scheduled task|registry run|startup folder|compromised", 0.25, "T1547"),
        _rule("steals data", r"exfiltrat\w+|\bsteal(?:s|ing)?\b|stolen|harvest", 0.35, "T1041"),
        _rule("hides", r"obfuscat\w+|evad\w+|evasion|encoded", 0.25, "T1027"),
    ),
    "insider": (
        _rule("names an insider", r"\binsider\b|as an insider|own employee|disgruntled", 0.4, "T1078"),
        _rule(
            "takes a lot", r"bulk (?:download|export)|downloaded \d[\d,]* (?:files|records)|mass export", 0.45, "T1213"
        ),
        _rule(
            "sends it out",
            r"personal (?:e-?mail|account|drive|cloud)|usb (?:stick|drive)|exfiltrat\w+",
            0.45,
            "T1567.002",
        ),
        _rule("is about to leave", r"resign\w+|notice period|last (?:day|week) at|termination", 0.3, "T1078"),
        _rule("works at odd hours", r"at 0?[0-4]:\d\d|outside (?:working|office) hours|at night|weekend", 0.2, "T1078"),
        _rule(
            "covers traces",
            r"clear\w* (?:the )?logs?|disabl\w+ (?:audit|logging)|delet\w+ (?:logs?|traces)|audit log",
            0.4,
            "T1070",
        ),
        _rule(
            "goes beyond the role",
            r"outside (?:her|his|their) role|never (?:used|opened) before|hijack\w*|blackmail",
            0.35,
            "T1078",
        ),
    ),
}


def signals(kind: Kind, text: str) -> list[Signal]:
    """Each rule that matches, once, with the first sentence in which it does."""
    found: list[Signal] = []
    spans = sentences(text)
    for rule in RULES[kind]:
        hit = next((one for one in spans if rule.pattern.search(one.text)), None)
        if hit is not None:
            found.append(Signal(rule, hit.text, hit.start, hit.end))
    return found


def score(found: Sequence[Signal]) -> float:
    """Noisy-or of the weights, 0-1."""
    return round(1 - prod(1 - one.rule.weight for one in found), 3)


def disposition(value: float) -> Disposition:
    """What the score amounts to."""
    return "attack" if value >= ATTACK else "suspicious" if value >= SUSPICIOUS else "benign"
