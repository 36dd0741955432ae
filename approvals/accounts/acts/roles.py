"""Roles: given and taken, made from a copy, changed right by right, and which of them ask for a second factor."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from approvals import access
from approvals.accounts import people, risk, roles
from approvals.accounts.acts.core import AccessAct, Answers, person_field, role_field, text
from approvals.accounts.risk import Why
from approvals.errors import ChangeRefused
from approvals.models import RoleTerms
from approvals.roles import VERBS
from orchestrator.acts.choices import choice
from orchestrator.acts.core import Plan, Target, Undo, register


class _RoleOf(AccessAct):
    """A role of one person."""

    held: ClassVar[bool]
    icon = "user-round"

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Who, and which."""
        fields = {"person": person_field(_("Who")), "role": role_field(_("Role"))}
        return {"properties": fields, "required": ["person", "role"]}

    def change(self, asked: Answers, by: User | None, why: Why) -> Mapping[str, Json]:
        """Give or take it."""
        user, role = people.named(text(asked, "person")), text(asked, "role")
        if user.groups.filter(name=role).exists() == self.held:
            held = _("%(person)s has that role already") if self.held else _("%(person)s does not have that role")
            raise ChangeRefused(why=held % {"person": user.username})
        access.set_role(user_id=user.pk, role=role, by=by, held=self.held, why=why)
        return {"href": reverse("access:person", args=[user.pk])}

    def check_hands(self, asked: Answers, by: User) -> None:
        """Nobody asks for a role of their own."""
        access.authorise(by, people.named(text(asked, "person")))


class GiveRole(_RoleOf):
    """Give somebody a role."""

    name = "give-role"
    held = True
    back = "take-role"
    title = gettext_lazy("Give a role")
    action = gettext_lazy("Give role")
    menu = gettext_lazy("Give a role…")
    line = gettext_lazy("%(person)s has the role %(role)s.")

    def risk(self, asked: Answers) -> str:
        """As belonging to the role is."""
        return risk.of_group(access.role_group(text(asked, "role")))

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The role is given; it counts at once, also where they are signed in.")


class TakeRole(_RoleOf):
    """Take a role from somebody."""

    name = "take-role"
    held = False
    back = "give-role"
    is_grave = True
    icon = "minus"
    title = gettext_lazy("Take a role away")
    action = gettext_lazy("Take role away")
    menu = gettext_lazy("Take a role away…")
    line = gettext_lazy("%(person)s no longer has the role %(role)s.")

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The role is taken away; it counts at once, also where they are signed in.")


class MakeRole(AccessAct):
    """Make a role from a copy of another."""

    name = "make-role"
    icon = "copy"
    home = "access:roles"
    title = gettext_lazy("Make a role from a copy")
    action = gettext_lazy("Make role")
    menu = gettext_lazy("New role…")
    hint = gettext_lazy("It starts with the rights of the role it is copied from; add and drop rights afterwards.")
    line = gettext_lazy("%(name)s is a role with the rights of %(copy_of)s, and nobody in it.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """What it is called, and what it starts as."""
        name = {"type": "string", "minLength": 2, "maxLength": 100, "pattern": r"^\S.*$", "title": _("Name")}
        fields = {"name": name, "copy_of": role_field(_("Copy of"))}
        return {"properties": fields, "required": ["name", "copy_of"]}

    def change(self, asked: Answers, by: User | None, why: Why) -> Mapping[str, Json]:
        """Make it."""
        made = roles.make(name=text(asked, "name"), copy_of=text(asked, "copy_of"), by=by, why=why)
        return {"role": made.pk, "href": reverse("access:role", args=[made.pk])}

    def undo(self, target: Target, plan: Plan) -> Undo:
        """Remove it again."""
        return Undo("remove-role", {"role": text(plan.work.answers, "name")})

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The role is made; change its rights, then give it to people.")


class RemoveRole(AccessAct):
    """Remove a role that was made here."""

    name = "remove-role"
    icon = "trash-2"
    is_grave = True
    home = "access:roles"
    title = gettext_lazy("Remove a role")
    action = gettext_lazy("Remove role")
    menu = gettext_lazy("Remove the role…")
    line = gettext_lazy("%(role)s is gone, and what was granted to it.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which."""
        return {"properties": {"role": role_field(_("Role"), own=True)}, "required": ["role"]}

    def change(self, asked: Answers, by: User | None, why: Why) -> Mapping[str, Json]:
        """Remove it."""
        roles.remove(role=text(asked, "role"), by=by, why=why)
        return {"href": reverse("access:roles")}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The role is removed.")


class _RightOf(AccessAct):
    """One right of a role that was made here."""

    held: ClassVar[bool]
    home = "access:roles"

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which right, of which role."""
        right = choice(_("Right"), {words: _(words) for words in VERBS.values()})
        return {"properties": {"role": role_field(_("Role"), own=True), "right": right}, "required": ["role", "right"]}

    def change(self, asked: Answers, by: User | None, why: Why) -> Mapping[str, Json]:
        """Add it or drop it."""
        role = text(asked, "role")
        roles.set_right(role=role, right=_verb(asked), held=self.held, by=by, why=why)
        return {"href": reverse("access:role", args=[access.role_group(role).pk])}


class AddRight(_RightOf):
    """Add a right to a role."""

    name = "add-right"
    held = True
    back = "drop-right"
    icon = "plus"
    title = gettext_lazy("Add a right to a role")
    action = gettext_lazy("Add right")
    menu = gettext_lazy("Add a right…")
    line = gettext_lazy("Everybody in %(role)s may: %(right)s.")

    def risk(self, asked: Answers) -> str:
        """As the right is."""
        return risk.of_verb(_verb(asked))

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The right is added.")


class DropRight(_RightOf):
    """Drop a right of a role."""

    name = "drop-right"
    held = False
    back = "add-right"
    icon = "minus"
    is_grave = True
    title = gettext_lazy("Drop a right of a role")
    action = gettext_lazy("Drop right")
    menu = gettext_lazy("Drop a right…")
    line = gettext_lazy("%(role)s no longer allows: %(right)s.")

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The right is dropped.")


class RequireMfa(AccessAct):
    """Ask everybody in a role for a second factor."""

    name = "require-mfa"
    icon = "shield-check"
    home = "access:roles"
    title = gettext_lazy("Second factor for a role")
    action = gettext_lazy("Keep")
    menu = gettext_lazy("Second factor…")
    hint = gettext_lazy("Whoever has none is led to set one up before they can do anything else.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which role, and whether."""
        fields = {
            "role": role_field(_("Role")),
            "required": {"type": "boolean", "title": _("Nobody in it works without a second factor")},
        }
        return {"properties": fields, "required": ["role", "required"]}

    def answers(self, target: Target) -> Answers:
        """What is not yet."""
        return {"required": True}

    def words(self, asked: Answers) -> tuple[str, ...]:
        """Who is asked for one."""
        role = text(asked, "role")
        if not asked.get("required"):
            return (_("%(role)s no longer asks for a second factor.") % {"role": role},)
        without = User.objects.filter(groups__name=role, is_active=True, authenticator__isnull=True).distinct().count()
        words = _(
            "Everybody in %(role)s needs a second factor; %(count)d of them have none yet and are led to set one up."
        )
        return (words % {"role": role, "count": without},)

    def risk(self, asked: Answers) -> str:
        """Not asking any more is."""
        if (
            asked.get("required")
            or not RoleTerms.objects.filter(group__name=text(asked, "role"), needs_mfa=True).exists()
        ):
            return ""
        return _("it makes signing in easier for others, too")

    def change(self, asked: Answers, by: User | None, why: Why) -> Mapping[str, Json]:
        """Keep it."""
        role = text(asked, "role")
        roles.require_mfa(role=role, required=bool(asked.get("required")), by=by, why=why)
        return {"href": reverse("access:role", args=[access.role_group(role).pk])}

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """The other way, unless nothing has changed yet."""
        if plan.work.risk:
            return None
        answers = plan.work.answers
        return Undo(self.name, {**answers, "required": not answers.get("required")})

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("It counts from the next click of everybody in that role.")


def _verb(asked: Answers) -> str:
    words = text(asked, "right")
    return next((verb for verb, said in VERBS.items() if words in (verb, said)), words)


for _act in (GiveRole(), TakeRole(), MakeRole(), RemoveRole(), AddRight(), DropRight(), RequireMfa()):
    register(_act)
