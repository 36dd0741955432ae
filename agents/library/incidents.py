"""The incidents of `genai-incidents`: what an alert shows an agent, and the split that evaluations may trust.

Severity is ground truth and never part of an alert. Near duplicates (one advisory text for many packages, one event
told by two trackers) fall into one part of the split, so that no test incident was seen in training.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import genai_incidents

from agents.types import Json

DATA_VERSION = "genai-incidents 2.13.0"

type Level = Literal["low", "medium", "high", "critical"]
type Part = Literal["train", "calibrate", "test"]

LEVELS: tuple[Level, ...] = ("low", "medium", "high", "critical")

# What the trackers write around every entry: it says who lists an incident, not what happened.
_BOILERPLATE = re.compile(
    r"Tracked by the OECD AI Incidents and Hazards Monitor[^\n]*?\bdated [\d-]+\.\s*"
    r"|See the (?:linked )?(?:AIM|AIID)\b[^\n]*?(?:\.(?=\s|$)(?!\S)|$)"
    r"|AI Incident Database \(AIID\) entry #\d+:[^\n]*?(?=Alleged\b|$)"
    r"|AIAAIC-tracked incident\.\s*"
    r"|Classified attack vector: [\w-]+\.\s*",
)
_NOT_LETTERS = re.compile(r"[\W\d_]+")


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident with its ground truth."""

    id: str
    title: str
    description: str
    affected: str
    category: str
    date: str
    reference: str
    owasp_llm: tuple[str, ...]
    nist_ai_rmf: tuple[str, ...]
    mitre_atlas: tuple[str, ...]
    severity: str

    def alert(self) -> dict[str, Json]:
        """What a workflow receives: everything but the severity."""
        return {
            "id": self.id,
            "title": self.title[:300],
            "description": self.description,
            "affected": self.affected[:500],
            "category": self.category,
            "date": self.date,
            "reference": self.reference,
            "owasp_llm": list(self.owasp_llm),
            "nist_ai_rmf": list(self.nist_ai_rmf),
            "mitre_atlas": list(self.mitre_atlas),
        }


def load() -> list[Incident]:
    """All incidents of the installed file, in its order."""
    return [_incident(record) for record in genai_incidents.load_incidents()]


def narrative(title: str, description: str, affected: str = "") -> str:
    """What an agent reads: the alert's text without the trackers' boilerplate, a paragraph for each part."""
    body = _BOILERPLATE.sub("", description).strip()
    parts = [title.strip(), body, f"Affected: {affected.strip()}" if affected.strip() else ""]
    return "\n".join(part for part in parts if part)


def part(incident: Incident) -> Part:
    """The incident's part of the split, 70/15/15, by the hash of its family: stable across releases and orders."""
    share = int(hashlib.sha256(_family(incident).encode()).hexdigest()[:8], 16) % 100
    return "train" if share < 70 else "calibrate" if share < 85 else "test"


@cache
def _body_is_the_event(description: str) -> bool:
    return len(_BOILERPLATE.sub("", description)) > 0.8 * len(description)


def _family(incident: Incident) -> str:
    text = incident.description[:150] if _body_is_the_event(incident.description) else incident.title
    return _NOT_LETTERS.sub(" ", text.lower()).strip()


def _incident(record: Mapping[str, object]) -> Incident:
    return Incident(
        id=str(record["id"]),
        title=str(record["title"]),
        description=str(record["description"]),
        affected=str(record["affected"] or ""),
        category=str(record["attack_vector"] or "other"),
        date=str(record["date"] or ""),
        reference=str(record["primary_reference"] or ""),
        owasp_llm=_texts(record["owasp_llm"]),
        nist_ai_rmf=_texts(record["nist_ai_rmf"]),
        mitre_atlas=_texts(record["mitre_atlas"]),
        severity=str(record["severity"]).lower(),
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()
