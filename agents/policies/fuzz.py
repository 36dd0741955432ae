"""Random and hostile calls against a policy, each judged by the engine and by the oracle: no escalation may be found.

A call starts from what some entitlement allows and is then twisted: other agents and look-alike names, scopes too many,
numbers just past a limit, other types, missing and repeated fields, moments past the end.
"""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from agents.errors import ToolArgumentsInvalid
from agents.policies.documents import Document, Entitlement
from agents.policies.oracle import Oracle, Unjudged, literals
from agents.policies.rules import Question, Rules
from agents.tools.arguments import normal
from agents.tools.specs import RISKS, ToolSpec

ORDER: Final = {"deny": 0, "ask": 1, "allow": 2}
TWISTS: Final = ("\u0430", "\u200b", "\u202e", "\x00", " ", "e\u0301", "\uff41", "")
ODD: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, -0.0, 1e308, -1e308, 2**53, 2**63 - 1, -(2**63), 2**64 - 1, 0.1 + 0.2, "", "0", "true",
    "${input}", "secret://DB", [], {}, [[]], {"amount": 1}, ["x"] * 5, "x" * 500,
)  # fmt: skip


@dataclass(slots=True)
class Report:
    """What was found. `escalations`: calls that the engine let go further than the oracle."""

    calls: int = 0
    allowed: int = 0
    stricter: int = 0
    escalations: list[str] = field(default_factory=list)
    unjudged: list[str] = field(default_factory=list)


def fuzz(
    source: str,
    document: Document,
    *,
    count: int,
    seed: int,
    revoked: frozenset[str] = frozenset(),
    tools: Mapping[str, ToolSpec] | None = None,
) -> Report:
    """Judge `count` calls twice; the same seed makes the same calls."""
    report = Report()
    oracle = Oracle(source, revoked)
    rules = Rules([document], [(document.name, name) for name in revoked])
    for call, at in _calls(document, tools or {}, random.Random(seed), count):
        report.calls += 1
        try:
            expected = oracle.answer(call, at)
        except Unjudged as beyond:
            if str(beyond) not in report.unjudged:
                report.unjudged.append(str(beyond))
            continue
        found = _engine(rules, call, at)
        report.allowed += found != "deny"
        if ORDER[found] > ORDER[expected]:
            report.escalations.append(f"{found} where the oracle says {expected}: {json.dumps(call)[:500]} at {at}")
        report.stricter += ORDER[found] < ORDER[expected]
    return report


def _engine(rules: Rules, call: Mapping[str, Any], at: datetime) -> str:
    asked = {name: call[name] for name in ("agent", "tool", "risk", "arguments", "run", "version")}
    ruling = rules.judge(Question(**asked, scopes=tuple(call["scopes"]), at=at))
    if not ruling.allowed:
        return "deny"
    return "ask" if ruling.queue else "allow"


def _calls(
    document: Document, tools: Mapping[str, ToolSpec], chance: random.Random, count: int
) -> Iterator[tuple[dict[str, Any], datetime]]:
    held = document.entitlements
    agents = sorted({entitlement.agent for entitlement in held} | {"stranger"})
    names = sorted({entitlement.tool for entitlement in held} | {"other.tool"})
    values = _values(held, document)
    made = 0
    while made < count and held:
        near = chance.choice(held)
        call = _near(near, document, tools, chance)
        call["arguments"] = _arguments(call["arguments"], values, chance)
        if chance.random() < 0.35:
            call["agent"] = _twisted(chance.choice(agents), chance)
        if chance.random() < 0.25:
            call["tool"] = _twisted(chance.choice(names), chance)
        if chance.random() < 0.3:
            call["scopes"] = sorted({*call["scopes"], chance.choice(("payroll", "all", "*", "", "customers:email"))})
        if chance.random() < 0.2:
            call["run"] = {**call["run"], chance.choice(("workflow", "step", "id")): chance.choice(values)}
        if not _smuggled(call, tools, chance):
            continue
        made += 1
        yield call, _moment(near, chance)


def _near(
    near: Entitlement, document: Document, tools: Mapping[str, ToolSpec], chance: random.Random
) -> dict[str, Any]:
    """A call that the entitlement may allow: like one of the policy's own tests, if there is one about it."""
    alike = [check for check in document.checks if (check.agent, check.tool) == (near.agent, near.tool)]
    like = chance.choice(alike) if alike else None
    spec = tools.get(near.tool)
    return {
        "agent": near.agent,
        "tool": near.tool,
        "risk": spec.risk if spec and chance.random() < 0.8 else chance.choice(RISKS),
        "version": 1,
        "scopes": sorted(near.scopes) if chance.random() < 0.7 else chance.sample(sorted(near.scopes), k=0),
        "arguments": dict(like.arguments) if like else {},
        "run": dict(like.run) if like else {},
    }


def _values(held: Sequence[Entitlement], document: Document) -> list[Any]:
    """What conditions mention, and its neighbours."""
    found: list[Any] = list(ODD)
    for entitlement in held:
        try:
            named = literals(entitlement.when) if entitlement.when else []
        except Unjudged:
            named = []
        for value in named:
            if isinstance(value, str):
                found += [value, value.upper(), f"{value} ", f" {value}", f"{value}\u200b", value[:-1], value * 2]
            else:
                found += [value, value + 1, value - 1, float(value), value + 1e-9, value - 1e-9, -value, str(value)]
    found += [value for check in document.checks for value in (*check.arguments.values(), *check.run.values())]
    return found


def _arguments(given: dict[str, Any], values: list[Any], chance: random.Random) -> dict[str, Any]:
    made = dict(given)
    for _ in range(chance.randrange(4)):
        name = chance.choice([*made, "amount", "to", "path", "__proto__"])
        match chance.randrange(5):
            case 0:
                made.pop(name, None)
            case 1:
                made[_twisted(name, chance)] = chance.choice(values)
            case 2:
                made[name] = {name: chance.choice(values)}
            case 3:
                made[name] = [chance.choice(values)]
            case _:
                made[name] = chance.choice(values)
    return made


def _smuggled(call: dict[str, Any], tools: Mapping[str, ToolSpec], chance: random.Random) -> bool:
    """Send the arguments the way that a model does, as text with repeated keys at times; False if that is refused."""
    spec = tools.get(call["tool"])
    if spec is None or chance.random() < 0.7:
        return True
    text = json.dumps(call["arguments"])
    if call["arguments"] and chance.random() < 0.3:
        name = chance.choice(list(call["arguments"]))
        text = f"{{{json.dumps(name)}: {json.dumps(chance.choice(ODD))}, {text[1:]}"
    try:
        call["arguments"] = normal(spec.name, text, spec.input)
    except ToolArgumentsInvalid:
        return False
    return True


def _twisted(text: str, chance: random.Random) -> str:
    if chance.random() < 0.5:
        return text
    at = chance.randrange(len(text) + 1)
    twist = chance.choice(TWISTS)
    return chance.choice((text[:at] + twist + text[at:], text.upper(), text[:at] + twist + text[at + 1 :]))


def _moment(near: Entitlement, chance: random.Random) -> datetime:
    now = datetime.now(UTC)
    if near.expires is None:
        return now
    return near.expires + timedelta(seconds=chance.choice((-86_400, -1, 0, 1, 86_400)))
