"""Whether one agent can stand in for another, by their contracts."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from agents.contracts import compile_contract
from agents.errors import ContractViolation
from orchestrator.catalogue import default as catalogue
from orchestrator.definitions.agents import AgentContract
from orchestrator.definitions.plan import PlanStep


def contract_of(step: PlanStep) -> AgentContract | None:
    """The contract of the step's agent, if it has one that is known."""
    return catalogue.find(step.agent, step.agent_version) if step.agent else None


def misfits(given: Mapping[str, Any] | None, old: AgentContract | None, new: AgentContract) -> list[str]:
    """Why `new` cannot do what `old` does; empty if it can. `given` is the input, if it is known already."""
    found = []
    if given is not None:
        try:
            compile_contract(new.input_schema).check(dict(given))
        except ContractViolation as problem:
            found.append(
                _("its input %(path)s: %(problem)s")
                % {"path": problem.facts.get("path"), "problem": problem.facts.get("problem")}
            )
    elif old is not None:
        known = old.input_schema.get("properties", {})
        missing = [name for name in new.input_schema.get("required", ()) if name not in known]
        found += [_("it needs %(name)s, which the step does not give") % {"name": name} for name in missing]
    if old is not None:
        found += _missing_outputs(old.output_schema, new.output_schema)
    return found


def _missing_outputs(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What later steps may rely on and the new agent does not promise."""
    promised, sure = new.get("properties", {}), set(new.get("required", ()))
    found = []
    for name in old.get("required", ()):
        kind, other = _type(old.get("properties", {}).get(name)), _type(promised.get(name))
        if name not in sure:
            found.append(_("it does not promise %(name)s") % {"name": name})
        elif kind and other and kind != other:
            found.append(_("its %(name)s is %(other)s, not %(kind)s") % {"name": name, "other": other, "kind": kind})
    return found


def _type(schema: Any) -> str:
    found = schema.get("type") if isinstance(schema, dict) else None
    return found if isinstance(found, str) else ""
