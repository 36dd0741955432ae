"""The rules of deciding as pure functions over plain values: seals, notes, outcomes, urgency, escalation."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from agents.types import Json

NOTE_LIMIT: Final = 10_000
CLAIM_MINUTES: Final = 10
PRESENCE_SECONDS: Final = 30
HARM: Final[Mapping[str, int]] = {"low": 1, "medium": 4, "high": 16, "critical": 64}

# What a verdict makes of its gate. A verdict that is not listed here settles nothing.
OUTCOME: Final[Mapping[str, str]] = {
    "approve": "approved",
    "edit": "approved",
    "complete": "approved",
    "retry": "approved",
    "skip": "approved",
    "extend": "approved",
    "go_on": "approved",
    "choose": "approved",  # or returned: see `outcome`
    "request_changes": "returned",
    "reject": "rejected",
    "terminate": "rejected",
    "expire": "expired",
}
_NOTE_ALWAYS = frozenset({"reject", "request_changes", "terminate"})
_CARRIES_ANSWER = frozenset({"edit", "complete", "extend", "choose"})


def canonical(value: Json) -> bytes:
    """JSON as bytes that survive PostgreSQL's jsonb: sorted keys, and one spelling for every number."""
    return json.dumps(
        _one_spelling(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def seal(subject: Json) -> str:
    """SHA-256 over what a reviewer saw."""
    return hashlib.sha256(canonical(subject)).hexdigest()


def same(left: Json, right: Json) -> bool:
    """Whether two values are the same JSON."""
    return canonical(left) == canonical(right)


def needs_note(verdict: str, risk: str) -> bool:
    """Whether a person must say why."""
    return verdict in _NOTE_ALWAYS or risk == "critical"


def carries_answer(verdict: str) -> bool:
    """Whether the verdict brings its own output: an edited proposal, or a form's answer."""
    return verdict in _CARRIES_ANSWER


def is_own_request(user_id: int, requesters: Sequence[int | None]) -> bool:
    """Whether the user is one of those who asked; nobody decides their own request, whatever their rights."""
    return user_id in requesters


def outcome(verdict: str, answer: Json) -> str:
    """What a verdict with its answer makes of its gate: a chosen alternative that is only words goes to the agent."""
    if verdict == "choose" and isinstance(answer, dict):
        option = answer.get("option")
        return "approved" if isinstance(option, dict) and isinstance(option.get("output"), dict) else "returned"
    return OUTCOME[verdict]


def clean_text(text: str) -> str:
    """What a person typed, without the characters that PostgreSQL or UTF-8 cannot hold."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode().replace("\r\n", "\n").strip()


def next_queue(
    *, explicit: int | None, chain: Mapping[int, int | None], trail: Sequence[int], queue: int
) -> int | None:
    """Where a gate goes when its deadline passes: the step's own choice first, then the queue's; never back.

    `chain` maps each queue to the one it escalates to; None here means that nobody further is left to ask.
    """
    been = {*trail, queue}
    for candidate in (explicit, chain.get(queue)):
        if candidate is not None and candidate not in been:
            return candidate
    return None


def confidence_words(confidence: float | None) -> str:
    """The agent's confidence for people; the number is shown beside it."""
    if confidence is None:
        return "no confidence claimed"
    steps = ((0.95, "very sure"), (0.8, "fairly sure"), (0.6, "unsure"), (0.4, "very unsure"))
    return next((word for low, word in steps if confidence >= low), "close to guessing")


def _one_spelling(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _one_spelling(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_one_spelling(item) for item in value]
    # jsonb keeps numbers as decimals: 1e23 comes back as an integer and -0.0 as 0.0.
    if isinstance(value, float) and value.is_integer():
        return int(Decimal(repr(value)))
    return value
