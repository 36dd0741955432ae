"""Accounts: made for somebody, closed, opened again; which are one person's; skills; a lost second factor."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from approvals import access
from approvals.accounts import people, risk
from approvals.accounts.acts.core import AccessAct, Answers, person_field, role_field, text
from approvals.accounts.risk import Why
from approvals.models import Gate, GateStatus, Profile
from orchestrator.acts.core import Plan, Target, Undo, register


class InvitePerson(AccessAct):
    """Make an account for somebody."""

    name = "invite-person"
    icon = "plus"
    title = gettext_lazy("Make an account")
    action = gettext_lazy("Make account")
    menu = gettext_lazy("New account…")
    hint = gettext_lazy("Nobody can sign in to it until its owner has set a password by the link that you make next.")
    line = gettext_lazy("%(person)s is an account of %(name)s without a password.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Who it is for."""
        fields = {
            "person": {
                "type": "string", "minLength": 2, "maxLength": 150, "pattern": r"^[\w.@+-]+$",
                "title": _("Account’s name"),
                "description": _("What they sign in with: letters, digits and @ . + - _"),
            },
            "name": {"type": "string", "minLength": 1, "maxLength": 150, "title": _("Full name")},
            "email": {
                "type": "string", "maxLength": 150, "pattern": r"^[^@\s]+@[^@\s]+$", "title": _("E-mail address"),
            },
            "role": role_field(_("Role")),
        }  # fmt: skip
        return {"properties": fields, "required": ["person", "name"]}

    def change(self, asked: Answers, by: User | None, why: Why) -> Mapping[str, Json]:
        """Make it, with its first role."""
        made = people.invite(
            username=text(asked, "person"), name=text(asked, "name"), email=text(asked, "email"),
            role=text(asked, "role"), by=by, why=why,
        )  # fmt: skip
        return {"user": made.pk, "href": reverse("access:person", args=[made.pk])}

    def risk(self, asked: Answers) -> str:
        """As its role is."""
        return risk.of_group(access.role_group(text(asked, "role"))) if text(asked, "role") else ""

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The account is made. Make a link for its owner, and send it by a way that reaches nobody else.")


class CloseAccount(AccessAct):
    """Shut somebody out."""

    name = "close-account"
    icon = "ban"
    is_grave = True
    title = gettext_lazy("Close an account")
    action = gettext_lazy("Close account")
    menu = gettext_lazy("Close the account…")
    hint = gettext_lazy("Sessions, sockets and tokens end at once. What they decided stays on record under their name.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Whose, and who takes over what waits for them by name."""
        fields = {"person": person_field(_("Whose")), "hand_to": person_field(_("Hand what waits for them to"))}
        return {"properties": fields, "required": ["person"]}

    def words(self, asked: Answers) -> tuple[str, ...]:
        """What waits for them by name, and where it goes."""
        user = people.named(text(asked, "person"))
        held = Gate.objects.filter(assigned_to=user, status=GateStatus.OPEN).count()
        lines = [_("%(person)s can no longer sign in; sessions and tokens end.") % {"person": user.username}]
        if not held:
            return tuple(lines)
        heir = text(asked, "hand_to")
        words = (
            _("What waits in their hands goes to %(to)s, where they may decide it: %(count)d.")
            if heir
            else _("What waits in their hands is shown as stranded until somebody takes it: %(count)d.")
        )
        return (*lines, words % {"to": heir, "count": held})

    def change(self, asked: Answers, by: User | None, why: Why) -> Mapping[str, Json]:
        """Close it."""
        user = people.named(text(asked, "person"))
        heir = people.named(text(asked, "hand_to")) if text(asked, "hand_to") else None
        facts = people.close(user=user, hand_to=heir, by=by, why=why)
        return {**facts, "href": reverse("access:person", args=[user.pk])}

    def undo(self, target: Target, plan: Plan) -> Undo:
        """Open it; tokens and sessions stay ended."""
        return Undo("open-account", {"person": text(plan.work.answers, "person")})

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The account is closed: its sessions and tokens have ended.")


class OpenAccount(AccessAct):
    """Let somebody in again."""

    name = "open-account"
    icon = "user-round"
    back = "close-account"
    title = gettext_lazy("Open an account again")
    action = gettext_lazy("Open account")
    menu = gettext_lazy("Open the account…")
    hint = gettext_lazy("They sign in with the password they had; tokens that ended stay ended.")
    line = gettext_lazy("%(person)s can sign in again, with the roles and rights they had.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Whose."""
        return {"properties": {"person": person_field(_("Whose"), inactive=True)}, "required": ["person"]}

    def change(self, asked: Answers, by: User | None, why: Why) -> Mapping[str, Json]:
        """Open it."""
        user = people.named(text(asked, "person"))
        access.set_active(user_id=user.pk, active=True, by=by, why=why)
        return {"href": reverse("access:person", args=[user.pk])}

    def risk(self, asked: Answers) -> str:
        """As what they may do then is."""
        user = people.named(text(asked, "person"))
        user.is_active = True
        return risk.of_person(user)

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The account is open again.")


class LinkAccount(AccessAct):
    """Say that two accounts are one person's."""

    name = "link-account"
    icon = "link"
    title = gettext_lazy("Several accounts of one person")
    action = gettext_lazy("Keep")
    menu = gettext_lazy("Same person as…")
    hint = gettext_lazy("Where several people must agree, one person counts once, whatever accounts they have.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which account, and the person's main one."""
        fields = {"person": person_field(_("This account")), "main": person_field(_("is the same person’s as"))}
        return {"properties": fields, "required": ["person"]}

    def words(self, asked: Answers) -> tuple[str, ...]:
        """Who counts as whom."""
        told = {"person": text(asked, "person"), "main": text(asked, "main")}
        if not told["main"]:
            return (_("%(person)s counts as a person of its own.") % told,)
        return (_("%(person)s and %(main)s count as one person, in quorums and in separation of duties.") % told,)

    def change(self, asked: Answers, by: User | None, why: Why) -> Mapping[str, Json]:
        """Keep it."""
        user = people.named(text(asked, "person"))
        main = people.named(text(asked, "main")) if text(asked, "main") else None
        people.same_as(user=user, main=main, by=by, why=why)
        return {"href": reverse("access:person", args=[user.pk])}

    def risk(self, asked: Answers) -> str:
        """Always: it decides how many people a decision takes."""
        return people.of_sameness(people.named(text(asked, "person")))

    def check_hands(self, asked: Answers, by: User) -> None:
        """Nobody says this of an account of their own."""
        for name in filter(None, (text(asked, "person"), text(asked, "main"))):
            access.authorise(by, people.named(name))

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("It counts from the next decision.")


class SetSkills(AccessAct):
    """Say what somebody is good at."""

    name = "set-skills"
    icon = "sliders-horizontal"
    title = gettext_lazy("Skills of a person")
    action = gettext_lazy("Keep")
    menu = gettext_lazy("Skills…")
    hint = gettext_lazy("Gates that ask for a skill go to those who have it. Separate them by commas.")
    line = gettext_lazy("%(person)s has the skills: %(skills)s.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Whose, and which."""
        skills = {"type": "string", "maxLength": 190, "title": _("Skills")}
        return {"properties": {"person": person_field(_("Whose")), "skills": skills}, "required": ["person"]}

    def change(self, asked: Answers, by: User | None, why: Why) -> Mapping[str, Json]:
        """Keep them."""
        user = people.named(text(asked, "person"))
        people.set_skills(user=user, skills=text(asked, "skills").split(","), by=by, why=why)
        return {"href": reverse("access:person", args=[user.pk])}

    def plan(self, target: Target, answers: Answers) -> Plan:
        """With what undoing it would write back."""
        was = Profile.objects.filter(user__username=text(answers, "person")).values_list("skills", flat=True).first()
        plan = super().plan(target, answers)
        return Plan(plan.lines, plan.bound, (plan.work, list(was or ())), plan.warnings)

    def apply(self, act: Any) -> Mapping[str, Json]:
        """Keep them; nobody else has to agree."""
        return self.change(act.answers, act.by, Why(act.reason))

    def undo(self, target: Target, plan: Plan) -> Undo:
        """The skills before."""
        work, was = plan.work
        return Undo(self.name, {"person": text(work.answers, "person"), "skills": ", ".join(was)})

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The skills are kept.")


class ResetMfa(AccessAct):
    """Take away the second factors of somebody who lost theirs."""

    name = "reset-mfa"
    icon = "rotate-ccw"
    is_grave = True
    title = gettext_lazy("Take away a lost second factor")
    action = gettext_lazy("Take away")
    menu = gettext_lazy("Second factor lost…")
    hint = gettext_lazy(
        "Make sure that it is they who ask. Their sessions end, and their password alone signs them in."
    )
    line = gettext_lazy("%(person)s has no second factor until they set up a new one.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Whose."""
        return {"properties": {"person": person_field(_("Whose"))}, "required": ["person"]}

    def change(self, asked: Answers, by: User | None, why: Why) -> Mapping[str, Json]:
        """Take them away."""
        user = people.named(text(asked, "person"))
        people.reset_mfa(user=user, by=by, why=why)
        return {"href": reverse("access:person", args=[user.pk])}

    def risk(self, asked: Answers) -> str:
        """As what they may do is."""
        return risk.of_person(people.named(text(asked, "person")))

    def check_hands(self, asked: Answers, by: User) -> None:
        """Nobody takes away their own this way."""
        access.authorise(by, people.named(text(asked, "person")))

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Their second factors are gone, and their sessions have ended.")


for _act in (InvitePerson(), CloseAccount(), OpenAccount(), LinkAccount(), SetSkills(), ResetMfa()):
    register(_act)
