"""More authority for an agent takes two people: one asks, somebody else confirms or refuses.

Whoever describes an agent may narrow what it may decide at once. What would let it decide more stays as it was, with an
item on the agent's page, until a person who did not ask has confirmed it.
"""

from collections.abc import Mapping
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.lifecycle import items, routes
from agents.models import Agent, AgentItem, AgentVersion
from agents.types import Json
from orchestrator import ports
from orchestrator.acts.core import Performing, Person, Plan, Target, register
from orchestrator.acts.refusals import ActImpossible
from orchestrator.acts.releasing import AgentAct, agent_id
from orchestrator.errors import OrchestratorError

KIND: Final = "authority"  # of the item


class OwnWidening(OrchestratorError):
    """You {did} this agent, so somebody else must confirm its wider authority."""

    code = "separation_of_duties"
    status = 403


def effective(agent: Agent, stated: Json) -> set[str]:
    """The categories that an agent may decide, were this stated of it: else as its version in force is registered."""
    if isinstance(stated, list):
        return set(map(str, stated))
    row = AgentVersion.objects.filter(agent=agent, number=routes.in_force(agent.name) or 0).first()
    if row is None:
        return set()
    registered = row.config.get("authority")
    return set(registered if isinstance(registered, list) else row.capabilities)


def gained(agent: Agent, stated: Json) -> list[str]:
    """What it could decide more than it may now."""
    now: Json = None if agent.authority is None else list[Json](agent.authority)
    return sorted(effective(agent, stated) - effective(agent, now))


def pending(agent_pk: int) -> AgentItem | None:
    """What is asked for and not decided."""
    return AgentItem.objects.filter(agent_id=agent_pk, kind=KIND, closed_at=None).first()


def refuse_second(agent: Agent) -> None:
    """Raise ActImpossible while another widening waits."""
    if pending(agent.pk) is not None:
        raise ActImpossible(why=_("More authority is asked for it already; confirm or refuse that first."))


def ask(act: Performing, agent: Agent, stated: Json) -> None:
    """Leave its authority as it is, and ask for somebody else's word."""
    more = gained(agent, stated)
    who = act.by.get_username() if act.by else "engine"
    words = f"{who} asks that it may also decide {', '.join(more)}: “{act.reason}”. Somebody else has to confirm it."
    items.open_once(agent, KIND, words, {"wanted": stated, "by": who, "more": list[Json](more)})
    act.record("agent.widening_asked", agent=agent.name, wanted=stated, more=list[Json](more))


class Deciding(AgentAct):
    """What confirming and refusing have in common."""

    def permits(self, user: Person, target: Target) -> bool:
        """As for a promotion: those who judge quality may confirm what others have changed."""
        return super().permits(user, target) or ports.rights().can(user, "edit_quality")

    def why_not(self, target: Target) -> str:
        """Only what is asked for can be decided."""
        return "" if pending(target.ref or 0) else _("No wider authority is asked for it; there is nothing to decide.")

    def found(self, target: Target) -> AgentItem:
        """What is asked for."""
        item = pending(agent_id(target))
        assert item is not None  # why_not has looked
        return item


class ConfirmAuthority(Deciding):
    """Let it decide more, as somebody else has asked."""

    name = "confirm-authority"
    icon = "circle-check"
    rank = 56
    title = gettext_lazy("Confirm this agent's wider authority")
    action = gettext_lazy("Confirm authority")
    menu = gettext_lazy("Confirm authority…")

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Exactly what was asked for."""
        item = self.found(target)
        more = ", ".join(map(str, item.facts["more"]))
        lines = (
            _("Asked by %(by)s.") % {"by": item.facts["by"]},
            _("From now on it may also decide %(more)s.") % {"more": more},
        )
        return Plan(lines, {"item": item.pk, "wanted": item.facts["wanted"]}, item)

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Never by who asked, nor by who owns it."""
        assert isinstance(act.target.row, Agent)
        agent, item = act.target.row, act.plan.work
        who = act.by.get_username() if act.by else ""
        if who and who == item.facts["by"]:
            raise OwnWidening(did="asked for more authority for")
        if who and who == agent.owner:
            raise OwnWidening(did="own")
        was: Json = None if agent.authority is None else list[Json](agent.authority)
        Agent.objects.filter(pk=agent.pk).update(authority=item.facts["wanted"], edited=True)
        items.close(agent, KIND, by=who, reason=act.reason)
        now: Json = {"authority": item.facts["wanted"]}
        act.record("agent.described", agent=agent.name, now=now, was={"authority": was}, asked_by=item.facts["by"])
        return {}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("%(agent)s has more authority.") % {"agent": target.row}


class RefuseAuthority(Deciding):
    """Leave its authority as it is."""

    name = "refuse-authority"
    icon = "x"
    rank = 57
    title = gettext_lazy("Refuse this agent's wider authority")
    action = gettext_lazy("Refuse")
    menu = gettext_lazy("Refuse authority…")

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """What stays undone."""
        item = self.found(target)
        told = {"by": item.facts["by"], "more": ", ".join(map(str, item.facts["more"]))}
        return Plan((_("It may still not decide %(more)s, as %(by)s has asked.") % told,), {"item": item.pk})

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Also by who asked: they may think better of it."""
        assert isinstance(act.target.row, Agent)
        who = act.by.get_username() if act.by else ""
        items.close(act.target.row, KIND, by=who, reason=act.reason)
        act.record("agent.widening_refused", agent=act.target.address)
        return {}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The authority of %(agent)s stays as it is.") % {"agent": target.row}


for _act in (ConfirmAuthority(), RefuseAuthority()):
    register(_act)
