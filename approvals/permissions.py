"""The one place that answers "may this user do that?": for views, the API, sockets and exports alike.

Denied by default. Rights are the verbs of a user's roles, plus what guardian grants on single workflows and queues,
less what the bearer token in use leaves out. Nobody, superusers included, may decide what they themselves requested.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.contrib.auth.models import AnonymousUser, Group, User
from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext
from guardian.models import GroupObjectPermission, UserObjectPermission

from agents.models import Agent
from approvals import desk_db, duties, policy
from approvals.models import ApiToken, Gate, Profile, Queue, RightsEpoch, RoleTerms
from approvals.roles import (
    AGENT_GRANTS,
    AGENT_VERBS,
    QUEUE_GRANTS,
    QUEUE_VERBS,
    ROLES,
    VERBS,
    WORKFLOW_GRANTS,
    WORKFLOW_VERBS,
    verbs_of,
    verbs_of_token,
)
from orchestrator.models import Run, Task, Workflow, WorkflowVersion
from orchestrator.ports import Holder

type Person = User | AnonymousUser
type Grants = Mapping[str, frozenset[int]]  # verb: ids of the objects it is granted on

_CACHE: Final = "_watchkeeper_rights"
_TOKEN: Final = "_watchkeeper_token"
_APPS: Final = ("orchestrator", "approvals", "agents")
_PROFILE: Final = tuple(column.attname for column in Profile._meta.concrete_fields)


@dataclass(frozen=True, slots=True)
class Rights:
    """What one user may do, read at one moment. `limit` is what the token in use leaves; None without a token."""

    everywhere: frozenset[str]
    workflows: Grants
    queues: Grants
    limit: frozenset[str] | None = None
    agents: Grants = field(default_factory=dict)
    needs_mfa: bool = False  # one of their roles asks for a second factor
    teams: frozenset[str] = frozenset()  # names of those they are in; roles are none
    groups: tuple[str, ...] = ()  # names of their roles and teams

    def allows(self, verb: str, grants: Grants, ref: int) -> bool:
        """Whether the verb holds on one object."""
        return self.within_limit(verb) and (verb in self.everywhere or ref in grants.get(verb, ()))

    def within_limit(self, verb: str) -> bool:
        """Whether the token in use, if any, opens the verb."""
        return self.limit is None or verb in self.limit


NO_RIGHTS: Final = Rights(frozenset(), {}, {})


def can(user: Person, verb: str, obj: Model | None = None) -> bool:
    """Whether the user may do `verb` on `obj`; without an object, whether they may do it everywhere."""
    rights = rights_of(user)
    if not rights.within_limit(verb):
        return False
    if obj is None:
        return verb in rights.everywhere
    if isinstance(obj, Gate):
        own = verb == "decide_gate" and is_own_request(user, obj)
        return not own and verb in QUEUE_VERBS and rights.allows(verb, rights.queues, obj.queue_id)
    if isinstance(obj, Queue):
        return verb in rights.everywhere or rights.allows(verb, rights.queues, obj.pk)
    if isinstance(obj, Agent):
        return verb in rights.everywhere or (verb in AGENT_VERBS and rights.allows(verb, rights.agents, obj.pk))
    workflow_id = _workflow_of(obj)
    return verb in WORKFLOW_VERBS and workflow_id is not None and rights.allows(verb, rights.workflows, workflow_id)


def can_somewhere(user: Person, verb: str) -> bool:
    """Whether the user may do `verb` on at least one object: what a link or a tab is shown for."""
    rights = rights_of(user)
    granted = verb in rights.everywhere or bool(rights.workflows.get(verb)) or bool(rights.queues.get(verb))
    granted = granted or bool(rights.agents.get(verb))
    return granted and rights.within_limit(verb)


def is_own_request(user: Person, gate: Gate) -> bool:
    """Whether the user, in any account of theirs, asked for what this gate holds or had a hand in it."""
    if not isinstance(user, User):
        return False
    mine = {user.pk, duties.person_of(user)}
    return any(policy.is_own_request(pk, (gate.requested_by_id, gate.run.started_by_id, *gate.barred)) for pk in mine)


def visible_workflows(user: Person, verb: str = "see_runs") -> QuerySet[Workflow]:
    """The workflows on which the user may do `verb`."""
    return _allowed(Workflow.objects.all(), rights_of(user), verb, "workflows")


def teams_of(user: Person) -> frozenset[str]:
    """The teams, by name, whose steps of a run the user may see without seeing the run as a whole.

    None through a token that opens no runs. Steps of other teams are then known by name and status (`parts`).
    """
    rights = rights_of(user)
    return rights.teams if rights.within_limit("see_runs") else frozenset()


def who_may(workflow: Workflow) -> list[Holder]:
    """Roles and people with a right on this workflow: roles that hold it everywhere, then each grant on it alone."""
    made = RoleTerms.objects.filter(is_own=True).values_list("group__name", "verbs")
    found = {(role, True): verbs & WORKFLOW_VERBS for role, verbs in ROLES.items()}
    found |= {(name, True): WORKFLOW_VERBS.intersection(verbs) for name, verbs in made}
    on = {"object_pk": str(workflow.pk), "content_type__app_label": "orchestrator", "content_type__model": "workflow"}
    own = UserObjectPermission.objects.filter(**on).values_list("user__username", "permission__codename")
    groups = GroupObjectPermission.objects.filter(**on).values_list("group__name", "permission__codename")
    for is_role, granted in ((True, groups), (False, own)):
        for name, codename in granted:
            found[name, is_role] = found.get((name, is_role), frozenset()) | WORKFLOW_GRANTS.get(codename, frozenset())
    return [
        Holder(name, is_role, tuple(gettext(words) for verb, words in VERBS.items() if verb in verbs))
        for (name, is_role), verbs in found.items()
        if verbs
    ]


def verbs_by_role(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Each of these roles with the rights that were set here; none for a shipped one, whose rights are in the code."""
    made = dict(RoleTerms.objects.filter(group__name__in=list(names)).values_list("group__name", "verbs"))
    return {name: tuple(made.get(name, ())) for name in names}


def granted_to(group: Group) -> list[tuple[Workflow | Queue | Agent, str]]:
    """What is granted to a role or team on single objects: the object, and the name of the permission."""
    ours = {"content_type__model__in": ("workflow", "queue", "agent"), "content_type__app_label__in": _APPS}
    found = GroupObjectPermission.objects.filter(group=group, **ours).select_related("permission", "content_type")
    return [(one.content_object, one.permission.codename) for one in found if one.content_object is not None]


def visible_queues(user: Person) -> QuerySet[Queue]:
    """The queues whose gates the user may see."""
    return _allowed(Queue.objects.all(), rights_of(user), "see_gate", "queues")


def queue_ids(user: Person, verb: str) -> frozenset[int] | None:
    """Ids of the queues on whose gates the user may do `verb`; None: all."""
    rights = rights_of(user)
    if not rights.within_limit(verb):
        return frozenset()
    return None if verb in rights.everywhere else frozenset(rights.queues.get(verb, ()))


def decidable_queues(user: Person) -> QuerySet[Queue]:
    """The queues whose gates the user may decide, except those they requested themselves."""
    return _allowed(Queue.objects.all(), rights_of(user), "decide_gate", "queues")


def not_requested_by(user: Person) -> Q:
    """The condition on gates that keeps people from what they asked for, or had a hand in."""
    rights_of(user)  # reads the main account along with the roles
    return ~Q(barred__contains=[duties.person_of(user)]) if isinstance(user, User) else Q(pk__in=())


def rights_of(user: Person) -> Rights:
    """The user's rights, read once per user object; `refresh()` forgets them."""
    if not isinstance(user, User) or not user.is_active:
        return NO_RIGHTS
    found: Rights | None = getattr(user, _CACHE, None)
    if found is None:
        found = _read(user)
        setattr(user, _CACHE, found)
    return found


def refresh(user: Person) -> None:
    """Forget what was read: for sockets, whose user object outlives a request. Re-read `is_active` yourself."""
    if hasattr(user, _CACHE):
        delattr(user, _CACHE)


def act_through(token: ApiToken) -> User:
    """The token's owner, limited for the life of this object to what the token opens."""
    owner = token.user
    setattr(owner, _TOKEN, token)
    refresh(owner)
    return owner


def token_of(user: Person) -> ApiToken | None:
    """The token through which this user object acts."""
    return getattr(user, _TOKEN, None)


def epoch() -> int:
    """How often rights have changed: a reader that sees a new number calls `refresh()`."""
    return RightsEpoch.objects.filter(pk=1).values_list("value", flat=True).first() or 0


def _read(user: User) -> Rights:
    """In one statement with the profile, which every page asks for as well."""
    held = desk_db.held_by(user.pk)
    _remember_profile(user, held.profile)
    token = token_of(user)
    limit = verbs_of_token(token.scopes, may_decide=token.may_decide) if token else None
    groups = tuple(name for name, *_terms in held.roles)
    if user.is_superuser:
        return Rights(frozenset(VERBS), {}, {}, limit, groups=groups)
    granted: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for model, codename, ref in held.grants:
        granted[model].append((codename, int(ref)))
    return Rights(
        everywhere=verbs_of({name: made or () for name, made, *_terms in held.roles}),
        workflows=_by_verb(granted["workflow"], WORKFLOW_GRANTS),
        queues=_by_verb(granted["queue"], QUEUE_GRANTS),
        limit=limit,
        agents=_by_verb(granted["agent"], AGENT_GRANTS),
        needs_mfa=any(needs_mfa for _name, _made, needs_mfa, _own in held.roles),
        teams=frozenset(name for name, _made, _mfa, is_own in held.roles if not is_own) - ROLES.keys(),
        groups=groups,
    )


def _remember_profile(user: User, columns: dict[str, Any] | None) -> None:
    """As if it had been read by itself: no second statement asks for it, or for the person's main account."""
    main = columns["same_as_id"] if columns else None
    duties.remember_person(user, main or user.pk)
    if "profile" in user._state.fields_cache:  # somebody may be changing it
        return
    if columns:
        user.profile = Profile.from_db(user._state.db, _PROFILE, [columns[name] for name in _PROFILE])
    else:
        user._state.fields_cache["profile"] = None  # as Django notes that there is none


def _by_verb(granted: Iterable[tuple[str, int]], meaning: Mapping[str, frozenset[str]]) -> Grants:
    found: dict[str, set[int]] = defaultdict(set)
    for codename, ref in granted:
        for verb in meaning.get(codename, ()):
            found[verb].add(ref)
    return {verb: frozenset(refs) for verb, refs in found.items()}


def _allowed[M: Model](objects: QuerySet[M], rights: Rights, verb: str, kind: str) -> QuerySet[M]:
    if not rights.within_limit(verb):
        return objects.none()
    if verb in rights.everywhere:
        return objects
    grants: Grants = getattr(rights, kind)
    return objects.filter(pk__in=grants.get(verb, ()))


def _workflow_of(obj: Model) -> int | None:
    if isinstance(obj, Workflow):
        return obj.pk
    if isinstance(obj, Run | Task | WorkflowVersion):
        return obj.workflow_id
    return None
