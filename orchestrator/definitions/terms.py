"""Who must agree at a gate: from a definition's fields to GateTerms, refusing what could never be carried out."""

from collections.abc import Mapping
from typing import Any

from orchestrator.definitions.errors import Problems
from orchestrator.definitions.load import StepSource
from orchestrator.definitions.plan import GateTerms


def terms_of(step: StepSource, fields: Mapping[str, Any], problems: Problems) -> GateTerms:
    """The terms of one gate; what contradicts itself is a problem of the definition."""
    keys = fields.get("two_keys", False)
    blind = fields.get("blind", False)
    approvals = fields.get("approvals", 2 if keys or blind else 1)
    rejections = fields.get("rejections", 1)

    def note(field: str, message: str, remedy: str) -> None:
        problems.add(message, step=step.key, field=field, remedy=remedy, line=step.line)

    if keys and approvals != 2:
        note("approvals", "two keys are turned by two people", "leave approvals out, or two_keys")
    if keys and blind:
        note("blind", "who turns a key sees the other one", "leave one of blind and two_keys out")
    if blind and approvals < 2:
        note("blind", "nobody can be blind to others who are not asked", "set approvals to 2 or more")
    if approvals < 2 and rejections > 1:
        note("rejections", "one person decides here", "set approvals to 2 or more, or leave rejections out")
    if step.type in {"manual", "hybrid"} and approvals > 1:
        note("approvals", "work is done by one person", "add an approval step after it")
    return GateTerms(approvals=approvals, rejections=rejections, blind=blind, two_keys=keys)
