"""What a promotion asks: the newest evaluation of a subject, and whether it is newer than the change.

A subject is "agent:NAME", "agent:NAME@VERSION" or "prompt:NAME@VERSION".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from agents.models import Evaluation

REQUIRED = ("functional", "safety")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One stored evaluation, as far as a promotion needs it."""

    evaluation: int
    subject: str
    kind: str
    suite: str
    passed: bool
    at: datetime
    agent_version: int
    agent_digest: str
    dataset_digest: str


def latest(subject: str, kind: str) -> Evidence | None:
    """The newest evaluation of this subject by a suite of this kind; None if there is none."""
    family, _, rest = subject.partition(":")
    name, _, version = rest.partition("@")
    found = Evaluation.objects.filter(kind=kind)
    if family == "prompt":
        found = found.filter(prompt_version=rest)
    elif family == "agent":
        found = found.filter(agent=name, **({"agent_version": int(version)} if version.isdecimal() else {}))
    else:
        return None
    row = found.order_by("-id").first()
    if row is None:
        return None
    return Evidence(
        row.pk,
        subject,
        kind,
        row.suite,
        row.passed,
        row.started_at,
        row.agent_version,
        row.agent_digest,
        row.dataset_digest,
    )


def missing(subject: str, *, newer_than: datetime, kinds: Iterable[str] = REQUIRED) -> list[str]:
    """Why this subject may not be promoted, a sentence each; empty if it passed since the change."""
    found = []
    for kind in kinds:
        known = latest(subject, kind)
        if known is None:
            found.append(f"There is no {kind} evaluation of {subject}: run one with manage.py evaluate.")
        elif known.at <= newer_than:
            found.append(
                f"Evaluation {known.evaluation} ({known.suite}) is older than the change: run {known.suite} again."
            )
        elif not known.passed:
            found.append(f"Evaluation {known.evaluation} ({known.suite}) missed its thresholds.")
    return found
