"""A retrospective's material: what was named most often in a period, against the one before, and what came of it."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from agents.types import Json
from approvals import permissions, policy
from approvals.errors import FeedbackRefused, NotPermitted
from approvals.feedback import examples, giving, proposals
from approvals.feedback.models import Feedback, Improvement, Lesson, Proposal, Retro
from approvals.feedback.words import word
from orchestrator import events, services
from orchestrator.events import EventKind

WINDOWS: Final = (7, 14, 30, 90)
USUAL: Final = 14
TOP: Final = 5
QUOTED: Final = 3
MOST: Final = 5_000
KEPT: Final = 20
LONGEST: Final = 10_000  # characters


@dataclass(frozen=True, slots=True)
class Topic:
    """One root cause: how often now and before, where mostly, and what people said of it."""

    key: str
    name: str
    count: int
    before: int
    where: tuple[tuple[str, int], ...]  # agents or steps
    said: tuple[Lesson, ...]


@dataclass(frozen=True, slots=True)
class Retrospective:
    """Everything the page shows."""

    days: int
    starts: datetime
    topics: list[Topic]
    untagged: int  # outputs that were changed or refused without a root cause
    changed: int
    judged: int
    changed_before: int
    judged_before: int
    improvements: list[Improvement]
    proposals: list[Proposal]
    feedback: int
    unhappy: int
    waiting: int


def retrospective(user: User, days: int) -> Retrospective:
    """Worked out from what the user may see."""
    days = days if days in WINDOWS else USUAL
    now = timezone.now()
    starts, earlier = now - timedelta(days=days), now - timedelta(days=2 * days)
    seen = examples.visible(user).filter(stood__isnull=False)
    current, before = seen.filter(at__gt=starts), seen.filter(at__gt=earlier, at__lte=starts)
    said = giving.visible(user).filter(at__gt=starts)
    return Retrospective(
        days=days,
        starts=starts,
        topics=_topics(current, before),
        untagged=current.filter(stood=False, causes=[]).count(),
        changed=current.filter(stood=False).count(),
        judged=current.count(),
        changed_before=before.filter(stood=False).count(),
        judged_before=before.count(),
        improvements=list(Improvement.objects.filter(opened_at__gt=starts)[:20]),
        proposals=list(proposals.visible(user).filter(made_at__gt=starts)[:20]),
        feedback=said.count(),
        unhappy=said.filter(sentiment="negative").count(),
        waiting=giving.visible(user).filter(status=Feedback.Status.OPEN).count(),
    )


def may_hold(user: User) -> bool:
    """Whether this person may keep a retrospective: who answers for quality, or for workflows."""
    return permissions.can(user, "edit_quality") or permissions.can(user, "publish_version")


@transaction.atomic
def hold(*, by: User, days: int, title: str, concluded: str) -> Retro:
    """Keep the figures of now with what people concluded from them. FeedbackRefused, NotPermitted."""
    if not may_hold(by):
        raise NotPermitted(verb="keep a retrospective")
    title, concluded = " ".join(policy.clean_text(title).split())[:200], policy.clean_text(concluded)
    if not title or not concluded:
        raise FeedbackRefused(why=gettext("give it a name, and say what you concluded"))
    if len(concluded) > LONGEST:
        raise FeedbackRefused(why=gettext("it has at most %(most)d characters") % {"most": LONGEST})
    found = retrospective(by, days)
    counted = examples.visible(by).filter(stood__isnull=False, at__gt=found.starts - timedelta(days=found.days))
    made = Retro.objects.create(
        title=title, concluded=concluded, days=found.days, starts_at=found.starts, held_by=by,
        figures=_figures(found), workflows=sorted(set(counted.order_by().values_list("workflow_id", flat=True))),
    )  # fmt: skip
    facts: dict[str, Json] = {"retrospective": made.pk, "title": title, "days": found.days}
    events.append(EventKind.RETROSPECTIVE_HELD, actor=services.actor_of(by), data=facts)
    return made


def held(user: User) -> list[Retro]:
    """The newest that were kept, of workflows that this person sees, and their own."""
    seen = list(permissions.visible_workflows(user).order_by().values_list("pk", flat=True))
    found = Retro.objects.filter(Q(workflows__contained_by=seen) | Q(held_by=user))
    return list(found.select_related("held_by")[:KEPT])


def _figures(found: Retrospective) -> dict[str, Json]:
    numbers = ("changed", "judged", "changed_before", "judged_before", "untagged", "feedback", "unhappy")
    topics: list[Json] = [{"key": one.key, "count": one.count, "before": one.before} for one in found.topics]
    return {**{name: getattr(found, name) for name in numbers}, "topics": topics}


def _topics(current: QuerySet[Lesson], before: QuerySet[Lesson]) -> list[Topic]:
    counts, earlier = _causes(current), _causes(before)
    return [_topic(current, cause, count, earlier[cause]) for cause, count in counts.most_common(TOP)]


def _causes(found: QuerySet[Lesson]) -> Counter[str]:
    rows = found.exclude(causes=[]).order_by("-id").values_list("causes", flat=True)[:MOST]
    return Counter(cause for causes in rows for cause in causes)


def _topic(current: QuerySet[Lesson], cause: str, count: int, before: int) -> Topic:
    about = current.filter(causes__contains=[cause]).order_by("-id")
    places = Counter(agent or step for agent, step in about.values_list("agent", "step")[:MOST])
    said = about.exclude(reason="").select_related("workflow")[:QUOTED]
    return Topic(cause, word(cause), count, before, tuple(places.most_common(QUOTED)), tuple(said))
