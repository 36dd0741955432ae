"""Changes of who may do what: roles, grants on workflows and queues, and the queues themselves. Each one is an event.

`by` is the person who changes it; None is the operator at the command line. Nobody changes their own rights.
"""

import secrets
from collections.abc import Sequence

from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext
from guardian.models import GroupObjectPermission
from guardian.shortcuts import assign_perm, remove_perm

from agents.models import Agent
from agents.types import Json
from approvals import calendars, db, deciders, duties, permissions
from approvals.accounts import risk
from approvals.accounts.risk import NO_REASON, Why
from approvals.errors import CalendarRefused, LastAdministrator, NameTaken, NotPermitted, SelfGrant, UnknownName
from approvals.models import Profile, Queue, RoleTerms
from approvals.roles import AGENT_GRANTS, QUEUE_GRANTS, ROLES, VERBS, WORKFLOW_GRANTS, verbs_of
from orchestrator import events, services
from orchestrator.events import EventKind
from orchestrator.models import Workflow

OPERATOR = "operator"
MOST_NAMED = 20  # grants that are said in words
type Holder = User | Group
type Granted = Workflow | Queue | Agent


@transaction.atomic
def set_role(*, user_id: int, role: str, by: User | None, held: bool = True, why: Why = NO_REASON) -> None:
    """Give a user a role, or take it away; a change that changes nothing leaves no event."""
    if role not in role_names():
        raise UnknownName(what="role", name=role, known=", ".join(role_names()))
    user = _user(user_id)
    authorise(by, user, why)
    group = role_group(role)
    if user.groups.filter(pk=group.pk).exists() == held:
        return
    if held:
        risk.guard(by, why, risk.of_group(group))
    _put(user, group, held=held)
    keep_an_administrator(by)
    kind = EventKind.ROLE_GRANTED if held else EventKind.ROLE_REVOKED
    record(kind, by, [user.pk], {"user": user.username, "role": role, **why.facts()})


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
    authorise(by, user)
    if held:
        risk.guard(by, NO_REASON, risk.of_group(team))
    _put(user, team, held=held)
    keep_an_administrator(by)
    return db.bump_rights_epoch([user.pk])


def is_role(team: Group) -> bool:
    """Whether the team stands for a role: one that is shipped, or one that was made here."""
    return team.name in ROLES or RoleTerms.objects.filter(group=team, is_own=True).exists()


def team_names() -> frozenset[str]:
    """The teams that are no roles."""
    roles = RoleTerms.objects.filter(is_own=True).values("group")
    return frozenset(Group.objects.exclude(pk__in=roles).exclude(name__in=list(ROLES)).values_list("name", flat=True))


def role_names() -> list[str]:
    """Every role, the shipped ones first."""
    return [
        *ROLES,
        *RoleTerms.objects.filter(is_own=True).order_by("group__name").values_list("group__name", flat=True),
    ]


def gains(user: User, team: Group) -> list[str]:
    """What the team lets a user do that their other teams do not, in words: everywhere, and on single objects."""
    others = list(user.groups.exclude(pk=team.pk).values_list("name", flat=True))
    verbs = verbs_of(permissions.verbs_by_role([team.name])) - verbs_of(permissions.verbs_by_role(others))
    granted = GroupObjectPermission.objects.filter(group=team).select_related("permission", "content_type")[:MOST_NAMED]
    single = [f"{one.permission.name}: {one.content_object}" for one in granted]
    return [gettext(words) for verb, words in VERBS.items() if verb in verbs] + single


def holds_rights(team: Group) -> bool:
    """Whether anything is granted to the team on single objects."""
    return GroupObjectPermission.objects.filter(group=team).exists()


@transaction.atomic
def grant(*, to: Holder, permission: str, on: Granted, by: User | None, why: Why = NO_REASON) -> None:
    """Grant one permission on one workflow, queue or agent to a user or to everyone in a role."""
    _check(permission, on)
    authorise(by, to, why)
    risk.guard(by, why, risk.of_grant(permission, on))
    assign_perm(permission, to, on)
    record(EventKind.PERMISSION_GRANTED, by, members(to), {**_facts(to, permission, on), **why.facts()})


@transaction.atomic
def revoke(*, of: Holder, permission: str, on: Granted, by: User | None, why: Why = NO_REASON) -> None:
    """Take back what `grant` gave."""
    _check(permission, on)
    authorise(by, of, why)
    remove_perm(permission, of, on)
    record(EventKind.PERMISSION_REVOKED, by, members(of), {**_facts(of, permission, on), **why.facts()})


@transaction.atomic
def set_active(*, user_id: int, active: bool, by: User | None, why: Why = NO_REASON) -> None:
    """Let a user in again, or shut them out: sessions, sockets and tokens included."""
    user = _user(user_id)
    authorise(by, user, why)
    if user.is_active == active:
        return
    user.is_active = active
    user.save(update_fields=["is_active"])
    permissions.refresh(user)
    if active:
        risk.guard(by, why, risk.of_person(user))
    keep_an_administrator(by)
    kind = EventKind.PERMISSION_GRANTED if active else EventKind.PERMISSION_REVOKED
    record(kind, by, [user.pk], {"user": user.username, "permission": "sign_in", **why.facts()})


def role_group(role: str) -> Group:
    """The group that stands for a role."""
    return Group.objects.get_or_create(name=role)[0]


def ensure_queue(*, name: str, title: str, escalates_to: Queue | None = None) -> Queue:
    """The queue of that name, made if it is missing; an existing one is left as people set it."""
    defaults = {"title": title, "escalates_to": escalates_to}
    return Queue.objects.get_or_create(name=name, defaults=defaults)[0]


@transaction.atomic
def set_calendar(*, queue: Queue, calendar: dict[str, Json], by: User | None, why: Why = NO_REASON) -> None:
    """Set a queue's business hours, {} for all of the time; deadlines that run already stay as they are."""
    if by is not None and not permissions.can(by, "edit_queues"):
        raise NotPermitted(verb="edit queues")
    if wrong := calendars.problem(calendar):
        raise CalendarRefused(why=wrong)
    queue.calendar = calendar
    queue.save(update_fields=["calendar"])
    facts: dict[str, Json] = {"queue": queue.name, "calendar": calendar, **why.facts()}
    events.append(EventKind.QUEUE_CHANGED, actor=services.actor_of(by, OPERATOR), data=facts)


def authorise(by: User | None, holder: Holder | None, why: Why = NO_REASON) -> None:
    """Whoever changes access, and whoever confirms it, may do so and is none of those whom it is about."""
    for person in (by, why.confirmed_by):
        if person is None:
            continue
        if not permissions.can(person, "manage_access"):
            raise NotPermitted(verb="change access")
        if holder is not None and _is_one_of(person, holder):
            raise SelfGrant


def keep_an_administrator(by: User | None) -> None:
    """Raise LastAdministrator if nobody is left who may change access. The operator at the command line always can."""
    if by is None:
        return
    left = User.objects.filter(Q(is_superuser=True) | deciders.by_role("manage_access"), is_active=True)
    if not left.exists():
        raise LastAdministrator


def members(holder: Holder) -> list[int]:
    """The ids of those whose rights change with this holder's."""
    return [holder.pk] if isinstance(holder, User) else list(holder.user_set.values_list("pk", flat=True))


def record(kind: EventKind, by: User | None, user_ids: Sequence[int], facts: dict[str, Json]) -> None:
    """Count a change of rights, wake the pages of whom it is about, and append its event."""
    epoch = db.bump_rights_epoch(user_ids)
    events.append(kind, actor=services.actor_of(by, OPERATOR), data={**facts, "epoch": epoch})


def _is_one_of(person: User, holder: Holder) -> bool:
    """Whether this is they themselves in any account of theirs, or a role or team of theirs."""
    if isinstance(holder, Group):
        return person.groups.filter(pk=holder.pk).exists()
    return duties.person_of(person) == duties.person_of(holder)


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


def _facts(holder: Holder, permission: str, on: Granted) -> dict[str, Json]:
    who = {"user": holder.username} if isinstance(holder, User) else {"role": holder.name}
    return {**who, "permission": permission, "on": f"{on._meta.model_name}:{on.name}"}
