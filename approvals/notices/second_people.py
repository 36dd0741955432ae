"""What waits for a second person besides gates: a change of access, a prompt, a policy of tools. Read by `telling`.

Whoever asked is not told, in any account of theirs; whoever could answer is, until somebody has.
"""

from typing import Protocol

from django.db.models import Q, QuerySet

from agents.models import PromptVersion
from agents.prompts.services import may_review
from agents.types import Json
from approvals import deciders, duties
from approvals.answerable import raci
from approvals.answerable.models import Part
from approvals.models import AccessChange, Notice
from approvals.notices.models import NoticeKind
from orchestrator.ledger import SealedEvent


class Reading(Protocol):
    """What of a reading of the log is needed here."""

    notices: list[Notice]
    answered: Q


def access_proposed(reading: Reading, event: SealedEvent) -> None:
    """Whoever may change access is told, but not whoever asked."""
    change = AccessChange.objects.select_related("proposed_by").filter(pk=_number(event, "change"), outcome="").first()
    if change is None:
        return
    facts: dict[str, Json] = {"change": change.pk, "by": change.proposed_by.username}
    title = str(next(iter(change.lines), ""))[:300]
    asked = duties.person_of(change.proposed_by)
    for person in deciders.holders("manage_access"):
        if duties.person_of(person) != asked:
            reading.notices.append(
                Notice(
                    recipient=person, pos=event.pos, kind=NoticeKind.ACCESS_WAITS, risk="high", title=title,
                    facts=facts, path=f"/access/changes/#change-{change.pk}",
                )
            )  # fmt: skip


def access_settled(reading: Reading, event: SealedEvent) -> None:
    """There is nothing left to confirm."""
    _answer(reading, Q(kind=NoticeKind.ACCESS_WAITS, facts__change=_number(event, "change")))


def prompt_submitted(reading: Reading, event: SealedEvent) -> None:
    """Whoever may review it is told: nobody who has written in it."""
    version = _version(event)
    if version is None or version.status != PromptVersion.Status.IN_REVIEW:
        return
    facts: dict[str, Json] = {
        "prompt": version.prompt.name, "version": version.number, "by": event.actor.removeprefix("user:"),
    }  # fmt: skip
    writers = set(duties.persons(version.editors).values())
    able = [
        person for person in deciders.holders("review_prompts")
        if may_review(version, person) and duties.person_of(person) not in writers
    ]  # fmt: skip
    for person in raci.asked_about(Part.Matter.PROMPTS, able):
        reading.notices.append(
            Notice(
                recipient=person, pos=event.pos, kind=NoticeKind.PROMPT_WAITS, risk="medium",
                title=version.prompt.title[:300], facts=facts, path=f"/agents/prompts/{version.prompt.name}/",
            )
        )  # fmt: skip


def prompt_reviewed(reading: Reading, event: SealedEvent) -> None:
    """There is nothing left to review."""
    facts = event.data or {}
    about = {"facts__prompt": facts.get("prompt"), "facts__version": facts.get("version")}
    _answer(reading, Q(kind=NoticeKind.PROMPT_WAITS, **about))


def policy_answered(reading: Reading, event: SealedEvent) -> None:
    """There is nothing left to approve."""
    facts = event.data or {}
    about = {"facts__policy": facts.get("policy"), "facts__number": facts.get("number")}
    _answer(reading, Q(kind=NoticeKind.POLICY_WAITS, **about))


def told_of(answered: Q) -> QuerySet[Notice]:
    """The notices about what has been answered meanwhile."""
    return Notice.objects.filter(answered) if answered else Notice.objects.none()


def _answer(reading: Reading, about: Q) -> None:
    reading.answered |= about


def _version(event: SealedEvent) -> PromptVersion | None:
    facts = event.data or {}
    named = {"prompt__name": str(facts.get("prompt")), "number": _number(event, "version")}
    return PromptVersion.objects.select_related("prompt").filter(**named).first()


def _number(event: SealedEvent, name: str) -> int:
    found = (event.data or {}).get(name)
    return found if isinstance(found, int) else 0
