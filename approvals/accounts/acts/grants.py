"""Rights on one workflow, queue or agent: granted to a person or to everybody in a team, and taken back."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.contrib.auth.models import Group, User
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from guardian.models import GroupObjectPermission, UserObjectPermission

from agents.models import Agent
from agents.types import Json
from approvals import access
from approvals.accounts import people, risk
from approvals.accounts.acts.core import OFFERED, AccessAct, Answers, named, text
from approvals.accounts.risk import Why
from approvals.errors import ChangeRefused, UnknownName
from approvals.models import Queue
from approvals.roles import AGENT_GRANTS, QUEUE_GRANTS, VERBS, WORKFLOW_GRANTS
from orchestrator.acts.choices import choice
from orchestrator.acts.core import Target, register
from orchestrator.models import Workflow

# Permission: in words, as the form offers it and the pages list it.
WORDS: Final[Mapping[str, str]] = {
    **{codename: VERBS[codename] for codename in (*WORKFLOW_GRANTS, *AGENT_GRANTS)},
    "see_gates": VERBS["see_gate"],
    "decide_gates": VERBS["decide_gate"],
}
OF_KIND: Final[Mapping[str, tuple[str, ...]]] = {
    "workflow": tuple(WORKFLOW_GRANTS), "queue": tuple(QUEUE_GRANTS), "agent": tuple(AGENT_GRANTS),
}  # fmt: skip


class _Grant(AccessAct):
    """A right on one object. `on` reads queue:refunds, `to` reads person:ana or team:Reviewer."""

    held: ClassVar[bool]

    def schema(self, target: Target) -> Mapping[str, Any]:
        """To whom, what, and on which."""
        fields = {
            "to": _named(_("To whom"), _holders(), "person:… or team:…"),
            "right": choice(_("Right"), {words: _(words) for words in WORDS.values()}),
            "on": _named(_("On"), _objects(), "workflow:…, queue:… or agent:…"),
        }
        return {"properties": fields, "required": ["to", "right", "on"]}

    def words(self, asked: Answers) -> tuple[str, ...]:
        """Who, what and on which, as people call them."""
        holder, (permission, on) = _holder(text(asked, "to")), self._what(asked)
        whose = (holder.get_full_name() or holder.username) if isinstance(holder, User) else holder.name
        return (str(self.line) % {"to": whose, "right": _(WORDS[permission]), "on": on.title or on.name},)

    def change(self, asked: Answers, by: User | None, why: Why) -> Mapping[str, Json]:
        """Grant it, or take it back."""
        holder, (permission, on) = _holder(text(asked, "to")), self._what(asked)
        if _is_granted(holder, permission, on) == self.held:
            raise ChangeRefused(why=_("that is granted already") if self.held else _("that is not granted"))
        if self.held:
            access.grant(to=holder, permission=permission, on=on, by=by, why=why)
        else:
            access.revoke(of=holder, permission=permission, on=on, by=by, why=why)
        return {"href": home_of(holder)}

    def check_hands(self, asked: Answers, by: User) -> None:
        """Nobody asks for a right of their own, or of a role they are in."""
        access.authorise(by, _holder(text(asked, "to")))

    def risk(self, asked: Answers) -> str:
        """As the right is on that object."""
        return risk.of_grant(*self._what(asked)) if self.held else ""

    @staticmethod
    def _what(asked: Answers) -> tuple[str, Workflow | Queue | Agent]:
        kind, _colon, name = text(asked, "on").partition(":")
        on = _object(kind, name)
        words = text(asked, "right")
        permission = next((code for code in OF_KIND[kind] if words in (code, WORDS[code])), "")
        if not permission:
            offered = ", ".join(f"“{WORDS[code]}”" for code in OF_KIND[kind])
            raise ChangeRefused(why=_("on that one can grant %(rights)s") % {"rights": offered})
        return permission, on


class GrantRight(_Grant):
    """Grant a right on one object."""

    name = "grant-right"
    held = True
    back = "revoke-right"
    icon = "plus"
    title = gettext_lazy("Grant a right on one thing")
    action = gettext_lazy("Grant")
    menu = gettext_lazy("Grant a right…")
    hint = gettext_lazy("A role counts everywhere; this counts for one workflow, queue or agent.")
    line = gettext_lazy("%(to)s may “%(right)s” on %(on)s.")

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Granted; it counts at once.")


class RevokeRight(_Grant):
    """Take back a right on one object."""

    name = "revoke-right"
    held = False
    back = "grant-right"
    icon = "minus"
    is_grave = True
    title = gettext_lazy("Take back a right on one thing")
    action = gettext_lazy("Take back")
    menu = gettext_lazy("Take a right back…")
    line = gettext_lazy("%(to)s is no longer granted “%(right)s” on %(on)s.")

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Taken back; it counts at once, also where they are signed in.")


def home_of(holder: User | Group) -> str:
    """The page of a person, or of a role or team."""
    return reverse("access:person" if isinstance(holder, User) else "access:role", args=[holder.pk])


def _holder(said: str) -> User | Group:
    kind, _colon, name = said.partition(":")
    if kind == "person":
        return people.named(name)
    found = Group.objects.filter(name=name).first() if kind == "team" else None
    if found is None:
        raise UnknownName(what="holder", name=said, known="person:NAME, team:NAME")
    return found


def _object(kind: str, name: str) -> Workflow | Queue | Agent:
    models: dict[str, type[Workflow] | type[Queue] | type[Agent]]
    models = {"workflow": Workflow, "queue": Queue, "agent": Agent}
    found = models[kind]._default_manager.filter(name=name).first() if kind in models else None
    if found is None:
        raise UnknownName(what="object", name=f"{kind}:{name}", known="workflow:NAME, queue:NAME, agent:NAME")
    return found


def _is_granted(holder: User | Group, permission: str, on: Workflow | Queue | Agent) -> bool:
    facts = {
        "permission__codename": permission, "object_pk": str(on.pk), "content_type__model": on._meta.model_name,
        "content_type__app_label": on._meta.app_label,
    }  # fmt: skip
    if isinstance(holder, User):
        return UserObjectPermission.objects.filter(user=holder, **facts).exists()
    return GroupObjectPermission.objects.filter(group=holder, **facts).exists()


def _holders() -> dict[str, str]:
    people = User.objects.filter(is_active=True).order_by("username")[: OFFERED + 1]
    teams = Group.objects.order_by("name").values_list("name", flat=True)[: OFFERED + 1]
    held_by_all = _("everybody in %(team)s")
    return {f"person:{user.username}": named(user) for user in people} | {
        f"team:{name}": held_by_all % {"team": name} for name in teams
    }


def _objects() -> dict[str, str]:
    kinds = (("queue", Queue, _("Queue")), ("workflow", Workflow, _("Workflow")), ("agent", Agent, _("Agent")))
    found: dict[str, str] = {}
    for kind, model, words in kinds:
        rows = model._default_manager.order_by("name").values_list("name", "title")[: OFFERED + 1]
        found |= {f"{kind}:{name}": f"{words}: {title or name}" for name, title in rows}
    return found


def _named(title: str, names: Mapping[str, str], hint: str) -> dict[str, Any]:
    field: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 200, "title": title}
    return {**field, **(choice(title, names) if 0 < len(names) <= OFFERED else {"description": hint})}


for _act in (GrantRight(), RevokeRight()):
    register(_act)
