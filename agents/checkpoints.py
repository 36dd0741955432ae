"""What a checkpoint may hold: decisions, how far the work is, findings and next steps. Pure; never raw data.

Whoever makes one (an agent, a person, a step's setting) goes through `checked`. Sizes are in characters, of the
whole in bytes of JSON. A text that is itself JSON, markup, an HTTP answer or one unbroken run of characters is data,
not a finding: it belongs in the step's output.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from agents import cleaning
from agents.contracts import compile_contract
from agents.errors import CheckpointRefused, ContractViolation, OutputRejected
from agents.types import Json

MAX_BYTES: Final = 16_384
MAX_NAME: Final = 200
LONGEST_WORD: Final = 200  # an address fits; a key, a picture or an encoded file does not

_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": 1000}
_SHORT: Final = {"type": "string", "minLength": 1, "maxLength": 300}
_SHARE: Final = {"type": "number", "minimum": 0, "maximum": 1}


def _list_of(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "maxItems": 50, "items": item}


def _closed(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": properties}


SCHEMA: Final[dict[str, Any]] = _closed(
    (),
    decisions=_list_of(_closed(("decision", "reasoning"), decision=_SHORT, reasoning=_TEXT)),
    completion=_closed((), status=_SHORT, share=_SHARE),
    findings=_list_of(_closed(("finding",), finding=_TEXT, confidence=_SHARE)),
    next_steps=_list_of(_SHORT),
)
_CONTRACT: Final = compile_contract(SCHEMA)
_MARKUP: Final = re.compile(r"\s*(?:<(?:[a-zA-Z!?])|HTTP/\d)")


@dataclass(frozen=True, slots=True)
class Notes:
    """The four parts of a checkpoint, checked."""

    decisions: list[dict[str, Json]] = field(default_factory=list)  # {decision, reasoning}
    completion: dict[str, Json] = field(default_factory=dict)  # {status, share: 0-1}
    findings: list[dict[str, Json]] = field(default_factory=list)  # {finding, confidence: 0-1}
    next_steps: list[str] = field(default_factory=list)


def checked_name(name: str) -> str:
    """A checkpoint's name on one line. Raises CheckpointRefused."""
    plain = " ".join(name.split())
    if not plain or len(plain) > MAX_NAME or not plain.isprintable():
        raise CheckpointRefused(field="name", problem=f"it must be 1 to {MAX_NAME} plain characters")
    return plain


def checked(given: Mapping[str, Any]) -> Notes:
    """The notes, if they are notes. Raises CheckpointRefused naming the field."""
    try:
        value = cleaning.clean(dict(given)).value
        _CONTRACT.check(value)
    except (ContractViolation, OutputRejected) as flaw:
        raise CheckpointRefused(field=flaw.path, problem=flaw.problem) from flaw
    size = len(orjson.dumps(value))
    if size > MAX_BYTES:
        problem = f"it has {size:,} bytes, more than {MAX_BYTES:,}; keep what was decided and found, not what was read"
        raise CheckpointRefused(field="the whole", problem=problem)
    _refuse_raw(value, "")
    assert isinstance(value, dict)
    parts: dict[str, Any] = value
    return Notes(**parts)


def _refuse_raw(value: Any, path: str) -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            _refuse_raw(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            _refuse_raw(item, f"{path}.{number}")
    elif isinstance(value, str) and (what := _raw(value)):
        raise CheckpointRefused(field=path, problem=f"{what} is raw data; say in words what it means")


def _raw(text: str) -> str:
    if _MARKUP.match(text):
        return "markup or an answer of a server"
    if any(len(word) > LONGEST_WORD for word in text.split()):
        return f"a run of more than {LONGEST_WORD} characters without a space"
    if text.lstrip()[:1] in ("{", "["):
        try:
            orjson.loads(text)
        except orjson.JSONDecodeError:
            return ""
        return "JSON"
    return ""
