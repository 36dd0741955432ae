"""Consent: who has agreed that their data is used for what. People are kept as keyed hashes of their ids."""

from dataclasses import dataclass
from typing import Final

from django.db import transaction

from agents.errors import ConsentMissing
from agents.guardrails.keyring import pseudonym
from agents.guardrails.ports import watch
from agents.models import Consent
from agents.types import Json

MEMORY: Final = "memory"  # the purpose under which agents may remember personal data


@dataclass(frozen=True, slots=True)
class Statement:
    """What a person said, who wrote it down, and what proves it."""

    subject: str  # their id as other systems know it: only its hash is kept
    purpose: str
    granted: bool
    by: str
    evidence: str


@transaction.atomic
def state(said: Statement) -> Consent:
    """Write down that consent was given or withdrawn; the newest statement counts."""
    made = Consent.objects.create(
        subject=pseudonym(said.subject), purpose=said.purpose, granted=said.granted, by=said.by, evidence=said.evidence
    )
    kind = "consent.granted" if said.granted else "consent.withdrawn"
    data: dict[str, Json] = {
        "consent": made.pk,
        "subject": made.subject[:12],
        "purpose": said.purpose,
        "reason": said.evidence,
    }
    watch().happened(kind, actor=f"user:{said.by}", data=data)
    return made


def holds(hashed: str, purpose: str) -> bool:
    """Whether the person with this pseudonym agrees to it now."""
    newest = Consent.objects.filter(subject=hashed, purpose=purpose).order_by("-pk").values_list("granted", flat=True)
    return newest.first() is True


def require(subject: str, purpose: str) -> None:
    """Raise ConsentMissing unless this person agrees; nobody named counts as nobody having agreed."""
    if not subject or not holds(pseudonym(subject), purpose):
        raise ConsentMissing(purpose=purpose)
