"""What may enter memory, and what waits for a person first: asked of every text, whoever brings it."""

from dataclasses import dataclass
from typing import Final

from agents.cleaning import storable
from agents.errors import MemoryRefused
from agents.guardrails import consent, credentials, detectors, injection, sealing
from agents.guardrails.keyring import pseudonym
from agents.guardrails.masking import mask_text

LONGEST: Final = 8_000  # characters
NEVER: Final = frozenset({"pci"})
OUTSIDE: Final = 0.3  # an injection's score from which text that came from outside waits for a person


@dataclass(frozen=True, slots=True)
class Entry:
    """A text that may be kept. `masked` is what is embedded; `quarantine` says why it is not recalled yet."""

    text: str
    masked: str
    tags: frozenset[str]
    subject: str  # a pseudonym
    quarantine: str


def checked(text: str, *, subject: str, source: str, inherited: frozenset[str] = frozenset()) -> Entry:
    """The entry for a text. `subject` is a pseudonym. Raises MemoryRefused.

    1. No secrets, no card data, nothing sealed: what is never kept.
    2. Personal and health data only about a named person who has agreed to it.
    3. What speaks to a model is kept apart: memory is read into later prompts, so it is where an attack would wait.
    """
    text = storable(text).strip()
    _refuse_size(text)
    if credentials.find(text):
        raise MemoryRefused(problem="it holds what looks like a secret; keep a reference to it instead", rule="memory")
    if sealing.PREFIX in text:
        raise MemoryRefused(
            problem="it holds a sealed value; tagged data enters only in clear, and with consent", rule=""
        )
    spans = detectors.find(text)
    tags = inherited | {span.tag for span in spans}
    if tags & NEVER:
        raise MemoryRefused(problem="it holds card data, which is never remembered", rule="memory")
    if tags and not subject:
        raise MemoryRefused(problem="it holds personal data, and names nobody whose it is: say subject=", rule="")
    if tags and not consent.holds(subject, consent.MEMORY):
        problem = f"the person it is about has not agreed to {consent.MEMORY!r}; record their consent first"
        raise MemoryRefused(problem=problem, rule="")
    verdict = injection.judge(text)
    is_suspect = verdict.is_named if source == "agent" else verdict.score >= OUTSIDE
    why = f"it speaks to a model: {', '.join(verdict.rules)}" if is_suspect else ""
    return Entry(text, mask_text(text, spans), tags, subject, why)


def named(subject: str) -> str:
    """The pseudonym of a person's id, empty for nobody."""
    return pseudonym(subject) if subject else ""


def _refuse_size(text: str) -> None:
    if not text:
        raise MemoryRefused(problem="it is empty", rule="")
    if len(text) > LONGEST:
        raise MemoryRefused(problem=f"it has {len(text):,} characters, and {LONGEST:,} are the most", rule="")
