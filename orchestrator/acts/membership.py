"""Acts on teams: put somebody into one, take somebody out, make one and remove it. A role is a team, too.

Being in a team changes what a person may do, so every one of these needs `manage_access`, and nobody does it to
themselves: `ports.access()` refuses that.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.contrib.auth.models import Group, User
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from orchestrator import ports
from orchestrator.acts.core import Act, Performing, Person, Plan, Scope, Target, Undo, counted, register
from orchestrator.acts.refusals import ActImpossible
from orchestrator.models import Budget

OFFERED: Final = 500  # people to choose from
LISTED: Final = 12  # rights in words


class _AccessAct(Act):
    """What these acts have in common."""

    scopes: ClassVar[tuple[Scope, ...]] = ("team",)
    icon = "users"

    def permits(self, user: Person, target: Target) -> bool:
        """`manage_access`, everywhere."""
        return ports.rights().can(user, "manage_access")

    def lock(self, target: Target) -> Target:
        """The team's row: two changes of it are served one after the other."""
        if target.row is None:
            return target
        return Target("team", Group.objects.select_for_update(no_key=True).get(pk=target.row.pk))


class _Member(_AccessAct):
    """Somebody goes in, or out."""

    held: ClassVar[bool]
    kinds: ClassVar[tuple[str, str]]  # the event for a role, and for another team
    line: ClassVar[str | Promise]
    rights: ClassVar[str | Promise]
    back: ClassVar[str]

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Who."""
        names = list(self._people(target).order_by("username").values_list("username", flat=True)[: OFFERED + 1])
        field: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 150, "title": _("Who")}
        if len(names) <= OFFERED:
            field["enum"] = names
        return {"properties": {"person": field}, "required": ["person"]}

    def _people(self, target: Target) -> Any:
        inside = User.objects.filter(groups=_team(target))
        return inside if self.held is False else User.objects.filter(is_active=True).exclude(pk__in=inside.values("pk"))

    def why_not(self, target: Target) -> str:
        """There must be somebody."""
        return "" if self._people(target).exists() else _("There is nobody whom this could be done for.")

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Who it is, and what they may do by it, or no longer."""
        team, name = _team(target), str(answers["person"])
        person = self._people(target).filter(username=name).first()
        if person is None:
            raise ActImpossible(why=_("%(name)s is not among those whom this can be done for.") % {"name": name})
        told = {"person": person.get_full_name() or name, "team": team.name}
        gains = ports.access().gains(person, team)
        lines = [str(self.line) % told]
        lines += [str(self.rights) % {"rights": "; ".join(gains[:LISTED])}] if gains else [_("What they may do stays.")]
        if len(gains) > LISTED:
            lines.append(_("And %(count)d more.") % {"count": len(gains) - LISTED})
        lines += _budgets(team)
        bound: dict[str, Json] = {"person": person.pk, "rights": [*gains]}
        return Plan(tuple(lines), bound, person)

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Do it, and say so where rights are watched."""
        team, person = _team(act.target), act.plan.work
        access = ports.access()
        epoch = access.set_member(user_id=person.pk, team_id=team.pk, by=act.by, held=self.held)
        facts: dict[str, Json] = {"user": person.username, "ref": team.pk, "epoch": epoch}
        if access.is_role(team):
            act.record(self.kinds[0], role=team.name, **facts)
        else:
            act.record(self.kinds[1], team=team.name, **facts)
        return {"user": person.username}

    def undo(self, target: Target, plan: Plan) -> Undo:
        """The other way."""
        return Undo(self.back, {"person": plan.work.username})


class AddPerson(_Member):
    """Put somebody into a team."""

    name = "add-person"
    held = True
    back = "remove-person"
    icon = "plus"
    rank = 10
    kinds = ("role.granted", "team.person_added")
    title = gettext_lazy("Add somebody to this team")
    action = gettext_lazy("Add")
    menu = gettext_lazy("Add somebody…")
    hint = gettext_lazy("Runs that they start from now on draw on the team's budgets.")
    line = gettext_lazy("%(person)s belongs to %(team)s.")
    rights = gettext_lazy("They may now: %(rights)s.")

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Added to %(team)s.") % {"team": _team(target).name}


class RemovePerson(_Member):
    """Take somebody out of a team."""

    name = "remove-person"
    held = False
    back = "add-person"
    icon = "minus"
    rank = 11
    kinds = ("role.revoked", "team.person_removed")
    title = gettext_lazy("Remove somebody from this team")
    action = gettext_lazy("Remove")
    menu = gettext_lazy("Remove somebody…")
    hint = gettext_lazy("It counts at once, also where they are signed in.")
    line = gettext_lazy("%(person)s no longer belongs to %(team)s.")
    rights = gettext_lazy("They may no longer: %(rights)s.")

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Removed from %(team)s.") % {"team": _team(target).name}


class MakeTeam(_AccessAct):
    """Make a team with nobody in it."""

    name = "make-team"
    scopes = ("everything",)
    title = gettext_lazy("Make a team")
    action = gettext_lazy("Make team")
    menu = gettext_lazy("New team…")
    hint = gettext_lazy("A team is a group of people who share budgets. Add its people on its page.")

    def is_offered(self, target: Target) -> bool:
        """Only by the page of teams."""
        return False

    def schema(self, target: Target) -> Mapping[str, Any]:
        """What it is called."""
        named = {"type": "string", "minLength": 1, "maxLength": 100, "pattern": r"^\S.*$", "title": _("Name")}
        return {"properties": {"name": named}, "required": ["name"]}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """That name, if it is free."""
        name = str(answers["name"]).strip()
        if Group.objects.filter(name__iexact=name).exists():
            raise ActImpossible(why=_("There is a team called %(name)s already.") % {"name": name})
        return Plan((_("%(name)s is a team with nobody in it.") % {"name": name},), {}, name)

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Make it."""
        try:
            with transaction.atomic():
                made = Group.objects.create(name=act.plan.work)
        except IntegrityError as taken:  # by somebody at the same moment
            raise ActImpossible(why=_("There is a team called %(name)s already.") % {"name": act.plan.work}) from taken
        act.record("team.made", team=made.name, ref=made.pk)
        return {"team": made.pk, "href": reverse("orchestrator:team", args=[made.pk])}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The team is made; add its people.")


class RemoveTeam(_AccessAct):
    """Remove a team that nothing depends on."""

    name = "remove-team"
    icon = "trash-2"
    rank = 90
    is_grave = True
    title = gettext_lazy("Remove this team")
    action = gettext_lazy("Remove team")
    menu = gettext_lazy("Remove the team…")

    def why_not(self, target: Target) -> str:
        """It must be empty, and nobody's role."""
        team = _team(target)
        if ports.access().is_role(team):
            return _("It is a role; roles stay.")
        if team.user_set.exists():
            return _("There are people in it; take them out first.")
        if Budget.objects.filter(scope="team", ref=team.pk).exists():
            return _("It has budgets; take their limits away first.")
        return _("Rights are granted to it; take them back first.") if ports.access().holds_rights(team) else ""

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Nobody loses anything by it."""
        return Plan((_("%(team)s is gone; nobody was in it.") % {"team": _team(target).name},), {}, _team(target).name)

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Remove the row."""
        team = _team(act.target)
        act.record("team.removed", team=team.name, ref=team.pk)
        Group.objects.filter(pk=team.pk).delete()
        return {"href": reverse("orchestrator:teams")}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The team is removed.")


def _budgets(team: Group) -> tuple[str, ...]:
    count = Budget.objects.filter(scope="team", ref=team.pk).count()
    return counted(count, "The team has %(count)s budget.", "The team has %(count)s budgets.")


def _team(target: Target) -> Group:
    assert isinstance(target.row, Group)
    return target.row


for _act in (AddPerson(), RemovePerson(), MakeTeam(), RemoveTeam()):
    register(_act)
