"""Addresses for people without an account: made by whoever may start the workflow's runs, over at a set time."""

from datetime import timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from agents.types import Json
from approvals import permissions, policy
from approvals.errors import FeedbackNotFound, FeedbackRefused, NotPermitted
from approvals.feedback import secrets
from approvals.feedback.models import FeedbackLink
from approvals.models import Queue
from orchestrator import events, services
from orchestrator.events import EventKind
from orchestrator.models import TASK_BITS, Run, Task

DAYS: Final = 30  # usual lifetime
MOST_DAYS: Final = 366
ABOUT: Final = 300
LIVE: Final = 50  # links of one run that are open at once


def may_make(user: User, run: Run) -> bool:
    """Whether the user may make links about a run."""
    return permissions.can(user, "start_run", run)


@transaction.atomic
def make(
    *, run_id: int, by: User, about: str, queue: str, task_id: int | None = None, days: int = DAYS
) -> tuple[FeedbackLink, str]:
    """A link and its secret, which is shown this once. Raises FeedbackNotFound, NotPermitted, FeedbackRefused."""
    run = _run(run_id, by)
    about = " ".join(policy.clean_text(about).split())[:ABOUT]
    asked = Queue.objects.filter(name=queue).first()
    _refuse(run, about, asked, task_id, days)
    assert asked is not None
    secret = secrets.token()
    link = FeedbackLink.objects.create(
        digest=secrets.digest(secret), run=run, task_id=task_id, queue=asked, about=about, made_by=by,
        expires_at=timezone.now() + timedelta(days=days),
    )  # fmt: skip
    _record(EventKind.FEEDBACK_LINK_MADE, link, by, queue=asked.name, days=days)
    return link, secret


@transaction.atomic
def revoke(link_id: int, *, by: User) -> FeedbackLink:
    """Close a link now; receipts of what was sent through it go on."""
    link = FeedbackLink.objects.select_for_update(of=("self",)).select_related("run").filter(pk=link_id).first()
    if link is None or not permissions.can(by, "see_runs", link.run):
        raise FeedbackNotFound(what=f"link {link_id}")
    if not may_make(by, link.run):
        raise NotPermitted(verb="revoke links")
    if link.revoked_at is None:
        link.revoked_at, link.revoked_by = timezone.now(), by
        link.save(update_fields=["revoked_at", "revoked_by"])
        _record(EventKind.FEEDBACK_LINK_REVOKED, link, by)
    return link


def of_run(run: Run) -> QuerySet[FeedbackLink]:
    """A run's links, the newest first."""
    return FeedbackLink.objects.filter(run=run).select_related("made_by", "queue").order_by("-id")[:200]


def live(secret: str, *, lock: bool = False) -> FeedbackLink:
    """The link of an address, if it may be used now; else FeedbackNotFound, which tells nothing more."""
    rows = FeedbackLink.objects.select_related("run", "queue")
    rows = rows.select_for_update(of=("self",)) if lock else rows
    link = rows.filter(digest=secrets.digest(secret), revoked_at=None, expires_at__gt=timezone.now()).first()
    if link is None:
        raise FeedbackNotFound(what="such form any more")
    return link


def _run(run_id: int, by: User) -> Run:
    run = Run.objects.select_for_update(of=("self",), no_key=True).select_related("workflow").filter(pk=run_id).first()
    if run is None or not permissions.can(by, "see_runs", run):
        raise FeedbackNotFound(what=f"run {run_id}")
    if not may_make(by, run):
        raise NotPermitted(verb="make links for feedback")
    return run


def _refuse(run: Run, about: str, asked: Queue | None, task_id: int | None, days: int) -> None:
    if not about:
        raise FeedbackRefused(why="say what it is about, in words that whoever opens it may read")
    if asked is None:
        raise FeedbackRefused(why="there is no such queue of people")
    if not 1 <= days <= MOST_DAYS:
        raise FeedbackRefused(why=f"a link is open for 1 to {MOST_DAYS} days")
    if task_id is not None and not (task_id >> TASK_BITS == run.pk and Task.objects.filter(pk=task_id).exists()):
        raise FeedbackRefused(why="the run has no such step")
    if FeedbackLink.objects.filter(run=run, revoked_at=None, expires_at__gt=timezone.now()).count() >= LIVE:
        raise FeedbackRefused(why=f"{LIVE} links of this run are open already; revoke one first")


def _record(kind: EventKind, link: FeedbackLink, by: User, **more: Json) -> None:
    facts: dict[str, Json] = {"link": link.pk, "about": link.about, **more}
    events.append(kind, actor=services.actor_of(by), run_id=link.run_id, task_id=link.task_id, data=facts)
