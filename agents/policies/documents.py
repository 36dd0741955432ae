"""A policy as people write it: YAML, checked as a whole, compiled once. No Django.

```yaml
policy: support
two_people: true                    # who wrote a change may not approve it
approval:                           # by risk: "none", or the queue whose people are asked first
  high: operations
entitlements:
  - id: small-refunds
    agent: refunder
    tool: payments.refund
    scopes: [payments]
    when: arguments.amount <= 100 && run.workflow == "refunds"
    expires: 2027-06-30
    queue: leads                    # asks these people whatever the risk
tests:
  - {name: small, agent: refunder, tool: payments.refund, arguments: {amount: 5}, run: {workflow: refunds}, expect: ask}
```
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from functools import cache
from typing import Any, Final

import jsonschema_rs
import yaml
from django.utils.translation import gettext

from agents import expressions
from agents.errors import PolicyInvalid
from agents.expressions import ExpressionError
from agents.tools.specs import NAME, RISKS, SCOPE
from agents.types import Json

VARIABLES: Final = frozenset({"arguments", "agent", "tool", "scopes", "run"})
LARGEST: Final = 256 * 1024  # characters
DEEPEST: Final = 20
MOST_PARTS: Final = 100_000
ASKS: Final[Mapping[str, str]] = {"low": "none", "medium": "none", "high": "operations", "critical": "operations"}

_WORD = {"type": "string", "pattern": r"^[a-z0-9][a-z0-9_-]{0,99}$"}
_NAMED = {"type": "string", "minLength": 1, "maxLength": 100}
_SCOPES = {"type": "array", "items": {"type": "string", "pattern": f"^{SCOPE.pattern}$"}, "maxItems": 50}
_ENTITLEMENT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "agent", "tool"],
    "properties": {
        "id": _WORD, "agent": _WORD, "tool": {**_NAMED, "pattern": f"^{NAME.pattern}$"}, "scopes": _SCOPES,
        "when": {"type": "string", "minLength": 1, "maxLength": 2000}, "expires": {"type": "string"},
        "queue": _WORD, "why": {"type": "string", "maxLength": 500},
    },
}  # fmt: skip
_TEST = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "agent", "tool", "expect"],
    "properties": {
        "name": _NAMED, "agent": _NAMED, "tool": _NAMED, "scopes": _SCOPES, "arguments": {"type": "object"},
        "run": {"type": "object"}, "risk": {"enum": list(RISKS)}, "at": {"type": "string"},
        "expect": {"enum": ["allow", "deny", "ask"]},
    },
}  # fmt: skip
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["policy", "entitlements", "tests"],
    "properties": {
        "policy": _WORD,
        "description": {"type": "string", "maxLength": 2000},
        "two_people": {"type": "boolean"},
        "approval": {"type": "object", "propertyNames": {"enum": list(RISKS)}, "additionalProperties": _WORD},
        "entitlements": {"type": "array", "items": _ENTITLEMENT, "maxItems": 2000},
        "tests": {"type": "array", "items": _TEST, "minItems": 1, "maxItems": 1000},
    },
}


@cache  # 1 MB of each process, and only the one that takes a policy in needs it
def _validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(SCHEMA)


@dataclass(frozen=True, slots=True)
class Entitlement:
    """One thing that is allowed. `queue`: whom to ask first, whatever the risk; `expires`: it holds before that."""

    id: str
    agent: str
    tool: str
    scopes: frozenset[str]
    when: str = ""
    expires: datetime | None = None
    queue: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One test of a policy."""

    name: str
    agent: str
    tool: str
    expect: str
    scopes: tuple[str, ...] | None = None
    arguments: dict[str, Json] = field(default_factory=dict)
    run: dict[str, Json] = field(default_factory=dict)
    risk: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A policy's text, read. `number` is 0 for one that is not stored."""

    name: str
    two_people: bool
    approval: Mapping[str, str]  # risk -> queue, "" for none
    entitlements: tuple[Entitlement, ...]
    checks: tuple[Check, ...]
    description: str = ""
    number: int = 0

    @property
    def title(self) -> str:
        """As records name it: "support v3"."""
        return f"{self.name} v{self.number}" if self.number else self.name


def read(source: str, *, number: int = 0) -> Document:
    """Read a policy's text. Raises PolicyInvalid with what is wrong, where, and what to do."""
    values = _values(source)
    problems = [
        f"{'.'.join(map(str, error.instance_path)) or 'the document'}: {error.message[:200]}"
        for error in list(_validator().iter_errors(values))[:10]
    ]
    if problems:
        raise PolicyInvalid(problems="; ".join(problems))
    asked = {**ASKS, **values.get("approval", {})}
    found: list[str] = []
    document = Document(
        name=values["policy"],
        two_people=values.get("two_people", True),
        approval={risk: "" if queue == "none" else queue for risk, queue in asked.items()},
        entitlements=tuple(_entitlement(given, found) for given in values["entitlements"]),
        checks=tuple(_check(given, found) for given in values["tests"]),
        description=values.get("description", ""),
        number=number,
    )
    found += _flaws(document)
    if found:
        raise PolicyInvalid(problems="; ".join(found[:10]))
    return document


def _flaws(document: Document) -> list[str]:
    found = []
    if not document.approval["critical"]:
        found.append(gettext("approval.critical: calls of critical tools are always approved by people; name a queue"))
    names = [entitlement.id for entitlement in document.entitlements]
    twice = sorted({name for name in names if names.count(name) > 1})
    found += [
        gettext("entitlements: the id %(name)s is used twice; give each its own") % {"name": name} for name in twice
    ]
    for entitlement in document.entitlements:
        try:
            if entitlement.when:
                expressions.check(entitlement.when, VARIABLES)
        except ExpressionError as error:
            found.append(f"entitlement {entitlement.id}, when: {error}")
    return found


def _entitlement(given: dict[str, Any], found: list[str]) -> Entitlement:
    return Entitlement(
        id=given["id"],
        agent=given["agent"],
        tool=given["tool"],
        scopes=frozenset(given.get("scopes", ())),
        when=given.get("when", ""),
        expires=_moment(given.get("expires"), f"entitlement {given['id']}, expires", found),
        queue=given.get("queue", ""),
        why=given.get("why", ""),
    )


def _check(given: dict[str, Any], found: list[str]) -> Check:
    scopes = given.get("scopes")
    return Check(
        name=given["name"],
        agent=given["agent"],
        tool=given["tool"],
        expect=given["expect"],
        scopes=tuple(scopes) if scopes is not None else None,
        arguments=given.get("arguments", {}),
        run=given.get("run", {}),
        risk=given.get("risk", ""),
        at=_moment(given.get("at"), f"test {given['name']}, at", found),
    )


def _moment(text: str | None, place: str, found: list[str]) -> datetime | None:
    """A day, which ends as it begins in UTC, or a moment with its zone."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if len(text) <= 10:
            return datetime.combine(date.fromisoformat(text), time(), UTC)
        if moment.tzinfo is None:
            raise ValueError(text)
    except ValueError:
        found.append(
            gettext("%(place)s: %(value)s is not a moment; write 2027-06-30 or 2027-06-30T12:00:00Z")
            % {"place": place, "value": f"{text[:40]!r}"}
        )
        return None
    return moment


class _Loader(yaml.CSafeLoader):
    """YAML without repeated keys, or texts that turn into dates and numbers of their own."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if twice := [key for key in keys if not isinstance(key, Hashable) or keys.count(key) > 1]:
            line = node.start_mark.line + 1
            raise PolicyInvalid(
                problems=gettext("line %(line)s: the key %(value)s is there twice; keep one")
                % {"line": line, "value": f"{str(twice[0])[:50]!r}"}
            )
        return super().construct_mapping(node, deep=deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _values(source: str) -> Any:
    if len(source) > LARGEST:
        raise PolicyInvalid(
            problems=gettext("it is %(count)s characters long; at most %(largest)s are read")
            % {"count": f"{len(source):,}", "largest": f"{LARGEST:,}"}
        )
    try:
        _refuse_bombs(source)
        return yaml.load(source, Loader=_Loader)  # noqa: S506 - derived from the safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or gettext("it cannot be read")
        raise PolicyInvalid(
            problems=gettext("%(where)sit is not YAML (%(problem)s)") % {"where": where, "problem": problem}
        ) from error
    except RecursionError as error:
        raise PolicyInvalid(problems=gettext("it is nested too deeply")) from error


def _refuse_bombs(source: str) -> None:
    """Aliases, and what is nested deeper or has more parts than any policy."""
    depth = 0
    for count, event in enumerate(yaml.parse(source, Loader=yaml.CSafeLoader)):
        if isinstance(event, yaml.AliasEvent):
            raise PolicyInvalid(problems=gettext("it uses a YAML alias (*name); write it out"))
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST or count > MOST_PARTS:
            raise PolicyInvalid(
                problems=gettext("it is nested deeper than %(deepest)s levels, or has too many parts")
                % {"deepest": DEEPEST}
            )
