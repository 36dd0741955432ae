"""What the pages of access show: people, roles, queues, changes. Reads only."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group, User
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from guardian.models import GroupObjectPermission, UserObjectPermission

from approvals import deciders, permissions
from approvals.accounts import wording
from approvals.accounts.acts.grants import WORDS
from approvals.accounts.acts.queues import answers_of
from approvals.accounts.rehearsal import GRANTS
from approvals.accounts.risk import GRAVE
from approvals.models import AccessChange, ApiToken, Gate, GateStatus, Invitation, Queue, RoleTerms
from approvals.roles import ROLES, VERBS, verbs_of
from orchestrator.models import Event

MOST: Final = 200  # rows of a list
LOOKED_AT: Final = 20_000  # newest events of no run, among which changes are looked for
CHANGES: Final = 30
KINDS: Final[Mapping[str, Promise]] = {
    "role.granted": _("Role given"),
    "role.revoked": _("Role taken away"),
    "role.made": _("Role made from a copy"),
    "role.changed": _("Role changed"),
    "role.removed": _("Role removed"),
    "permission.granted": _("Right granted"),
    "permission.revoked": _("Right taken back"),
    "account.invited": _("Account made"),
    "account.link_made": _("Link made"),
    "account.link_ended": _("Link taken back"),
    "account.joined": _("Password set by link"),
    "account.closed": _("Account closed"),
    "account.linked": _("Said who is one person"),
    "account.changed": _("Skills changed"),
    "account.secured": _("Signing in changed"),
    "access.proposed": _("Change asked for"),
    "access.confirmed": _("Change confirmed"),
    "access.refused": _("Change refused"),
    "session.viewed_as": _("Looked as somebody"),
    "session.view_ended": _("Stopped looking as somebody"),
    "queue.changed": _("Queue changed"),
    "responsibility.changed": _("Responsibility changed"),
    "team.placed": _("Team's kind changed"),
    "token.created": _("Token made"),
    "token.revoked": _("Token revoked"),
}
_FACTORS: Final = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
_TOLD: Final[Mapping[str, str | Promise]] = {
    "user": pgettext_lazy("fact", "account"),
    "role": pgettext_lazy("fact", "role"),
    "permission": pgettext_lazy("fact", "right"),
    "right": pgettext_lazy("fact", "right"),
    "on": pgettext_lazy("fact", "on"),
    "to": pgettext_lazy("fact", "to"),
    "main": pgettext_lazy("fact", "person of"),
    "act": pgettext_lazy("fact", "act"),
    "queue": pgettext_lazy("fact", "queue"),
    "what": pgettext_lazy("fact", "what"),
    "about": pgettext_lazy("fact", "about"),
    "team": pgettext_lazy("fact", "team"),
    "part": pgettext_lazy("fact", "part"),
    "owner": pgettext_lazy("fact", "owner"),
    "skills": pgettext_lazy("fact", "skills"),
    "reason": pgettext_lazy("fact", "why"),
    "name": pgettext_lazy("fact", "name"),
}


@dataclass(frozen=True, slots=True)
class Person:
    """One line of the list of people."""

    user: User
    roles: list[str]
    state: str  # active, invited, closed
    has_factor: bool
    main: str  # the person's main account, if this is another one


@dataclass(frozen=True, slots=True)
class RightRow:
    """One right of somebody, or of a role: its words, what it lets one do, and where it comes from."""

    verb: str
    words: str
    told: object
    is_grave: bool
    sources: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Grant:
    """A right on one object, as it is listed and as the form that takes it back is filled in."""

    words: str
    kind: str
    on: str  # title
    name: str
    holder: str  # "" for oneself, else the team's or person's name
    query: str


@dataclass(frozen=True, slots=True)
class Change:
    """One change of access that was made."""

    at: datetime
    by: str
    words: Promise
    facts: list[tuple[str, str]]


def people(search: str = "", show: str = "") -> tuple[list[Person], bool]:
    """The accounts that match, and whether there are more."""
    factor = Exists(Authenticator.objects.filter(user=OuterRef("pk"), type__in=_FACTORS))
    found: QuerySet[Any] = (
        User.objects.annotate(has_factor=factor).select_related("profile__same_as").prefetch_related("groups")
    )
    if search:
        words = Q(username__icontains=search) | Q(first_name__icontains=search) | Q(last_name__icontains=search)
        found = found.filter(words | Q(email__icontains=search) | Q(groups__name__icontains=search)).distinct()
    found = _shown(found, show)
    rows = list(found.order_by("-is_active", "first_name", "last_name", "username")[: MOST + 1])
    return [_person(user) for user in rows[:MOST]], len(rows) > MOST


def rights_of(user: User) -> list[RightRow]:
    """Everything somebody may do, each with the roles, teams and grants that it comes from."""
    sources: dict[str, list[str]] = defaultdict(list)
    names = list(user.groups.order_by("name").values_list("name", flat=True))
    made = permissions.verbs_by_role(names)
    for name in names:
        for verb in verbs_of({name: made[name]}):
            sources[verb].append(name)
    for one in [*grants_of(user), *(one for team in user.groups.all() for one in grants_of(team, told=team.name))]:
        for verb in GRANTS[one.kind].get(_codename(one), ()):
            where = f"{one.on} · {one.holder}" if one.holder else one.on
            sources[verb].append(where)
    return [row for verb in VERBS if verb in sources for row in [_right(verb, list(dict.fromkeys(sources[verb])))]]


def grants_of(holder: User | Group, *, told: str = "") -> list[Grant]:
    """What is granted to somebody or to a team on single objects."""
    rows: QuerySet[Any]
    if isinstance(holder, User):
        rows, to = UserObjectPermission.objects.filter(user=holder), f"person:{holder.username}"
    else:
        rows, to = GroupObjectPermission.objects.filter(group=holder), f"team:{holder.name}"
    ours = rows.filter(content_type__model__in=tuple(GRANTS)).select_related("permission", "content_type")
    found = [_grant(one, to, told) for one in ours.order_by("content_type__model", "object_pk")[:MOST]]
    return [one for one in found if one is not None]


def grants_on(queue: Queue) -> list[Grant]:
    """Who is granted what on a queue."""
    on = {"content_type__model": "queue", "object_pk": str(queue.pk)}
    own = UserObjectPermission.objects.filter(**on).select_related("permission", "content_type", "user")
    teams = GroupObjectPermission.objects.filter(**on).select_related("permission", "content_type", "group")
    found = [_grant(one, f"team:{one.group.name}", one.group.name) for one in teams]
    found += [_grant(one, f"person:{one.user.username}", one.user.get_full_name() or one.user.username) for one in own]
    return [one for one in found if one is not None]


@dataclass(frozen=True, slots=True)
class Role:
    """One role with what it allows and how many are in it."""

    pk: int
    name: str
    verbs: frozenset[str]
    people: int
    is_own: bool
    needs_mfa: bool
    copied_from: str = ""


def roles() -> list[Role]:
    """Every role, the shipped ones first."""
    terms = {one.group_id: one for one in RoleTerms.objects.all()}
    own = [pk for pk, one in terms.items() if one.is_own]
    active = Count("user", filter=Q(user__is_active=True))
    groups = Group.objects.filter(Q(name__in=list(ROLES)) | Q(pk__in=own)).annotate(people=active)
    found = [_role(group, group.people, terms.get(group.pk)) for group in groups]
    order = list(ROLES)
    return sorted(found, key=lambda role: (order.index(role.name) if role.name in ROLES else len(order), role.name))


def role(pk: int) -> Role | None:
    """One role."""
    return next((found for found in roles() if found.pk == pk), None)


def matrix(found: Sequence[Role]) -> list[tuple[object, list[tuple[RightRow, list[bool]]]]]:
    """The rights in their groups, each with a mark for every role."""
    return [
        (title, [(_right(verb, []), [verb in role.verbs for role in found]) for verb in verbs])
        for title, verbs in wording.groups()
    ]


def rights_of_role(found: Role) -> list[RightRow]:
    """What a role allows everywhere."""
    return [_right(verb, []) for _title, verbs in wording.groups() for verb in verbs if verb in found.verbs]


def missing_of_role(found: Role) -> list[RightRow]:
    """What it does not allow."""
    return [_right(verb, []) for _title, verbs in wording.groups() for verb in verbs if verb not in found.verbs]


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One queue: how much waits there, how many people may decide it, and where it goes on to."""

    queue: Queue
    waiting: int
    deciders: int
    hours: Mapping[str, object]


def queues() -> list[QueueRow]:
    """All queues."""
    waiting = dict(Gate.objects.filter(status=GateStatus.OPEN).order_by().values_list("queue").annotate(n=Count("pk")))
    who = deciders.by_queue()
    rows = Queue.objects.select_related("escalates_to").order_by("title")
    return [QueueRow(one, waiting.get(one.pk, 0), len(who.get(one.pk, ())), answers_of(one)) for one in rows]


def deciders_of(queue: Queue) -> list[User]:
    """Who may decide there now."""
    return deciders.named(deciders.by_queue().get(queue.pk, set()))


def changes_about(**facts: str) -> list[Change]:
    """The newest changes about somebody or something: `changes_about(user="ana")`; all of them without a name."""
    newest = Event.objects.filter(run=None).order_by("-id").values("pk")[:LOOKED_AT]
    found = Event.objects.filter(
        pk__in=newest, kind__in=list(KINDS), **{f"data__{name}": value for name, value in facts.items()}
    )
    return [_change(event) for event in found.order_by("-id")[:CHANGES]]


def settled_changes() -> QuerySet[AccessChange]:
    """Risky changes that were confirmed, refused, taken back or forgotten, the newest first."""
    over = AccessChange.objects.exclude(outcome="", expires_at__gt=timezone.now())
    return over.select_related("proposed_by", "settled_by")[:CHANGES]


def standing_of(user: User) -> dict[str, Any]:
    """What else is known of an account: its link, tokens, factors, other accounts."""
    main = getattr(getattr(user, "profile", None), "same_as", None)
    return {
        "invitation": Invitation.objects.filter(user=user, ended_at=None, expires_at__gt=timezone.now()).first(),
        "tokens": ApiToken.objects.filter(user=user, revoked_at=None, expires_at__gt=timezone.now()).order_by("-id"),
        "factors": Authenticator.objects.filter(user=user, type__in=_FACTORS),
        "main": main,
        "others": User.objects.filter(profile__same_as=user),
        "held": Gate.objects.filter(assigned_to=user, status=GateStatus.OPEN).count(),
        "skills": getattr(getattr(user, "profile", None), "skills", []),
    }


def filled(**answers: object) -> str:
    """The query that fills in the form of an act."""
    return urlencode(
        {"answers": orjson.dumps({name: value for name, value in answers.items() if value != ""}).decode()}
    )


def _shown(found: QuerySet[Any], show: str) -> QuerySet[Any]:
    match show:
        case "closed":
            return found.filter(is_active=False)
        case "invited":
            return found.filter(is_active=True, last_login=None)
        case "no-factor":
            return found.filter(is_active=True, has_factor=False)
        case "active":
            return found.filter(is_active=True)
    return found


def _person(user: Any) -> Person:
    state = "closed" if not user.is_active else "active" if user.last_login or user.has_usable_password() else "invited"
    main = getattr(getattr(user, "profile", None), "same_as", None)
    return Person(
        user, sorted(group.name for group in user.groups.all()), state, user.has_factor, main.username if main else ""
    )


def _role(group: Any, people: int, terms: RoleTerms | None) -> Role:
    is_own = bool(terms and terms.is_own)
    verbs = frozenset(terms.verbs) if terms and is_own else ROLES.get(group.name, frozenset())
    return Role(
        group.pk, group.name, verbs, people, is_own, bool(terms and terms.needs_mfa), terms.copied_from if terms else ""
    )


def _right(verb: str, sources: list[str]) -> RightRow:
    return RightRow(verb, gettext(VERBS[verb]), wording.TOLD.get(verb, ""), verb in GRAVE, sources)


def _grant(one: Any, to: str, holder: str) -> Grant | None:
    on = one.content_object
    words = WORDS.get(one.permission.codename)
    if on is None or words is None:
        return None
    kind = one.content_type.model
    return Grant(words, kind, on.title or on.name, on.name, holder, filled(to=to, right=words, on=f"{kind}:{on.name}"))


def _codename(one: Grant) -> str:
    return next((code for code in GRANTS[one.kind] if WORDS[code] == one.words), "")


def _change(event: Event) -> Change:
    facts: Mapping[str, Any] = event.data or {}
    known = {name: words for name, words in _TOLD.items() if facts.get(name) not in (None, "", [])}
    told = [(str(words), _said(name, facts[name])) for name, words in known.items()]
    return Change(event.at, event.actor.removeprefix("user:"), KINDS[event.kind], told)


def _said(name: str, value: Any) -> str:
    """A fact's value as people call it: a permission by what it lets one do."""
    words = WORDS.get(value, VERBS.get(value)) if name in ("permission", "right") and isinstance(value, str) else None
    return gettext(words) if words else _plain(value)


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
