"""What is known about a registered tool, compiled once. No Django."""

import copy
import hashlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypedDict

import orjson

from agents.contracts import Contract, ContractSource, compile_contract
from agents.errors import InvalidContract, InvalidRegistration
from agents.types import Json

type Risk = Literal["low", "medium", "high", "critical"]
type ToolFunction = Callable[..., Any]

RISKS: Final = ("low", "medium", "high", "critical")
NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)*")
SCOPE: Final = re.compile(r"[a-z0-9][a-z0-9_:-]{0,49}")
SECRET: Final = re.compile(r"[A-Z][A-Z0-9_]{0,99}")


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Limits of a tool's own process. `seconds` of wall time, `cpu` seconds, `memory` and `disk` in megabytes."""

    seconds: float = 10.0
    cpu: int = 5
    memory: int = 512
    disk: int = 16
    files: int = 64
    network: bool = False


class ToolFacts(TypedDict, total=False):
    """What a registration may say besides name, contracts and code."""

    version: int
    title: str
    description: str
    owner: str
    risk: Risk
    effects: bool
    dry_run: ToolFunction | None
    dry_run_first: bool
    compensate: ToolFunction | None
    reconcile: ToolFunction | None
    rate_per_minute: int | None
    data_scopes: Sequence[str]
    secrets: Sequence[str]
    sandbox: Sandbox | bool | None
    timeout: float


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """One version of a tool, ready to be called. `effects`: it changes the world, so a repeat is answered from memory.

    `timeout` in seconds; `rate_per_minute` is taken once and belongs to people afterwards.
    """

    name: str
    version: int
    title: str
    description: str
    owner: str
    risk: Risk
    effects: bool
    function: ToolFunction
    dry_run: ToolFunction | None
    dry_run_first: bool
    compensate: ToolFunction | None
    reconcile: ToolFunction | None
    input: Contract
    output: Contract
    data_scopes: frozenset[str]
    secrets: frozenset[str]
    sandbox: Sandbox | None
    rate_per_minute: int | None
    timeout: float
    entrypoint: str
    place: str
    digest: str


def build_tool(
    name: str, function: ToolFunction, *, takes: ContractSource, gives: ContractSource, facts: ToolFacts
) -> ToolSpec:
    """Compile one registration; InvalidRegistration says what is wrong with it."""
    sandbox = facts.get("sandbox")
    sandbox = (Sandbox() if sandbox is True else sandbox) or None
    entrypoint = f"{function.__module__}:{function.__qualname__}"
    if problem := _problem(name, function, facts) or (sandbox and _sandbox_problem(function, facts)):
        raise InvalidRegistration(name=name, problem=problem)
    accepted, promised = _contract(name, "input", takes, closed=True), _contract(name, "output", gives, closed=False)
    risk = facts.get("risk", "low")
    compensate, dry_run = facts.get("compensate"), facts.get("dry_run")
    effects = facts.get("effects", risk != "low" or compensate is not None)
    scopes, secrets = frozenset(facts.get("data_scopes", ())), frozenset(facts.get("secrets", ()))
    first = facts.get("dry_run_first", False)
    identity: list[Any] = [
        entrypoint, risk, effects, first, accepted.digest, promised.digest, sorted(scopes), sorted(secrets),
        _entrypoint(dry_run), _entrypoint(compensate), _entrypoint(facts.get("reconcile")),
        asdict(sandbox) if sandbox else None,
    ]  # fmt: skip
    return ToolSpec(
        name=name,
        version=facts.get("version", 1),
        title=facts.get("title") or name.replace(".", ": ").replace("-", " ").replace("_", " ").capitalize(),
        description=facts.get("description") or inspect.getdoc(function) or "",
        owner=facts.get("owner", ""),
        risk=risk,
        effects=effects,
        function=function,
        dry_run=dry_run,
        dry_run_first=first,
        compensate=compensate,
        reconcile=facts.get("reconcile"),
        input=accepted,
        output=promised,
        data_scopes=scopes,
        secrets=secrets,
        sandbox=sandbox,
        rate_per_minute=facts.get("rate_per_minute"),
        timeout=facts.get("timeout", 30.0),
        entrypoint=entrypoint,
        place=_place(function),
        digest=hashlib.sha256(orjson.dumps(identity)).hexdigest(),
    )


def _problem(name: str, function: ToolFunction, facts: ToolFacts) -> str | None:
    if not NAME.fullmatch(name) or len(name) > 100:
        return "a tool's name must be lower-case words with dots between, at most 100 characters"
    if facts.get("version", 1) < 1:
        return "versions are numbered from 1"
    if facts.get("risk", "low") not in RISKS:
        return f"its risk must be one of {', '.join(RISKS)}"
    if not all(SCOPE.fullmatch(scope) for scope in facts.get("data_scopes", ())):
        return "its data scopes must be lower-case words, such as customers:email"
    if not all(SECRET.fullmatch(secret) for secret in facts.get("secrets", ())):
        return "its secrets must be upper-case names, such as PAYMENTS_KEY"
    return _code_problem(function, facts)


def _code_problem(function: ToolFunction, facts: ToolFacts) -> str | None:
    if facts.get("timeout", 30.0) <= 0 or (facts.get("rate_per_minute") or 1) < 1:
        return "its timeout and rate_per_minute must be more than 0"
    if facts.get("dry_run_first") and facts.get("dry_run") is None:
        return "dry_run_first needs a dry_run function"
    hooks = ((function, 2), (facts.get("dry_run"), 2), (facts.get("reconcile"), 2), (facts.get("compensate"), 3))
    for hook, count in hooks:
        try:
            inspect.signature(hook).bind(*range(count)) if hook else None
        except TypeError:
            takes = "the arguments and the context" if count == 2 else "the arguments, the result and the context"
            return f"{getattr(hook, '__qualname__', hook)} must take {takes}"
    return None


def _sandbox_problem(function: ToolFunction, facts: ToolFacts) -> str | None:
    hooks = [hook for hook in (function, facts.get("dry_run"), facts.get("reconcile")) if hook is not None]
    if any("<" in (_entrypoint(hook) or "") for hook in hooks):
        return "a sandboxed tool and its hooks must be functions at the top level of their module"
    return None


def _entrypoint(function: ToolFunction | None) -> str | None:
    return f"{function.__module__}:{function.__qualname__}" if function else None


def _contract(name: str, side: str, source: ContractSource, *, closed: bool) -> Contract:
    try:
        contract = compile_contract(source)
        if not closed:
            return contract
        schema = close(contract.schema)
        return Contract(schema, digest=compile_contract(schema).digest, model=contract.model)
    except InvalidContract as error:
        problem = f"its {side} contract is not a usable JSON Schema at {error.facts['path']}: {error.facts['problem']}"
        raise InvalidRegistration(name=name, problem=problem) from error


def close(schema: Mapping[str, Json]) -> dict[str, Any]:
    """The schema with every object that lists its properties closed to others, unless it says otherwise.

    What a policy looked at is all that a tool gets: an argument that no schema names is refused, not ignored.
    """
    closed: dict[str, Any] = copy.deepcopy(dict(schema))
    todo: list[Any] = [closed]
    while todo:
        found = todo.pop()
        if isinstance(found, dict):
            if isinstance(found.get("properties"), dict) and not {"allOf", "anyOf", "oneOf"} & found.keys():
                found.setdefault("additionalProperties", False)
            todo.extend(found.values())
        elif isinstance(found, list):
            todo.extend(found)
    return closed


def _place(function: ToolFunction) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(function)
