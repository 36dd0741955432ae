"""What is known about a registered agent, compiled once so that a call looks nothing up. No Django."""

import hashlib
import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypedDict

import orjson

from agents import budgets
from agents.contracts import Contract, ContractSource, compile_contract
from agents.errors import InvalidContract, InvalidRegistration
from agents.guardrails import declared
from agents.guardrails.screen import Screen
from agents.types import AgentFunction, Isolation, Json

type Kind = Literal["python", "llm", "http", "external"]

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")


class Facts(TypedDict, total=False):
    """What a registration may say besides name, contracts and code."""

    version: int
    title: str
    description: str
    owner: str
    capabilities: Sequence[str]
    tags: Sequence[str]
    isolation: Isolation | None
    timeout: float
    max_concurrency: int | None
    rate_per_minute: int | None
    kind: Kind
    config: Mapping[str, Json]
    entrypoint: str
    budget: Mapping[str, float]
    authority: Sequence[str] | None
    guard: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """One version of an agent, ready to be called. `timeout` is what a step gets that names none."""

    name: str
    version: int
    title: str
    description: str
    owner: str
    kind: Kind
    isolation: Isolation
    entrypoint: str  # "package.module:function"
    place: str  # "file:line", for people
    function: AgentFunction
    is_async: bool
    input: Contract
    output: Contract
    capabilities: tuple[str, ...]
    tags: tuple[str, ...]
    timeout: float
    max_concurrency: int | None
    rate_per_minute: int | None
    config: dict[str, Json] = field(default_factory=dict)
    digest: str = ""
    budget: dict[str, float] = field(default_factory=dict)  # for one run, by resource; {}: the default of the settings
    screen: Screen = field(default_factory=lambda: Screen("", declared.NOTHING, {}, {}), compare=False)

    @property
    def input_schema(self) -> dict[str, Json]:
        """The JSON Schema of its input."""
        return self.input.schema

    @property
    def output_schema(self) -> dict[str, Json]:
        """The JSON Schema of its output."""
        return self.output.schema


def build_spec(
    name: str, function: AgentFunction, *, takes: ContractSource, gives: ContractSource, facts: Facts
) -> AgentSpec:
    """Compile one registration; InvalidRegistration says what is wrong with it."""
    is_async = inspect.iscoroutinefunction(function)
    isolation = facts.get("isolation") or ("loop" if is_async else "thread")
    entrypoint = facts.get("entrypoint") or f"{function.__module__}:{function.__qualname__}"
    problem = _facts_problem(name, facts) or _code_problem(function, isolation, entrypoint, is_async=is_async)
    if problem:
        raise InvalidRegistration(name=name, problem=problem)
    accepted, promised = _contract(name, "input", takes), _contract(name, "output", gives)
    kind, config = facts.get("kind", "python"), dict(facts.get("config", {}))
    if (authority := facts.get("authority")) is not None:
        config["authority"] = list[Json](authority)
    if (guard := facts.get("guard")) is not None:
        config["guard"] = dict(guard)
    screen = _screen(name, kind, accepted, promised, guard)
    capabilities = tuple(facts.get("capabilities", ()))
    identity = [entrypoint, kind, isolation, accepted.digest, promised.digest, capabilities, config]
    return AgentSpec(
        name=name,
        version=facts.get("version", 1),
        title=facts.get("title") or name.replace("-", " ").replace("_", " ").capitalize(),
        description=facts.get("description") or inspect.getdoc(function) or "",
        owner=facts.get("owner", ""),
        kind=kind,
        isolation=isolation,
        entrypoint=entrypoint,
        place=_place(function),
        function=function,
        is_async=is_async,
        input=accepted,
        output=promised,
        capabilities=capabilities,
        tags=tuple(facts.get("tags", ())),
        timeout=facts.get("timeout", 60.0),
        max_concurrency=facts.get("max_concurrency"),
        rate_per_minute=facts.get("rate_per_minute"),
        config=config,
        digest=hashlib.sha256(orjson.dumps(identity, option=orjson.OPT_SORT_KEYS)).hexdigest(),
        budget=dict(facts.get("budget", {})),
        screen=screen,
    )


def _screen(name: str, kind: str, takes: Contract, gives: Contract, said: Mapping[str, Json] | None) -> Screen:
    if said is not None and (problem := declared.flaw(said)):
        raise InvalidRegistration(name=name, problem=problem)
    screen = Screen(name, declared.guard_of(kind, said), takes.schema, gives.schema)
    if problem := screen.flaw(takes.schema.get("required", ())):
        raise InvalidRegistration(name=name, problem=problem)
    return screen


def _facts_problem(name: str, facts: Facts) -> str | None:
    if not _NAME.fullmatch(name):
        return "its name must be lower-case letters, digits, - and _, at most 100 characters"
    if facts.get("version", 1) < 1:
        return "versions are numbered from 1"
    for limit in ("max_concurrency", "rate_per_minute"):
        value = facts.get(limit)
        if isinstance(value, int) and value < 1:
            return f"{limit} must be at least 1, or None for no limit"
    if facts.get("timeout", 60.0) <= 0:
        return "its timeout must be more than 0 seconds"
    return budgets.flaw(facts["budget"]) if "budget" in facts else None


def _code_problem(function: AgentFunction, isolation: str, entrypoint: str, *, is_async: bool) -> str | None:
    if isolation not in {"loop", "thread", "process"}:
        return f"isolation {isolation!r} is not one of loop, thread, process"
    if is_async and isolation == "thread":
        return "an async function runs on the loop or in a process; drop isolation='thread'"
    if isolation == "process" and "<" in entrypoint:
        return "a process agent must be a function at the top level of its module"
    try:
        inspect.signature(function).bind("input", "ctx")
    except TypeError:
        return "its function must take two arguments: the input and the context"
    return None


def _contract(name: str, side: str, source: ContractSource) -> Contract:
    try:
        return compile_contract(source)
    except InvalidContract as error:
        problem = f"its {side} contract is not a usable JSON Schema at {error.facts['path']}: {error.facts['problem']}"
        raise InvalidRegistration(name=name, problem=problem) from error


def _place(function: AgentFunction) -> str:
    if place := getattr(function, "place", None):  # an LLM agent's function is made for it elsewhere
        return str(place)
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(function)
