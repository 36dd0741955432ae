"""Deciding about one call: the built-in engine, and what every engine is asked and answers. No Django.

Deny by default: a call is allowed by one entitlement whose agent and tool are exactly these, whose scopes hold all of
the call's, whose time has not come and whose condition is true. A condition that gives no value allows nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from agents import expressions
from agents.errors import PolicyInvalid
from agents.expressions import ExpressionError
from agents.policies.documents import VARIABLES, Check, Document, Entitlement
from agents.types import Json

BUILT_IN: Final = "builtin"


@dataclass(frozen=True, slots=True)
class Question:
    """One call to judge, in plain data."""

    agent: str
    tool: str
    risk: str
    scopes: tuple[str, ...] = ()
    arguments: Mapping[str, Json] = field(default_factory=dict)
    run: Mapping[str, Json] = field(default_factory=dict)
    version: int = 1
    at: datetime | None = None  # None: now


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a policy says. `queue`: the people to ask first, "" for none. `why` and `remedy` of a denial."""

    allowed: bool
    queue: str = ""
    policy: str = ""  # "support v3"
    entitlement: str = ""
    code: str = ""  # of a denial: no_entitlement, revoked, scope, expired, condition, policy_error, policy_engine
    why: str = ""
    remedy: str = ""


class PolicyEngine(Protocol):
    """Decides about calls: `Rules` here, or a service such as OPA (`agents.policies.opa`)."""

    async def decide(self, question: Question) -> Ruling:
        """Judge one call. Never raises: what cannot be judged is denied."""
        ...


@dataclass(frozen=True, slots=True)
class _Held:
    document: Document
    entitlement: Entitlement
    is_revoked: bool


class Rules:
    """The policies in force, found by agent and tool. Immutable: a change makes another one."""

    def __init__(self, documents: Iterable[Document] = (), revoked: Iterable[tuple[str, str]] = ()) -> None:
        self.documents: tuple[Document, ...] = tuple(documents)
        self.revoked = frozenset(revoked)
        held: dict[tuple[str, str], list[_Held]] = defaultdict(list)
        for document in self.documents:
            for entitlement in document.entitlements:
                is_revoked = (document.name, entitlement.id) in self.revoked
                held[entitlement.agent, entitlement.tool].append(_Held(document, entitlement, is_revoked))
        self._held = {key: tuple(found) for key, found in held.items()}

    async def decide(self, question: Question) -> Ruling:
        """As `judge`; nothing is waited for."""
        return self.judge(question)

    def judge(self, question: Question) -> Ruling:
        """The ruling that asks the least among the entitlements that allow the call; else why none does."""
        best: Ruling | None = None
        denied: Ruling | None = None
        for held in self._held.get((question.agent, question.tool), ()):
            ruling = _judge(held, question)
            if ruling.allowed and not ruling.queue:
                return ruling
            if ruling.allowed:
                best = best or ruling
            else:
                denied = denied or ruling
        return best or denied or _nothing(question)

    def tools_of(self, agent: str) -> list[str]:
        """Names of the tools that some entitlement of the agent is about, whatever its condition."""
        live = (key for key, found in self._held.items() if any(not held.is_revoked for held in found))
        return sorted(tool for holder, tool in live if holder == agent)


def _judge(held: _Held, question: Question) -> Ruling:
    entitlement, document = held.entitlement, held.document
    named = {"policy": document.title, "entitlement": entitlement.id}
    if held.is_revoked:
        return _denied("revoked", f"entitlement {entitlement.id} was revoked", "have it given back", named)
    if missing := sorted(set(question.scopes) - entitlement.scopes):
        why = f"entitlement {entitlement.id} does not cover the data scope {', '.join(missing)}"
        return _denied("scope", why, f"add it to {document.name}, or name fewer scopes in the call", named)
    if entitlement.expires is not None and (question.at or datetime.now(UTC)) >= entitlement.expires:
        why = f"entitlement {entitlement.id} expired on {entitlement.expires:%Y-%m-%d}"
        return _denied("expired", why, f"have it extended in {document.name}", named)
    try:
        if entitlement.when and not expressions.holds(entitlement.when, _context(question), VARIABLES):
            why = f"the condition of {entitlement.id} does not hold for these arguments"
            return _denied("condition", why, f"keep to it, or have it changed in {document.name}", named)
    except ExpressionError as error:
        why = f"the condition of {entitlement.id} gives no value here ({type(error).__name__})"
        return _denied("policy_error", why, f"have it corrected in {document.name}", named)
    return Ruling(allowed=True, queue=entitlement.queue or document.approval[question.risk], **named)


def _context(question: Question) -> dict[str, Any]:
    return {
        "arguments": question.arguments,
        "agent": question.agent,
        "tool": {"name": question.tool, "version": question.version, "risk": question.risk},
        "scopes": list(question.scopes),
        "run": question.run,
    }


def _denied(code: str, why: str, remedy: str, named: Mapping[str, str]) -> Ruling:
    return Ruling(allowed=False, code=code, why=why, remedy=remedy, **named)


def _nothing(question: Question) -> Ruling:
    return _denied("no_entitlement", "no policy allows it", "add an entitlement to a policy", {})


def run_checks(document: Document, risks: Mapping[str, str], scopes: Mapping[str, Sequence[str]]) -> list[str]:
    """The document's own tests, by nothing but itself; what failed, in sentences.

    `risks` and `scopes` are those of registered tools: a test about a tool that is not registered states its own.
    """
    rules = Rules([document])
    failed = []
    for check in document.checks:
        found = _answer(rules.judge(_question(check, risks, scopes)))
        if found != check.expect:
            failed.append(f"test {check.name!r} expects {check.expect}, and the policy says {found}")
    return failed


def require_checks(document: Document, risks: Mapping[str, str], scopes: Mapping[str, Sequence[str]]) -> None:
    """Raise PolicyInvalid unless all of the document's tests pass."""
    if failed := run_checks(document, risks, scopes):
        raise PolicyInvalid(problems="; ".join(failed[:10]))


def _question(check: Check, risks: Mapping[str, str], scopes: Mapping[str, Sequence[str]]) -> Question:
    return Question(
        agent=check.agent,
        tool=check.tool,
        risk=check.risk or risks.get(check.tool, "critical"),
        scopes=tuple(scopes.get(check.tool, ())) if check.scopes is None else check.scopes,
        arguments=check.arguments,
        run=check.run,
        at=check.at,
    )


def _answer(ruling: Ruling) -> str:
    if not ruling.allowed:
        return "deny"
    return "ask" if ruling.queue else "allow"
