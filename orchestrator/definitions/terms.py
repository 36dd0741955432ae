"""Who must agree at a gate and when: from a definition's fields to GateTerms, refusing what cannot be carried out."""

from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.definitions.errors import Problems
from orchestrator.definitions.fields import seconds
from orchestrator.definitions.load import StepSource
from orchestrator.definitions.plan import GateTerms

RUNWAY = 3600.0

type Note = Callable[[str, str, str], None]


def terms_of(step: StepSource, fields: Mapping[str, Any], problems: Problems) -> GateTerms:
    """The terms of one gate; what contradicts itself is a problem of the definition."""

    def note(field: str, message: str, remedy: str) -> None:
        problems.add(message, step=step.key, field=field, remedy=remedy, line=step.line)

    keys, blind = fields.get("two_keys", False), fields.get("blind", False)
    terms = GateTerms(
        approvals=fields.get("approvals", 2 if keys or blind else 1),
        rejections=fields.get("rejections", 1),
        blind=blind,
        two_keys=keys,
        purpose=fields.get("purpose", ""),
        skills=tuple(fields.get("skills", ())),
        checklist=tuple(fields.get("checklist", ())),
        remind_s=_reminders(fields.get("remind", ()), note),
        business_hours=fields.get("business_hours", False),
        escalation=tuple(fields.get("escalation", ())),
        rounds=fields.get("rounds", 1),
        mitigations=tuple(fields.get("mitigations", ())),
        feedback=fields.get("feedback", ""),
        runway_s=_runway(fields.get("runway"), note),
        rehearse=fields.get("rehearse", ""),
    )
    _check_people(step, terms, note)
    _check_purpose(terms, fields, note)
    _check_time(terms, fields, note)
    if terms.rehearse and not fields.get("action"):
        note("rehearse", "a dry run needs the arguments of what will be done", "give them in action")
    return terms


def _reminders(given: Any, note: Note) -> tuple[float, ...]:
    spans = [seconds(text) for text in given]
    if None in spans:
        note("remind", "is not a list of durations", "write [2h, 15m]")
    return tuple(sorted((span for span in spans if span), reverse=True))


def _check_people(step: StepSource, terms: GateTerms, note: Note) -> None:
    if terms.two_keys and terms.approvals != 2:
        note("approvals", "two keys are turned by two people", "leave approvals out, or two_keys")
    if terms.two_keys and terms.blind:
        note("blind", "who turns a key sees the other one", "leave one of blind and two_keys out")
    if terms.blind and terms.approvals < 2:
        note("blind", "nobody can be blind to others who are not asked", "set approvals to 2 or more")
    if terms.approvals < 2 and terms.rejections > 1:
        note("rejections", "one person decides here", "set approvals to 2 or more, or leave rejections out")
    if step.type in {"manual", "hybrid"} and terms.approvals > 1:
        note("approvals", "work is done by one person", "add an approval step after it")


def _check_purpose(terms: GateTerms, fields: Mapping[str, Any], note: Note) -> None:
    if terms.purpose == "compliance" and not terms.checklist:
        note("checklist", "a compliance gate has points to tick", "list them")
    if fields.get("sample") and fields.get("when", True) in (True, "true"):
        note("sample", "everything is asked about already", "leave sample out, or say when people are asked")
    if terms.purpose == "strategic" and fields.get("when", True) not in (True, "true"):
        note("when", "a strategic gate always asks", "leave when out, or purpose")


def _runway(given: Any, note: Note) -> float | None:
    if given is None or given == "none":
        return None if given is None else 0.0
    length = seconds(str(given))
    if length is None or length > RUNWAY:
        note("runway", "is not a length of time up to an hour", "write 30s, 5m or 1h, or none for not at all")
    return length


def _check_time(terms: GateTerms, fields: Mapping[str, Any], note: Note) -> None:
    if terms.runway_s and terms.two_keys:
        note("runway", "two keys are turned at one moment", "leave one of runway and two_keys out")
    if terms.rounds > 1 and not terms.escalation:
        note("rounds", "there is no chain to walk again", "name the queues in escalation")
    if terms.escalation and fields.get("escalate_to"):
        note("escalate_to", "escalation says already who is asked", "keep one of them")
    if fields.get("on_timeout") != "approve":
        return
    if fields.get("risk") in ("high", "critical"):
        note("on_timeout", "what is of high risk is not approved by time", "use escalate, reject, remind or hold")
    if terms.approvals > 1 or terms.purpose or terms.checklist:
        note("on_timeout", "what needs several people, or a purpose, is not approved by time", "use another outcome")
