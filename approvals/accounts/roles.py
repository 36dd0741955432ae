"""Roles of one's own, made from a copy, and which roles ask for a second factor. The shipped nine follow the code."""

from django.contrib.auth.models import Group, User
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from guardian.shortcuts import assign_perm

from agents.types import Json
from approvals import access, permissions
from approvals.accounts import risk
from approvals.accounts.risk import NO_REASON, Why
from approvals.errors import ChangeRefused, UnknownName
from approvals.models import RoleTerms
from approvals.roles import ROLES, VERBS, verbs_of
from orchestrator.events import EventKind


def ship() -> None:
    """Make the groups of the shipped roles that are missing; run after every migration, and harmless to repeat."""
    for name in ROLES:
        Group.objects.get_or_create(name=name)


@transaction.atomic
def make(*, name: str, copy_of: str, by: User | None, why: Why = NO_REASON) -> Group:
    """A role with nobody in it that allows what another one does, on single objects too."""
    access.authorise(by, None, why)
    source = _role(copy_of)
    verbs = verbs_of(permissions.verbs_by_role([copy_of]))
    try:
        with transaction.atomic():
            made = Group.objects.create(name=name.strip())
    except IntegrityError as taken:
        raise ChangeRefused(why=_("there is a team called %(name)s already") % {"name": name.strip()}) from taken
    RoleTerms.objects.create(group=made, is_own=True, verbs=sorted(verbs), copied_from=copy_of)
    for on, permission in permissions.granted_to(source):
        assign_perm(permission, made, on)
    access.record(
        EventKind.ROLE_MADE, by, [], {"role": made.name, "ref": made.pk, "copied_from": copy_of, **why.facts()}
    )
    return made


@transaction.atomic
def set_right(*, role: str, right: str, held: bool, by: User | None, why: Why = NO_REASON) -> None:
    """Add one right to a role that was made here, or take it away."""
    group, terms = _own(role)
    access.authorise(by, group, why)
    if right not in VERBS:
        raise UnknownName(what="right", name=right, known=", ".join(VERBS))
    if (right in terms.verbs) == held:
        words = _("it has that right already") if held else _("it does not have that right")
        raise ChangeRefused(why=words)
    if held:
        risk.guard(by, why, risk.of_verb(right))
    terms.verbs = sorted({*terms.verbs, right} if held else {*terms.verbs} - {right})
    terms.save(update_fields=["verbs"])
    access.keep_an_administrator(by)
    facts: dict[str, Json] = {"role": role, "right": right, "held": held, **why.facts()}
    access.record(EventKind.ROLE_CHANGED, by, access.members(group), facts)


@transaction.atomic
def remove(*, role: str, by: User | None, why: Why = NO_REASON) -> None:
    """Remove a role that was made here; whoever is in it loses what it allowed."""
    group, _terms = _own(role)
    access.authorise(by, group, why)
    members = access.members(group)
    group.delete()
    access.keep_an_administrator(by)
    access.record(EventKind.ROLE_REMOVED, by, members, {"role": role, **why.facts()})


@transaction.atomic
def require_mfa(*, role: str, required: bool, by: User | None, why: Why = NO_REASON) -> None:
    """Let nobody in this role work without a second factor, or no longer ask for one."""
    access.authorise(by, None, why)
    group = _role(role)
    terms, _made = RoleTerms.objects.select_for_update().get_or_create(group=group)
    if terms.needs_mfa == required:
        raise ChangeRefused(why=_("that is how it is already"))
    terms.needs_mfa = required
    terms.save(update_fields=["needs_mfa"])
    facts: dict[str, Json] = {"role": role, "needs_mfa": required, **why.facts()}
    access.record(EventKind.ROLE_CHANGED, by, access.members(group), facts)


def _role(name: str) -> Group:
    if name not in access.role_names():
        raise UnknownName(what="role", name=name, known=", ".join(access.role_names()))
    return access.role_group(name)


def _own(name: str) -> tuple[Group, RoleTerms]:
    terms = (
        RoleTerms.objects.select_for_update(of=("self",))
        .select_related("group")
        .filter(group__name=name, is_own=True)
        .first()
    )
    if terms is None:
        raise ChangeRefused(why=_("%(role)s is shipped and follows the code; make a role from a copy") % {"role": name})
    return terms.group, terms
