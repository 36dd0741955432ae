"""One form for the arguments of a call: what is judged, approved and run is the same. No Django."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

from agents import cleaning
from agents.cleaning import Limits
from agents.contracts import Contract
from agents.errors import ContractViolation, OutputRejected, ToolArgumentsInvalid
from agents.types import Json

LIMITS: Final = Limits(depth=32, size=1024 * 1024, nodes=50_000)
EXACT: Final = 2**53  # below it a whole number written as a float is the same number


def normal(tool: str, arguments: object, contract: Contract) -> dict[str, Json]:
    """A plain copy that fits the tool's contract. Raises ToolArgumentsInvalid.

    JSON text, as models write it, may not repeat a key. 50.0 and 50 are one number. Text is left as it is: characters
    that look alike are different, and what cannot be stored is refused rather than repaired.
    """
    try:
        given = {} if arguments is None else arguments
        is_text = isinstance(given, str | bytes)
        cleaned = cleaning.clean_text(given, LIMITS) if is_text else cleaning.clean(given, LIMITS)  # type: ignore[arg-type]
        if cleaned.changes:
            path, _, problem = cleaned.changes[0].partition(": ")
            raise ToolArgumentsInvalid(tool=tool, path=path, problem=problem)
        value = one_spelling(cleaned.value)
        if not isinstance(value, dict):
            raise ToolArgumentsInvalid(
                tool=tool, path="(top level)", problem="they must be an object with named fields"
            )
        contract.check(value)
    except (OutputRejected, ContractViolation) as error:
        raise ToolArgumentsInvalid(tool=tool, path=error.path, problem=error.problem) from error
    return value


def one_spelling(value: Any) -> Json:
    """The same JSON with whole floats as whole numbers."""
    if isinstance(value, dict):
        return {key: one_spelling(item) for key, item in value.items()}
    if isinstance(value, list):
        return [one_spelling(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        return int(value)
    return value  # type: ignore[no-any-return]


def seal(*facts: Json) -> str:
    """SHA-256 of facts as canonical JSON: sorted keys, one spelling of numbers, characters as they are."""
    text = json.dumps(
        one_spelling(list(facts)), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return hashlib.sha256(text.encode()).hexdigest()


def chosen_scopes(tool: str, asked: Sequence[str] | None, declared: frozenset[str]) -> tuple[str, ...]:
    """The data scopes of a call: those it names, all of the tool's if it names none."""
    if asked is None:
        return tuple(sorted(declared))
    if isinstance(asked, str) or not all(isinstance(scope, str) for scope in asked) or not declared.issuperset(asked):
        raise ToolArgumentsInvalid(tool=tool, path="scopes", problem="they must be among the tool's own data scopes")
    return tuple(sorted(set(asked)))
