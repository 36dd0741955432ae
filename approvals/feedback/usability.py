"""Rounds of usability tests with people, what they found, and how that was mended: the accessibility report (B227).

What tests of this repository hold by themselves (axe on every page, a decision by keyboard alone) is said on the page;
nothing here is made up from it: a round is one that somebody held with people.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from agents.types import Json
from approvals import permissions, policy
from approvals.errors import FeedbackNotFound, FeedbackRefused, NotPermitted
from approvals.feedback.models import UsabilityFinding, UsabilityRound
from orchestrator import events
from orchestrator.events import EventKind
from orchestrator.services import actor_of

LONGEST: Final = 5_000  # characters
MOST_GROUPS: Final = 12
MOST_PEOPLE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Held:
    """A round as somebody writes it down."""

    title: str
    held_on: date | None
    method: str
    groups: tuple[str, ...]
    people: int
    tries: int
    done: int


def rounds() -> QuerySet[UsabilityRound]:
    """Every round, the newest first, with what it found."""
    return UsabilityRound.objects.select_related("recorded_by").prefetch_related("findings__closed_by")


def open_findings() -> QuerySet[UsabilityFinding]:
    """What is still to be mended, the gravest first."""
    grave = {"blocking": 0, "serious": 1, "minor": 2}
    found = UsabilityFinding.objects.filter(closed_at=None).select_related("round")
    ids = [one.pk for one in sorted(found[:500], key=lambda one: (grave[one.severity], one.pk))]
    return UsabilityFinding.objects.filter(pk__in=ids).select_related("round")


def may_record(user: User) -> bool:
    """Whether this person may write rounds and findings down."""
    return permissions.can(user, "edit_quality")


@transaction.atomic
def record(held: Held, *, by: User) -> UsabilityRound:
    """Write a round down. Raises FeedbackRefused, NotPermitted."""
    _authorise(by)
    title = " ".join(policy.clean_text(held.title).split())[:200]
    method = policy.clean_text(held.method)[:LONGEST]
    groups = [" ".join(policy.clean_text(group).split())[:100] for group in held.groups]
    groups = [group for group in dict.fromkeys(groups) if group][:MOST_GROUPS]
    if not title or not method:
        raise FeedbackRefused(why=_("a round has a name, and says how it was held"))
    if held.held_on is None or held.held_on > timezone.localdate():
        raise FeedbackRefused(why=_("it says on which day it was held, today or before"))
    if len(groups) < 2:
        raise FeedbackRefused(why=_("name at least two groups of people: one alone says little about others"))
    if not 1 <= held.people <= MOST_PEOPLE or not 0 <= held.done <= held.tries <= 32_000:
        raise FeedbackRefused(why=_("count the people, the tasks that were tried, and how many of them were completed"))
    made = UsabilityRound.objects.create(
        title=title, held_on=held.held_on, method=method, groups=groups, people=held.people, tries=held.tries,
        done=held.done, recorded_by=by,
    )  # fmt: skip
    facts: dict[str, Json] = {"round": made.pk, "groups": [*groups], "people": held.people}
    events.append(EventKind.USABILITY_RECORDED, actor=actor_of(by), data=facts)
    return made


@transaction.atomic
def find(*, round_id: int, text: str, severity: str, criterion: str = "", by: User) -> UsabilityFinding:
    """Add what a round found. Raises FeedbackNotFound, FeedbackRefused, NotPermitted."""
    _authorise(by)
    held = UsabilityRound.objects.filter(pk=round_id).first()
    if held is None:
        raise FeedbackNotFound(what=f"round {round_id}")
    words = policy.clean_text(text)[:LONGEST]
    if not words or severity not in UsabilityFinding.Severity.values:
        raise FeedbackRefused(why=_("say what stopped or slowed people, and whether it was minor, serious or blocking"))
    made = UsabilityFinding.objects.create(
        round=held, text=words, severity=severity, criterion=" ".join(policy.clean_text(criterion).split())[:50]
    )
    facts: dict[str, Json] = {"round": held.pk, "finding": made.pk, "severity": severity}
    events.append(EventKind.USABILITY_FOUND, actor=actor_of(by), data=facts)
    return made


@transaction.atomic
def close(*, finding_id: int, remedy: str, by: User) -> UsabilityFinding:
    """Say how it was mended. Raises FeedbackNotFound, FeedbackRefused, NotPermitted."""
    _authorise(by)
    found = UsabilityFinding.objects.select_for_update().filter(pk=finding_id).first()
    if found is None:
        raise FeedbackNotFound(what=f"finding {finding_id}")
    words = policy.clean_text(remedy)[:LONGEST]
    if found.closed_at is not None:
        raise FeedbackRefused(why=_("it is closed already"))
    if not words:
        raise FeedbackRefused(why=_("say how it was mended, or why it stays"))
    found.remedy, found.closed_at, found.closed_by = words, Now(), by
    found.save(update_fields=["remedy", "closed_at", "closed_by"])
    found.refresh_from_db()
    facts: dict[str, Json] = {"round": found.round_id, "finding": found.pk}
    events.append(EventKind.USABILITY_CLOSED, actor=actor_of(by), data=facts)
    return found


def _authorise(by: User) -> None:
    if not may_record(by):
        raise NotPermitted(verb="record usability tests")
