"""Agents that judge what others put out: a verifier of citations and a guardian of tone. They read words only."""

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.context import AgentContext
from agents.quality import accuracy
from agents.quality.paths import leaves
from agents.registry import agent

_INSULTS = re.compile(r"\b(?:idiots?|stupid|moron(?:s|ic)?|shut up|pathetic|useless|dumb)\b", re.IGNORECASE)
_PROMISES = re.compile(
    r"\b(?:guarantee(?:d|s)?|100 ?%|never fails?|no risk|risk-free|we promise|full refund|legally binding)\b",
    re.IGNORECASE,
)
_HARM = re.compile(r"\b(?:kill|hurt|harm|destroy) (?:yourself|himself|herself|themselves|you)\b", re.IGNORECASE)


class Judged(BaseModel):
    """An output with the input that it was made from."""

    model_config = ConfigDict(extra="forbid")

    output: dict[str, Any]
    input: dict[str, Any] = Field(default_factory=dict)


class Verdict(BaseModel):
    """Whether it may be used, and why not. `score` is the share of the claims that hold."""

    verdict: Literal["pass", "fail"]
    reasons: list[str] = Field(default_factory=list, max_length=50)
    score: float = Field(ge=0, le=1)


class Watched(BaseModel):
    """What a guardian says: it may raise and hold, never act."""

    verdict: Literal["pass", "raise", "hold", "pause"]
    reason: str = ""


@agent(
    "citation-verifier", title="Citation verifier", input=Judged, output=Verdict, capabilities=["verify.citations"],
    tags=["quality"], timeout=20,
)  # fmt: skip
def verify_citations(given: Judged, ctx: AgentContext) -> Verdict:
    """Holds every claim of an output, wherever it stands, against the sources among its input, independently."""
    sources = accuracy.sources_of(given.input)
    claims = [
        claim for value in given.output.values() if isinstance(value, list) for claim in accuracy.claims_in(value)
    ]
    checked = [accuracy.judge(claim, sources) for claim in claims if claim.source]
    wrong = [claim for claim in checked if claim.status != "verified"]
    reasons = [f"{claim.status}: {claim.text[:200]} ({claim.source[:100]})" for claim in wrong[:50]]
    if not checked:
        return Verdict(verdict="fail", reasons=["no claim names a source"], score=0.0)
    return Verdict(verdict="fail" if wrong else "pass", reasons=reasons, score=1 - len(wrong) / len(checked))


@agent(
    "tone-guardian", title="Tone guardian", input=Judged, output=Watched, capabilities=["guard.tone"], tags=["quality"],
    timeout=20,
)  # fmt: skip
def guard_tone(given: Judged, ctx: AgentContext) -> Watched:
    """Raises promises that a company may have to keep, holds insults, and lets a run stand still over threats."""
    text = "\n".join(value for _, value in leaves(given.output) if isinstance(value, str))
    for pattern, verdict, words in (
        (_HARM, "pause", "a threat or an invitation to harm"),
        (_INSULTS, "hold", "an insult"), (_PROMISES, "raise", "a promise"),
    ):  # fmt: skip
        if found := pattern.search(text):
            return Watched.model_validate({"verdict": verdict, "reason": f'{words}: "{found.group()}"'})
    return Watched(verdict="pass")
