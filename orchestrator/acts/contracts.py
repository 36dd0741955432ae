"""Whether one agent can stand in for another, and whether a value is what a contract asks for."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from agents.cleaning import clean
from agents.contracts import compile_contract
from agents.errors import ContractViolation, OutputRejected
from agents.types import Json
from orchestrator.acts.refusals import AnswerInvalid
from orchestrator.fitting import contract_of, misfits

__all__ = ["contract_of", "misfits", "valid"]


def valid(value: Json, schema: Mapping[str, Any], *, what: str) -> dict[str, Json]:
    """The cleaned value. Raises AnswerInvalid naming the first field that breaks the schema."""
    try:
        cleaned = clean(value).value
        compile_contract(schema).check(cleaned)
    except OutputRejected as problem:
        raise AnswerInvalid(field=what, problem=str(problem).rstrip(".")) from problem
    except ContractViolation as problem:
        path, found = problem.facts.get("path"), problem.facts.get("problem")
        raise AnswerInvalid(field=f"{what}: {path}", problem=str(found).rstrip(".")) from problem
    if not isinstance(cleaned, dict):
        raise AnswerInvalid(field=what, problem=_("a JSON object is needed"))
    return cleaned
