"""Queues as people make and change them: their names, and where their gates go when time runs out."""

import re
from collections.abc import Mapping
from typing import Final

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from agents.types import Json
from approvals import access, permissions, quorums
from approvals.accounts.risk import NO_REASON, Why, guard
from approvals.errors import ChangeRefused, NotPermitted, UnknownName
from approvals.models import Queue
from orchestrator import events
from orchestrator.events import EventKind
from orchestrator.services import actor_of

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")


@transaction.atomic
def make(*, name: str, title: str, escalates_to: str, by: User | None, why: Why = NO_REASON) -> Queue:
    """A queue before which nobody has any rights yet."""
    _authorise(by, why)
    if not NAME.fullmatch(name):
        raise ChangeRefused(why=_("a queue's name is of small letters, digits, - and _"))
    further = named(escalates_to) if escalates_to else None
    try:
        with transaction.atomic():
            made = Queue.objects.create(name=name, title=title.strip(), escalates_to=further)
    except IntegrityError as taken:
        raise ChangeRefused(why=_("there is a queue called %(name)s already") % {"name": name}) from taken
    _record(made, by, {"what": "made", "title": made.title, "escalates_to": escalates_to, **why.facts()})
    return made


@transaction.atomic
def change(*, queue: Queue, title: str, escalates_to: str, by: User | None, why: Why = NO_REASON) -> None:
    """Another title, or another queue to escalate to; never in a circle."""
    _authorise(by, why)
    further = named(escalates_to) if escalates_to else None
    if further is not None and queue.pk in _chain(further):
        raise ChangeRefused(why=_("%(queue)s would come back to itself") % {"queue": queue.title})
    if (queue.title, queue.escalates_to_id) == (title.strip(), further.pk if further else None):
        raise ChangeRefused(why=_("that is how it is already"))
    was = queue.escalates_to.name if queue.escalates_to else ""
    facts: dict[str, Json] = {"what": "changed", "was": [queue.title, was]}
    queue.title, queue.escalates_to = title.strip(), further
    queue.save(update_fields=["title", "escalates_to"])
    _record(queue, by, {**facts, "title": queue.title, "escalates_to": escalates_to, **why.facts()})


@transaction.atomic
def set_quorum(*, queue: Queue, quorum: Mapping[str, Json], by: User | None, why: Why = NO_REASON) -> None:
    """How many people must agree there at least, by risk. Asking fewer than before takes a second person."""
    _authorise(by, why)
    try:
        wanted = quorums.cleaned(quorum)
    except ValueError as wrong:
        raise ChangeRefused(why=str(wrong)) from wrong
    guard(by, why, quorum_risk(queue, wanted))
    was, queue.quorum = queue.quorum, wanted
    queue.save(update_fields=["quorum"])
    _record(queue, by, {"what": "quorum", "was": was, "quorum": wanted, **why.facts()})


def quorum_risk(queue: Queue, quorum: Mapping[str, Json]) -> str:
    """Why it takes two people to set this; empty if it does not."""
    return _("fewer people would have to agree") if quorums.is_lower(quorum, queue.quorum) else ""


def named(name: str) -> Queue:
    """The queue of this name. Raises UnknownName."""
    found = Queue.objects.filter(name=name).first()
    if found is None:
        raise UnknownName(what="queue", name=name, known=", ".join(Queue.objects.values_list("name", flat=True)[:20]))
    return found


def _chain(queue: Queue) -> set[int]:
    """The queues that a gate goes through from here, this one included."""
    steps = dict(Queue.objects.values_list("pk", "escalates_to_id"))
    found: set[int] = set()
    at: int | None = queue.pk
    while at is not None and at not in found:
        found.add(at)
        at = steps.get(at)
    return found


def _authorise(by: User | None, why: Why) -> None:
    for person in (by, why.confirmed_by):
        if person is not None and not permissions.can(person, "edit_queues"):
            raise NotPermitted(verb="edit queues")


def _record(queue: Queue, by: User | None, facts: dict[str, Json]) -> None:
    data: dict[str, Json] = {"queue": queue.name, **facts}
    events.append(EventKind.QUEUE_CHANGED, actor=actor_of(by, access.OPERATOR), data=data)
