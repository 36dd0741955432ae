"""Changes of who may do what: roles, grants on workflows and queues, and the queues themselves. Each one is an event.

`by` is the person who changes it; None is the operator at the command line. Nobody changes their own rights.
"""

import secrets
from collections.abc import Sequence

from django.contrib.auth.models import Group, User
from django.db import transaction
from guardian.models import GroupObjectPermission
from guardian.shortcuts import assign_perm, remove_perm

from agents.models import Agent
from agents.types import Json
from approvals import calendars, db, permissions
from approvals.errors import CalendarRefused, NameTaken, NotPermitted, SelfGrant, UnknownName
from approvals.models import Profile, Queue
from approvals.roles import AGENT_GRANTS, QUEUE_GRANTS, ROLES, VERBS, WORKFLOW_GRANTS, verbs_of
from orchestrator import events, services
from orchestrator.events import EventKind
from orchestrator.models import Workflow

OPERATOR = "operator"
MOST_NAMED = 20  # grants that are said in words
type Holder = User | Group
type Granted = Workflow | Queue | Agent


@transaction.atomic
def set_role(*, user_id: int, role: str, by: User | None, held: bool = True) -> None:
    """Give a user a role, or take it away; a change that changes nothing leaves no event."""
    if role not in ROLES:
        raise UnknownName(what="role", name=role, known=", ".join(ROLES))
    user = _user(user_id)
    _authorise(by, user)
    group = role_group(role)
    if user.groups.filter(pk=group.pk).exists() == held:
        return
    _put(user, group, held=held)
    _record(
        EventKind.ROLE_GRANTED if held else EventKind.ROLE_REVOKED, by, [user.pk], {"user": user.username, "role": role}
    )


@transaction.atomic
def add_account(*, username: str, role: str) -> str:
    """Make an account with one role, for the operator; return its first password. Raises NameTaken."""
    if User.objects.filter(username__iexact=username).exists():
        raise NameTaken(name=username)
    password = secrets.token_urlsafe(12)
    user = User.objects.create_user(username, password=password)
    Profile.objects.create(user=user)
    set_role(user_id=user.pk, role=role, by=None)
    return password


@transaction.atomic
def set_member(*, user_id: int, team_id: int, by: User | None, held: bool) -> int:
    """Put a user into a team, a role among them, or take them out; the number of this change of rights.

    The event is the caller's: it knows the reason (`orchestrator.acts.membership`).
    """
    user, team = _user(user_id), Group.objects.filter(pk=team_id).first()
    if team is None:
        raise UnknownName(what="team", name=team_id, known="those of the page of teams")
    _authorise(by, user)
    _put(user, team, held=held)
    return db.bump_rights_epoch([user.pk])


def is_role(team: Group) -> bool:
    """Whether the team stands for a role."""
    return team.name in ROLES


def gains(user: User, team: Group) -> list[str]:
    """What the team lets a user do that their other teams do not, in words: everywhere, and on single objects."""
    others = set(user.groups.exclude(pk=team.pk).values_list("name", flat=True))
    verbs = verbs_of({team.name}) - verbs_of(others)
    granted = GroupObjectPermission.objects.filter(group=team).select_related("permission", "content_type")[:MOST_NAMED]
    single = [f"{one.permission.name}: {one.content_object}" for one in granted]
    return [words for verb, words in VERBS.items() if verb in verbs] + single


def holds_rights(team: Group) -> bool:
    """Whether anything is granted to the team on single objects."""
    return GroupObjectPermission.objects.filter(group=team).exists()


@transaction.atomic
def grant(*, to: Holder, permission: str, on: Granted, by: User | None) -> None:
    """Grant one permission on one workflow or queue to a user or to everyone in a role."""
    _check(permission, on)
    _authorise(by, to)
    assign_perm(permission, to, on)
    _record(EventKind.PERMISSION_GRANTED, by, _members(to), _facts(to, permission, on))


@transaction.atomic
def revoke(*, of: Holder, permission: str, on: Granted, by: User | None) -> None:
    """Take back what `grant` gave."""
    _check(permission, on)
    _authorise(by, of)
    remove_perm(permission, of, on)
    _record(EventKind.PERMISSION_REVOKED, by, _members(of), _facts(of, permission, on))


@transaction.atomic
def set_active(*, user_id: int, active: bool, by: User | None) -> None:
    """Let a user in again, or shut them out: sessions, sockets and tokens included."""
    user = _user(user_id)
    _authorise(by, user)
    if user.is_active == active:
        return
    user.is_active = active
    user.save(update_fields=["is_active"])
    kind = EventKind.PERMISSION_GRANTED if active else EventKind.PERMISSION_REVOKED
    _record(kind, by, [user.pk], {"user": user.username, "permission": "sign_in"})


def role_group(role: str) -> Group:
    """The group that stands for a role."""
    return Group.objects.get_or_create(name=role)[0]


def ensure_queue(*, name: str, title: str, escalates_to: Queue | None = None) -> Queue:
    """The queue of that name, made if it is missing; an existing one is left as people set it."""
    defaults = {"title": title, "escalates_to": escalates_to}
    return Queue.objects.get_or_create(name=name, defaults=defaults)[0]


@transaction.atomic
def set_calendar(*, queue: Queue, calendar: dict[str, Json], by: User | None) -> None:
    """Set a queue's business hours, {} for all of the time; deadlines that run already stay as they are."""
    if by is not None and not permissions.can(by, "edit_queues"):
        raise NotPermitted(verb="edit queues")
    if wrong := calendars.problem(calendar):
        raise CalendarRefused(why=wrong)
    queue.calendar = calendar
    queue.save(update_fields=["calendar"])
    facts: dict[str, Json] = {"queue": queue.name, "calendar": calendar}
    events.append(EventKind.QUEUE_CHANGED, actor=services.actor_of(by, OPERATOR), data=facts)


def _authorise(by: User | None, holder: Holder) -> None:
    if by is None:
        return
    if not permissions.can(by, "manage_access"):
        raise NotPermitted(verb="change access")
    own_role = isinstance(holder, Group) and by.groups.filter(pk=holder.pk).exists()
    if holder == by or own_role:
        raise SelfGrant


def _check(permission: str, on: Granted) -> None:
    known = QUEUE_GRANTS if isinstance(on, Queue) else AGENT_GRANTS if isinstance(on, Agent) else WORKFLOW_GRANTS
    if permission not in known:
        raise UnknownName(what="permission", name=permission, known=", ".join(known))


def _put(user: User, group: Group, *, held: bool) -> None:
    if held:
        user.groups.add(group)
    else:
        user.groups.remove(group)
    permissions.refresh(user)


def _user(user_id: int) -> User:
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        raise UnknownName(what="user", name=user_id, known="the users of the access page")
    return user


def _members(holder: Holder) -> list[int]:
    return [holder.pk] if isinstance(holder, User) else list(holder.user_set.values_list("pk", flat=True))


def _facts(holder: Holder, permission: str, on: Granted) -> dict[str, Json]:
    who = {"user": holder.username} if isinstance(holder, User) else {"role": holder.name}
    return {**who, "permission": permission, "on": f"{on._meta.model_name}:{on.name}"}


def _record(kind: EventKind, by: User | None, user_ids: Sequence[int], facts: dict[str, Json]) -> None:
    epoch = db.bump_rights_epoch(user_ids)
    events.append(kind, actor=services.actor_of(by, OPERATOR), data={**facts, "epoch": epoch})
