"""What evaluations found about a prompt version. Anybody's code may record here; publishing asks here."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from agents import event_log
from agents.models import PromptEvidence, PromptVersion
from agents.prompts.errors import PromptInvalid
from agents.types import Json


@dataclass(frozen=True, slots=True)
class Result:
    """What an evaluation found. `score` 0-100; `reference` says where the whole result is; None: it ended just now."""

    suite: str
    reference: str
    score: float
    passed: bool
    measured_at: datetime | None = None


@transaction.atomic
def record(version: PromptVersion, result: Result, *, by: str) -> PromptEvidence:
    """Keep a result about the version's present text; `by` as events name actors.

    Raises PromptInvalid for a score out of range or a time that has not come.
    """
    at = result.measured_at or timezone.now()
    if not 0 <= result.score <= 100:
        raise PromptInvalid(problem="a score is from 0 to 100", field="evidence")
    if at > timezone.now():
        raise PromptInvalid(problem="an evaluation cannot have ended in the future", field="evidence")
    facts: dict[str, Any] = {
        "suite": result.suite[:100],
        "reference": result.reference[:200],
        "score": result.score,
        "passed": result.passed,
    }
    found = PromptEvidence.objects.create(
        version=version, digest=version.digest, measured_at=at, recorded_by=by[:200], **facts
    )
    told: dict[str, Json] = {"prompt": version.prompt.name, "version": version.number, **facts}
    event_log.record("prompt.evaluated", actor=by, data=told)
    return found


def supporting(version: PromptVersion) -> PromptEvidence | None:
    """The newest evaluation of exactly this text, made after its last change, if it passed; None otherwise."""
    newest = version.evidence.filter(digest=version.digest, measured_at__gt=version.changed_at).first()
    return newest if newest is not None and newest.passed else None
