"""Who may listen to what: asked when a socket joins a topic, and again whenever rights or sessions may have changed."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils import timezone

from approvals.able import checks
from approvals.models import Gate, Queue
from approvals.permissions import can, can_somewhere, epoch, refresh
from monitoring import topics
from orchestrator import parts
from orchestrator.models import Run

_PLAIN_VERBS = {
    "alerts": "see_floor",
    "floor": "see_floor",
    "runs": "see_runs",
    "workflows": "see_runs",
    "inbox": "see_gate",
    "agents": "see_agents",
    "audit": "see_audit",
    "messages": "see_messages",
}


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a socket was let in with: it stays open while all three are unchanged."""

    user_id: int
    session_key: str
    password: str  # as stored, that is hashed


def admitted(user: User, wanted: Iterable[str]) -> frozenset[str]:
    """Those of the topics that the user may listen to, by what the database says now."""
    refresh(user)
    return frozenset(topic for topic in wanted if topics.is_topic(topic) and _may_join(user, topic))


def readmitted(wanted: dict[int, set[str]]) -> dict[int, frozenset[str]]:
    """`admitted()` for many users at once. Users who are gone or disabled may listen to nothing."""
    users = User.objects.filter(pk__in=wanted, is_active=True)
    allowed: dict[int, frozenset[str]] = dict.fromkeys(wanted, frozenset())
    return allowed | {user.pk: admitted(user, wanted[user.pk]) for user in users}


def expired(tickets: Iterable[Ticket]) -> set[Ticket]:
    """The tickets whose session has ended or whose user was disabled or changed the password. Two queries for all."""
    held = set(tickets)
    keys = {ticket.session_key for ticket in held}
    live = set(
        Session.objects.filter(pk__in=keys, expire_date__gt=timezone.now()).values_list("session_key", flat=True)
    )
    ids = {ticket.user_id for ticket in held}
    passwords = dict(User.objects.filter(pk__in=ids, is_active=True).values_list("pk", "password"))
    return {
        ticket for ticket in held if ticket.session_key not in live or passwords.get(ticket.user_id) != ticket.password
    }


def rights_epoch() -> int:
    """Changes whenever anybody's rights change."""
    return epoch()


def _may_join(user: User, topic: str) -> bool:
    family, ref = topics.split(topic)
    if family in {"shell", "notices"}:
        return user.is_active
    if family == "run":
        run = Run.objects.filter(pk=int(ref)).only("workflow_id").first()
        return run is not None and (can(user, "see_runs", run) or parts.runs(user).filter(pk=run.pk).exists())
    if family == "gate":
        gate = Gate.objects.filter(pk=int(ref)).only("queue_id").first() or checks.shown(int(ref), user)
        return gate is not None and can(user, "see_gate", gate)
    if family == "queue":
        queue = Queue.objects.filter(name=ref).first()
        return queue is not None and can(user, "see_gate", queue)
    return can_somewhere(user, _PLAIN_VERBS[family]) or (family == "runs" and parts.some(user))
