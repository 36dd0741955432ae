"""Framework ids of an incident, and the report that says where every statement comes from.

OWASP Top 10 for LLM Applications and NIST AI RMF ids are either reported by the incident's source, named in its text,
or inferred: most incidents of the same category carry them. The report never mixes the three.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from agents.library.indicators import indicators

MAP_FILE = Path(__file__).parent / "data" / "frameworks.json"
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|<>~@])")

type Framework = Literal["OWASP LLM", "NIST AI RMF"]
type Basis = Literal["reported", "named", "inferred"]


@dataclass(frozen=True, slots=True)
class FrameworkId:
    """One framework id with the reason it applies."""

    id: str
    framework: Framework
    basis: Basis
    reason: str


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement of the report and its source; `quote` is verbatim where the source is a text."""

    claim: str
    source: str
    quote: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What earlier steps established; each list holds finished statements with their sources."""

    id: str
    title: str
    date: str
    reference: str
    route: str
    severity: Claim
    summary: tuple[Claim, ...] = ()
    techniques: tuple[Claim, ...] = ()
    indicators: tuple[Claim, ...] = ()
    actions: tuple[Claim, ...] = ()
    note: Claim | None = None
    mappings: tuple[FrameworkId, ...] = field(default=())


def framework_mappings(text: str, *, category: str, reported: Sequence[str], reference: str) -> list[FrameworkId]:
    """Ids reported by the source, named in the text or, for a framework with neither, inferred from the category."""
    found = [
        FrameworkId(id_, framework_of(id_), "reported", f"listed by {reference or 'the source'}") for id_ in reported
    ]
    for indicator in indicators(text):
        if indicator.kind in {"owasp_llm", "nist_ai_rmf"}:
            reason = f"named in the text at characters {indicator.start}-{indicator.end}"
            found.append(FrameworkId(indicator.value, framework_of(indicator.value), "named", reason))
    covered = {mapping.framework for mapping in found}
    found.extend(mapping for mapping in _inferred(category) if mapping.framework not in covered)
    first: dict[str, FrameworkId] = {}
    for mapping in found:
        first.setdefault(mapping.id, mapping)
    return list(first.values())


def framework_of(id_: str) -> Framework:
    """The framework an id belongs to, by its form."""
    return "OWASP LLM" if id_.startswith("LLM") else "NIST AI RMF"


def report(facts: Facts) -> str:
    """The incident report in Markdown. Text from outside is escaped: it can be read, it cannot format or link."""
    sections = [
        f"# Incident report {escape(facts.id)}: {escape(facts.title)}",
        _origin(facts),
        _section("Severity", [facts.severity]),
        _section("Summary (verbatim sentences)", facts.summary),
        _section("MITRE ATT&CK techniques (by similarity)", facts.techniques),
        _section("Indicators", facts.indicators),
        _section("Actions", facts.actions),
        _section("Analyst's note", [facts.note] if facts.note else []),
        _mapping_table(facts.mappings),
        _provenance(facts),
    ]
    return "\n\n".join(sections) + "\n"


def claims(facts: Facts) -> list[Claim]:
    """Every statement of the report in order."""
    own = [facts.severity, *facts.summary, *facts.techniques, *facts.indicators, *facts.actions]
    note = [facts.note] if facts.note else []
    return [
        *own,
        *note,
        *(Claim(f"{mapping.id} applies ({mapping.basis})", mapping.reason) for mapping in facts.mappings),
    ]


def escape(text: str) -> str:
    """One line of plain text inside Markdown; addresses in it do not become links."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split())).replace("://", "\\://").replace("www.", "www\\.")


def _origin(facts: Facts) -> str:
    date, reference = escape(facts.date) or "not given", escape(facts.reference) or "not given"
    return f"Date of the incident: {date}. Source: {reference}. Route: {facts.route}."


def _section(title: str, items: Iterable[Claim]) -> str:
    lines = [f"- {escape(item.claim)}" for item in items] or ["- None."]
    return "\n".join([f"## {title}", "", *lines])


def _mapping_table(mappings: Sequence[FrameworkId]) -> str:
    rows = [
        f"| {escape(mapping.id)} | {mapping.framework} | {mapping.basis} | {escape(mapping.reason)} |"
        for mapping in mappings
    ]
    table = (
        ["| Id | Framework | Basis | Reason |", "|---|---|---|---|", *rows]
        if rows
        else ["- No id was reported, named or inferred."]
    )
    return "\n".join(["## Framework mapping", "", *table])


def _provenance(facts: Facts) -> str:
    rows = [
        f"| {number} | {escape(item.claim)} | {escape(item.source)} | {escape(item.quote)} |"
        for number, item in enumerate(claims(facts), 1)
    ]
    return "\n".join(["## Provenance", "", "| No. | Statement | Source | Quote |", "|---|---|---|---|", *rows])


@cache
def _category_map() -> dict[str, dict[str, object]]:
    loaded: dict[str, dict[str, object]] = json.loads(MAP_FILE.read_text())
    return loaded


def _inferred(category: str) -> list[FrameworkId]:
    known = _category_map().get(category)
    if known is None:
        return []
    ids = known["ids"]
    assert isinstance(ids, dict)
    reason = "{} of {} training incidents of category {} carry it"
    return [
        FrameworkId(id_, framework_of(id_), "inferred", reason.format(count, known["incidents"], category))
        for id_, count in ids.items()
    ]
