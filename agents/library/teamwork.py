"""Agents that lead and join others in patterns: an investigation's manager, lead, synthesis and sync-point branches.

They show, by rules that can be read, what a language model in their place has to answer.
"""

import re
from typing import Any

from pydantic import Field

from agents.context import AgentContext
from agents.library.incident_contracts import Strict
from agents.library.indicators import indicators
from agents.library.text import content_words
from agents.registry import agent

_ADDRESS = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")
_HARM = frozenset({"stolen", "breach", "ransomware", "encrypt", "exfiltrat", "leak", "outage", "payroll", "customer"})


class Capable(Strict):
    """An agent that work may be given to, and what it is good for."""

    agent: str
    does: str = ""


class LedgerView(Strict):
    """What the pattern magentic shows its manager."""

    goal: str
    round: int
    rounds: int
    agents: list[Capable]
    ledger: list[dict[str, Any]]
    refused: list[str] = []
    notes: list[dict[str, Any]] = []
    context: dict[str, Any] = {}


class LedgerChange(Strict):
    """One change of the ledger: add, change or drop."""

    do: str
    id: str
    title: str = ""
    agent: str = ""
    input: dict[str, Any] = {}
    why: str = Field(default="", max_length=500)


class Judgement(Strict):
    """What the manager wants: changes, the tasks to run now, or the end with its answer."""

    changes: list[LedgerChange] = []
    run: list[str] = []
    done: bool = False
    answer: dict[str, Any] = {}


@agent(
    "investigation-manager",
    title="Investigation manager",
    input=LedgerView,
    output=Judgement,
    capabilities=["work.manage"],
    tags=["security"],
    timeout=20,
)
def manage(given: LedgerView, ctx: AgentContext) -> Judgement:
    """Starts with a summary and the indicators; looks for techniques when there are any; does what people add."""
    text = str(given.context.get("text", given.goal))
    entries = {entry["id"]: entry for entry in given.ledger}
    changes: list[LedgerChange] = []
    if "summary" not in entries:
        changes += [
            _work("summary", "threat-summariser", text, "every investigation begins with what happened"),
            _work("indicators", "indicator-extractor", text, "what can be looked for elsewhere"),
        ]
    found = _result(entries, "indicators").get("indicators", [])
    if found and "techniques" not in entries:
        why = f"{len(found)} indicators were found, so somebody was at work: which techniques?"
        changes.append(_work("techniques", "enrichment-fetcher", text, why))
    waiting = [name for name, entry in entries.items() if entry["status"] == "todo"]
    if changes or waiting:
        return Judgement(changes=changes, run=[*waiting, *(change.id for change in changes)])
    techniques = _result(entries, "techniques").get("techniques", [])
    answer = {
        "summary": _result(entries, "summary").get("summary", ""),
        "indicators": [one["value"] for one in found],
        "techniques": [one["id"] for one in techniques],
    }
    return Judgement(done=True, answer=answer)


def _work(name: str, who: str, text: str, why: str) -> LedgerChange:
    return LedgerChange(do="add", id=name, title=name.capitalize(), agent=who, input={"text": text}, why=why)


def _result(entries: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    found = entries.get(name, {}).get("result")
    return found if isinstance(found, dict) else {}


class Supervised(Strict):
    """What the pattern hierarchy shows its orchestrator."""

    goal: str
    round: int
    specialists: list[dict[str, Any]]
    findings: dict[str, Any] = {}
    memory: Any = None
    context: dict[str, Any] = {}


class Parts(Strict):
    """An input for each specialist that has something to do, and what the orchestrator wants to remember."""

    parts: dict[str, dict[str, Any]]
    memory: dict[str, Any] = {}


@agent(
    "investigation-lead",
    title="Investigation lead",
    input=Supervised,
    output=Parts,
    capabilities=["work.divide"],
    tags=["security"],
    timeout=20,
)
def divide(given: Supervised, ctx: AgentContext) -> Parts:
    """Gives each specialist the text; people's addresses only to the one who looks for indicators."""
    text = str(given.context.get("text", given.goal))
    names = [one["name"] for one in given.specialists if one["name"] not in given.findings]
    veiled = _ADDRESS.sub("[address]", text)
    parts = {name: {"text": text if name == "indicators" else veiled} for name in names}
    return Parts(parts=parts, memory={"characters": len(text), "addresses": len(_ADDRESS.findall(text))})


class Findings(Strict):
    """What the pattern hierarchy gives its synthesis."""

    goal: str
    findings: dict[str, dict[str, Any]]
    missing: list[dict[str, Any]] = []
    memory: Any = None


class Synthesis(Strict):
    """One report of all findings, and what it lacks."""

    report: str
    sources: list[str]
    complete: bool


@agent(
    "investigation-synthesis",
    title="Investigation synthesis",
    input=Findings,
    output=Synthesis,
    capabilities=["text.combine"],
    tags=["security"],
    timeout=20,
)
def combine(given: Findings, ctx: AgentContext) -> Synthesis:
    """Puts a paragraph from each specialist into one report and names who is missing."""
    lines = [f"{name}: {_in_short(found)}" for name, found in sorted(given.findings.items())]
    lines += [f"{one['name']}: missing, {one['why']}" for one in given.missing]
    return Synthesis(report="\n".join(lines), sources=sorted(given.findings), complete=not given.missing)


def _in_short(found: dict[str, Any]) -> str:
    if "summary" in found:
        return str(found["summary"])
    named = found.get("techniques") or found.get("indicators") or []
    return ", ".join(str(one.get("id") or one.get("value")) for one in named) or "nothing found"


class Round(Strict):
    """What the pattern concurrent_sync shows a branch."""

    branch: str
    round: int
    rounds: int
    seconds: float
    shared: dict[str, Any]
    own: dict[str, Any]
    input: dict[str, Any] = {}
    context: dict[str, Any] = {}


class Found(Strict):
    """A branch's findings this round, and whether it has nothing more to do."""

    findings: dict[str, Any]
    done: bool = False


@agent(
    "impact-by-indicators",
    title="Impact by indicators",
    input=Round,
    output=Found,
    capabilities=["severity.estimate"],
    tags=["security"],
    timeout=20,
)
def estimate_by_indicators(given: Round, ctx: AgentContext) -> Found:
    """High impact where the text names indicators; done once its finding is shared."""
    count = len(indicators(str(given.context.get("text", ""))))
    return Found(findings={"impact": "high" if count else "low", "indicators": count}, done="impact" in given.shared)


@agent(
    "impact-by-words",
    title="Impact by words",
    input=Round,
    output=Found,
    capabilities=["severity.estimate"],
    tags=["security"],
    timeout=20,
)
def estimate_by_words(given: Round, ctx: AgentContext) -> Found:
    """High impact where the text speaks of harm; done once its finding is shared."""
    said = sorted(_HARM.intersection(content_words(str(given.context.get("text", "")))))
    return Found(findings={"impact": "high" if said else "low", "harm": said}, done="impact" in given.shared)
