"""Clauses of a legal text: found by their words, quoted with their place, rated, and held against a playbook.

A clause is a paragraph of the text, verbatim: `text[clause.start:clause.end] == clause.quote`. Kinds are told by the
words that lawyers use for them; a paragraph may be of several kinds, and one that uses other words is not found. What
share of the text was recognised is therefore part of every answer.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

type Level = Literal["low", "medium", "high"]
type Use = Literal["internal", "hosted", "distribute"]

LONGEST = 1200  # characters of a quote; a longer paragraph is cut at a word
LEVELS: Final[tuple[Level, ...]] = ("low", "medium", "high")

KINDS: Final[Mapping[str, re.Pattern[str]]] = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        "grant": r"\bhereby\s+grants?\b|\bgrants?\s+(?:to\s+)?(?:you|licensee)\b"
        r"|\byou\s+may\s+(?:reproduce|copy|convey)\b|\bpermission\s+to\s+use,\s+copy\b|\bpermitted\s+to\s+copy\b",
        "patent": r"\bpatents?\b",
        "disclosure of source": r"\bsource\s+code\s+form\b|\bcorresponding\s+(?:application\s+)?(?:code|source)\b"
        r"|\bunder\s+the\s+terms\s+of\s+this\s+licen[sc]e\b",
        "attribution": r"\b(?:retain|reproduce|include|give|identify)\b[^.;]{0,120}"
        r"\b(?:copyright|attribution|notices?)\b",
        "trademark": r"\btrade\s?marks?\b|\btrade\s+names?\b|\bservice\s+marks?\b",
        "warranty": r"\bas[\s-]is\b|\bwarrant(?:y|ies)\b",
        "liability": r"\bliab(?:le|ility)\b|\bin\s+no\s+event\b",
        "indemnity": r"\bindemnif\w+|\bhold\s+\w+(?:\s+\w+)?\s+harmless\b",
        "termination": r"\bterminat\w+",
        "governing law": r"\bgoverned\s+by\s+(?:and\s+[^.;]{0,40})?(?:the\s+)?(?:\w+\s+){0,4}laws?\b"
        r"|\bjurisdiction\s+(?:where|of)\b|\blaws?\s+of\s+the\s+(?:state|commonwealth|country)\b",
        "acceptance": r"\bby\s+(?:clicking|copying|installing|using|exercising|accessing)\b"
        r"[^.]{0,160}\b(?:agrees?|accepts?)\b",
        "definitions": r"[\"“][^\"”]{1,60}[\"”]\s*(?:\([^)]{0,40}\)\s*)?"
        r"(?:shall\s+mean|means?|refers?\s+to|is\s+(?:a|any|the)\b)"
        r"|\bas\s+used\s+herein\b",
        "parties": r"\bagreement\s+is\s+(?:made\s+)?(?:by\s+and\s+)?between\b|\bis\s+entered\s+into\s+(?:by|between)\b",
        "passing on": r"\b(?:convey|distribut|sublicen[sc]|accompany)\w*\b"
        r"[^.]{0,160}\b(?:licen[sc]e|work|software|library|copy)\b"
        r"|\bderivative\s+works?\b|\blarger\s+work\b|\bmodified\s+(?:files|versions?)\b",
        "contributions": r"\bcontributions?\b[^.]{0,120}\b(?:submit|represents?|original\s+creation|licens)\w*",
        "versions": r"\b(?:new|revised|later|subsequent|modified)\b[^.]{0,40}\bversions?\s+of\s+(?:the|this)\b"
        r"|\blicen[sc]e\s+steward\b|\bversion\s+number\b",
        "general provisions": r"\bentire\s+agreement\b|\bcomplete\s+agreement\b|\bseverab\w+"
        r"|\b(?:unenforceable|invalid)\b"
        r"|\bwaiver\b|\bcounterparts\b",
        "confidentiality": r"\bconfidential\w*|\bnon-?disclosure\b|\btrade\s+secrets?\b",
        "payment": r"\b(?:fees?|invoices?|price|remuneration)\b[^.]{0,120}\b(?:pay|paid|payable|due|days)\b"
        r"|\blate\s+payment\b",
        "term": r"\b(?:initial|renewal)\s+term\b|\brenews?\s+automatically\b|\bautomatically\s+renew\w*"
        r"|\bterm\s+of\s+this\s+agreement\b|\bcommences?\s+on\b",
        "data protection": r"\bpersonal\s+data\b|\bdata\s+protection\b|\bdata\s+subjects?\b|\bGDPR\b",
        "assignment": r"\b(?:assign|transfer)\w*\b[^.]{0,80}\b(?:agreement|rights|obligations)\b[^.]{0,80}\bconsent\b",
        "events beyond control": r"\bbeyond\s+(?:its|their|the)\s+reasonable\s+control\b"
        r"|\bforce\s+majeure\b|\bacts?\s+of\s+god\b",
        "disputes": r"\barbitrat\w+|\bmediation\b|\bdisputes?\b[^.]{0,80}\b(?:court|settle|resol)\w*",
        "notices": r"\bnotices?\b[^.]{0,80}\b(?:in\s+writing|written|delivered|sent|addressed)\b",
        "audit": r"\baudit\w*|\binspect\w*\b[^.]{0,40}\b(?:records|books)\b",
        "service levels": r"\bservice\s+levels?\b|\bavailability\s+of\b[^.]{0,30}%|\buptime\b|\bservice\s+credits?\b",
        "insurance": r"\binsurance\b|\binsured\b",
        "restraint": r"\bnon-?compet\w+|\bnon-?solicit\w+"
        r"|\bexclusiv(?:e|ity)\b[^.]{0,40}\b(?:supplier|customer|dealing|basis)\b",
    }.items()
}  # fmt: skip
_HEADING: Final = re.compile(r"[\s\d.()A-Za-z]{0,6}[^.;:!?]{1,130}[\s=\-]*")


@dataclass(frozen=True, slots=True)
class Clause:
    """A paragraph of one kind: characters `start` to `end` of the text."""

    kind: str
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Rating:
    """How much a clause may hurt whoever takes the contract, and why."""

    level: Level
    reason: str


@dataclass(frozen=True, slots=True)
class Position:
    """A house position on a kind of clause. Phrases are compared without regard to case and white space."""

    name: str
    kind: str
    presence: Literal["required", "forbidden", "either"]
    any_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()  # a clause that says one of these is left alone
    ask: str = ""
    level: Level = "medium"


@dataclass(frozen=True, slots=True)
class Deviation:
    """Where a text leaves the house position; `clause` is None where something is missing."""

    position: Position
    problem: str
    clause: Clause | None


# (kind, words that must stand in the clause, level by use: internal, hosted, distribute, reason), the first that fits.
_RISKS: Final[Sequence[tuple[str, str, tuple[Level, Level, Level], str]]] = (
    ("indemnity", r"\bmay\s+choose\b", ("low", "low", "medium"), "owed only by whoever offers a warranty of their own"),
    ("indemnity", r"\bindemnif\w+", ("medium", "high", "high"), "somebody has to pay for others' claims: find out who"),
    ("disclosure of source", r"\b(?:must|shall|may\s+convey|provided\s+that|available)\b", ("low", "medium", "high"),
     "whoever passes the work on has to give its source or these terms along"),
    ("termination", r"\b(?:30|60)\s+days|\breinstated\b", ("low", "low", "medium"),
     "ends on a breach, which can be cured"),
    ("termination", r"\bautomatically|\bimmediately|\bshall\s+terminate|\bterminates?\b", ("medium", "medium", "high"),
     "ends by itself on a breach"),
    ("patent", r"\bterminat\w+|\blitigation\b", ("low", "medium", "medium"), "a patent suit ends the rights"),
    ("liability", r"\bin\s+no\s+event\b|\bnot\s+(?:be\s+)?liable\b", ("medium", "medium", "medium"),
     "no damages can be had from the other side"),
    ("warranty", r"\bas[\s-]is\b|\bwithout\s+warrant", ("low", "medium", "medium"), "no promise that it works"),
    ("confidentiality", r"\bperpetual|\bindefinite|\bsurviv", ("low", "medium", "medium"),
     "binds beyond the contract's end"),
    ("payment", r"\binterest\b|\blate\b|\bnon-?refundable\b", ("medium", "medium", "medium"),
     "costs more, or is not given back"),
    ("term", r"\bautomatically|\brenews?\b", ("medium", "medium", "medium"),
     "goes on by itself unless it is ended in time"),
    ("restraint", r"\w", ("medium", "medium", "medium"), "limits with whom one may deal"),
    ("data protection", r"\bpersonal\s+data\b", ("medium", "medium", "medium"),
     "personal data is handled: is there an agreement on it?"),
    ("governing law", r"\blaws?\b|\bjurisdiction\b", ("low", "medium", "medium"), "names a law or court: is it ours?"),
)  # fmt: skip
_RULES: Final = tuple((kind, re.compile(words, re.IGNORECASE), levels, why) for kind, words, levels, why in _RISKS)
_USES: Final[tuple[Use, ...]] = ("internal", "hosted", "distribute")
_PARAGRAPH = re.compile(r"\S[^\n]*(?:\n[^\S\n]*\S[^\n]*)*")


def clauses(text: str) -> list[Clause]:
    """Every clause, in the order of the text; a paragraph of two kinds makes two."""
    return [
        Clause(kind, start, end, text[start:end])
        for start, end in _paragraphs(text)
        for kind, pattern in KINDS.items()
        if pattern.search(text, start, end)
    ]


def recognised(text: str, found: Sequence[Clause]) -> float:
    """The share of the text's paragraphs but headings, by length, that are of a known kind."""
    kinds = {(one.start, one.end) for one in found}
    parts = (part for part in _paragraphs(text) if part in kinds or not _is_heading(text, *part))
    whole = sum(end - start for start, end in parts)
    return sum(end - start for start, end in {(one.start, one.end) for one in found}) / whole if whole else 0.0


def _is_heading(text: str, start: int, end: int) -> bool:
    """Whether a paragraph only names what follows: short, and no sentence."""
    return end - start <= 140 and _HEADING.fullmatch(text, start, end) is not None


def rate(clause: Clause, use: Use) -> Rating:
    """The first rule that fits the clause's kind and words; low where none does."""
    for kind, words, levels, why in _RULES:
        if kind == clause.kind and words.search(clause.quote):
            return Rating(levels[_USES.index(use)], why)
    return Rating("low", "usual of its kind")


def deviations(found: Sequence[Clause], playbook: Sequence[Position]) -> list[Deviation]:
    """What is missing, forbidden, or worded otherwise than the house wants, in the playbook's order."""
    return [deviation for position in playbook for deviation in _against(found, position)]


def _against(found: Sequence[Clause], position: Position) -> Iterator[Deviation]:
    mine = [one for one in found if one.kind == position.kind and not _says(one, position.unless)]
    if not mine:
        if position.presence == "required":
            yield Deviation(position, f"there is no clause on {position.kind}", None)
        return
    if position.presence == "forbidden":
        yield Deviation(position, f"there is a clause on {position.kind}", mine[0])
    if position.any_of and not any(_says(clause, position.any_of) for clause in mine):
        yield Deviation(position, f"none says {_list(position.any_of)}", mine[0])
    for clause in mine:
        if said := _says(clause, position.none_of):
            yield Deviation(position, f"says “{said}”", clause)
            return


def _says(clause: Clause, phrases: Sequence[str]) -> str:
    text = " ".join(clause.quote.lower().split())
    return next((phrase for phrase in phrases if " ".join(phrase.lower().split()) in text), "")


def _list(phrases: Sequence[str]) -> str:
    return " or ".join(f"“{phrase}”" for phrase in phrases)


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    for match in _PARAGRAPH.finditer(text):
        start, end = match.span()
        if end - start > LONGEST:
            end = start + max(text[start : start + LONGEST].rfind(" "), 1)
        yield start, end
