"""The agents that steps name: found in a catalogue, and their inputs held against their contracts."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from agents.types import Json
from orchestrator.definitions import contracts
from orchestrator.definitions.errors import Problems, did_you_mean
from orchestrator.definitions.load import StepSource
from orchestrator.definitions.references import in_values


class AgentContract(Protocol):
    """What is promised of one version of an agent, as JSON Schemas."""

    @property
    def input_schema(self) -> Mapping[str, Any]: ...

    @property
    def output_schema(self) -> Mapping[str, Any]: ...


class AgentCatalogue(Protocol):
    """The agents that a definition may name."""

    def find(self, name: str, version: int | None) -> AgentContract | None:
        """One version of an agent, the newest for None; None if there is no such agent or version."""
        ...

    def names(self) -> Sequence[str]:
        """All agents' names."""
        ...


class Agents:
    """Looks each agent up once and checks the inputs of the steps that use it."""

    def __init__(self, catalogue: AgentCatalogue, problems: Problems) -> None:
        self.catalogue = catalogue
        self._problems = problems
        self._found: dict[str, AgentContract | None] = {}

    def contract(self, agent: str) -> AgentContract | None:
        """The contract of "name" or "name@3"."""
        if agent not in self._found:
            name, version = name_and_version(agent)
            self._found[agent] = self.catalogue.find(name, version)
        return self._found[agent]

    def check(self, step: StepSource) -> None:
        """The step's agent exists, gets what it requires, nothing unknown, and literal values that fit."""
        if "agent" not in step.fields:
            self._note(step, "agent", "is missing", 'name the agent that does it, or choose one with "select"')
            return
        self.check_call(step, "", step.fields)

    def check_call(self, step: StepSource, place: str, fields: Mapping[str, Any]) -> None:
        """The same for a call that stands at `place` in a step: its `agent` and `inputs`."""
        agent: str = fields.get("agent", "")
        contract = self.contract(agent)
        at = f"{place}." if place else ""
        if contract is None:
            self._refuse_unknown(step, agent, "fallback" if place == "fallback" else f"{at}agent")
            return
        inputs: dict[str, Json] = fields.get("inputs", {})
        required = contract.input_schema.get("required", ())
        for name in required:
            if name not in inputs:
                self._note(step, f"{at}inputs.{name}", f"is required by {agent}", "give it a value")
        known = contracts.properties(contract.input_schema)
        for name in inputs:
            if known is not None and name not in known:
                message = f"is not an input of {agent}"
                self._note(step, f"{at}inputs.{name}", message, did_you_mean(name, list(known)))
        complete = all(name in inputs for name in required)
        for path, message in _literal_flaws(contract.input_schema, inputs, complete=complete):
            self._note(step, at + ".".join(part for part in ("inputs", path) if part), message, "")

    def check_named(self, step: StepSource, agents: Iterable[str], *, field: str = "options") -> None:
        """Each of the agents that a pattern names in this field exists."""
        for agent in agents:
            if self.contract(agent) is None:
                self._refuse_unknown(step, agent, field)

    def _refuse_unknown(self, step: StepSource, agent: str, field: str) -> None:
        name, version = name_and_version(agent)
        names = self.catalogue.names()
        if name in names:
            self._note(step, field, f'"{name}" has no version {version}', "leave @version out for the newest")
        else:
            self._note(step, field, f'"{name}" is not an agent', did_you_mean(name, names) or "register it first")

    def _note(self, step: StepSource, field: str, message: str, remedy: str) -> None:
        self._problems.add(message, step=step.key, field=field, remedy=remedy, line=step.line)


def _literal_flaws(schema: Mapping[str, Any], inputs: dict[str, Json], *, complete: bool) -> list[tuple[str, str]]:
    literal = {name: value for name, value in inputs.items() if next(in_values(value, ""), None) is None}
    if complete and len(literal) == len(inputs):
        return list(contracts.violations(schema, inputs))
    return [flaw for name, value in literal.items() for flaw in _property_flaws(schema, name, value)]


def _property_flaws(schema: Mapping[str, Any], name: str, value: Json) -> list[tuple[str, str]]:
    inner = schema.get("properties", {}).get(name)
    if not isinstance(inner, dict):
        return []
    shared = {word: schema[word] for word in ("$defs", "definitions") if word in schema}
    return [
        (f"{name}.{path}" if path else name, text) for path, text in contracts.violations({**shared, **inner}, value)
    ]


def name_and_version(agent: str) -> tuple[str, int | None]:
    """ "name@3" as ("name", 3)."""
    name, _, version = agent.partition("@")
    return name, int(version) if version else None
