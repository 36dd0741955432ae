"""What is asked of an agent and what is known about it: targets, owner, domains, authority; and closing its items."""

from collections.abc import Mapping
from typing import Any, Final

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.lifecycle import items, targets
from agents.models import Agent, AgentItem, QualityTarget
from agents.types import Json
from orchestrator.acts import widening
from orchestrator.acts.core import Performing, Plan, Target, Undo, register
from orchestrator.acts.refusals import ActImpossible
from orchestrator.acts.releasing import AgentAct, agent_id, note_new_owner

LONGEST: Final = 168  # hours: minutes are kept a day longer than this


class SetTargets(AgentAct):
    """Say what its accuracy, success share and latency must be; empty: nothing is asked."""

    name = "set-targets"
    icon = "signal-high"
    rank = 64
    title = gettext_lazy("Set quality targets")
    action = gettext_lazy("Set targets")
    menu = gettext_lazy("Targets…")
    hint = gettext_lazy("An item opens as soon as it falls short, once. Leave empty what you do not ask.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Shares 0-1, milliseconds, hours."""
        share = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
        fields: dict[str, Any] = {
            "accuracy": {**share, "title": _("Decided outputs that stand, at least (0-1)")},
            "success": {**share, "title": _("Calls that succeed, at least (0-1)")},
            "p95_ms": {
                "type": "number", "exclusiveMinimum": 0, "maximum": 1e8,
                "title": _("95 of 100 calls end within, milliseconds"),
            },
            "hours": {"type": "integer", "minimum": 1, "maximum": LONGEST, "title": _("Measured over, hours")},
        }  # fmt: skip
        return {"properties": fields}

    def answers(self, target: Target) -> Mapping[str, Json]:
        """What holds."""
        return _facts(_target_of(target))

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Each target as it was and as it will be."""
        before, after = _facts(_target_of(target)), _asked(answers)
        if before == after:
            raise ActImpossible(why=_("These targets hold already; nothing would change."))
        shown = targets.held(
            QualityTarget(agent_id=agent_id(target), **{name: after.get(name) for name in targets.MEASURES})
        )
        lines = tuple(
            _("%(what)s: %(target)s, over %(hours)s h.")
            % {"what": targets.LABELS[one.measure], "target": one.target_words, "hours": after["hours"]}
            for one in shown
        )
        return Plan(lines or (_("Nothing is asked of it any more."),), {"before": before}, after)

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """The event says what they were."""
        before = act.plan.bound["before"]
        columns = {name: act.plan.work.get(name) for name in targets.MEASURES}
        if not any(value is not None for value in columns.values()):
            QualityTarget.objects.filter(agent_id=agent_id(act.target)).delete()
        else:
            who = act.by.get_username() if act.by else ""
            facts = {**columns, "hours": act.plan.work["hours"], "set_by": who, "reason": act.reason}
            QualityTarget.objects.update_or_create(
                agent_id=agent_id(act.target),
                defaults={**facts, "set_at": timezone.now(), "measured": {}, "measured_at": None},
            )
        act.record("agent.targets_set", agent=act.target.address, targets=act.plan.work, was=before)
        return {}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The targets of %(agent)s are set.") % {"agent": target.row}

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """Those that held."""
        before = plan.bound["before"]
        assert isinstance(before, dict)
        return Undo(self.name, before)


class Describe(AgentAct):
    """Say who owns an agent, what its domains are, and which categories of work it has the authority for."""

    name = "describe"
    icon = "pencil"
    rank = 65
    title = gettext_lazy("Change owner, domains and authority")
    action = gettext_lazy("Change agent")
    menu = gettext_lazy("Owner, authority…")
    hint = gettext_lazy("What you set here stands, whatever a later registration says.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Lists are words between commas."""
        words = {"type": "string", "maxLength": 1000}
        authority = {**words, "title": _("Authority, categories between commas (empty: as registered)")}
        return {
            "properties": {
                "owner": {"type": "string", "maxLength": 150, "title": _("Owner")},
                "domains": {**words, "title": _("Domains, between commas")},
                "authority": authority,
            }
        }

    def answers(self, target: Target) -> Mapping[str, Json]:
        """As it is."""
        agent = _agent(target)
        known = {"owner": agent.owner, "domains": ", ".join(agent.domain_tags)}
        return {**known, "authority": ", ".join(agent.authority or [])}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """What changes."""
        agent = _agent(target)
        after = _described(answers)
        before: dict[str, Json] = {
            "owner": agent.owner,
            "domain_tags": list(agent.domain_tags),
            "authority": _list(agent),
        }
        changed = [name for name, value in after.items() if value != before[name]]
        if not changed:
            raise ActImpossible(why=_("It is described like this already; nothing would change."))
        lines = [f"{LABELS[name]}: {_words(before[name])} → {_words(after[name])}" for name in changed]
        more = widening.gained(agent, after["authority"])
        if more:
            widening.refuse_second(agent)
            told = {"more": ", ".join(more)}
            lines.append(_("It may also decide %(more)s only once somebody else has confirmed that.") % told)
        return Plan(tuple(lines), {"before": before}, after)

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """From now on these belong to people."""
        before = act.plan.bound["before"]
        assert isinstance(before, dict)
        if act.plan.work["owner"] != before["owner"]:
            note_new_owner(act)
        now, agent = dict(act.plan.work), _agent(act.target)
        if widens := bool(widening.gained(agent, now["authority"])):
            widening.ask(act, agent, now["authority"])
            now["authority"] = agent.authority
        Agent.objects.filter(pk=agent.pk).update(**now, edited=True)
        act.record("agent.described", agent=act.target.address, now=now, was=before)
        return {"asked": True} if widens else {}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("%(agent)s is described anew.") % {"agent": target.row}

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """As it was."""
        before = plan.bound["before"]
        assert isinstance(before, dict)
        lists = {"domains": before["domain_tags"], "authority": before["authority"] or []}
        joined: dict[str, Json] = {name: ", ".join(map(str, _sequence(words))) for name, words in lists.items()}
        return Undo(self.name, {"owner": before["owner"], **joined})


class CloseItem(AgentAct):
    """Say what came of something that was found about an agent."""

    name = "close-item"
    icon = "check"
    rank = 66
    title = gettext_lazy("Close an item about this agent")
    action = gettext_lazy("Close item")
    menu = gettext_lazy("Close item…")
    hint = gettext_lazy("It opens again only by what happens after this.")

    def why_not(self, target: Target) -> str:
        """Only what is open can be closed."""
        return "" if _open(target) else _("No item is open about it; there is nothing to close.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which one."""
        kinds = [item.kind for item in _open(target)]
        return {"properties": {"item": {"type": "string", "enum": kinds, "title": _("Item")}}, "required": ["item"]}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """What it says."""
        found = next(item for item in _open(target) if item.kind == answers["item"])
        return Plan((found.words,), {"item": found.pk})

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """The reason is kept with it."""
        kind, who = str(act.answers["item"]), act.by.get_username() if act.by else ""
        items.close(_agent(act.target), kind, by=who, reason=act.reason)
        act.record("agent.item_closed", agent=act.target.address, item=kind)
        return {}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The item about %(agent)s is closed.") % {"agent": target.row}


LABELS: Final = {
    "owner": gettext_lazy("Owner"),
    "domain_tags": gettext_lazy("Domains"),
    "authority": gettext_lazy("Authority"),
}


def _agent(target: Target) -> Agent:
    assert isinstance(target.row, Agent)
    return target.row


def _open(target: Target) -> list[AgentItem]:
    found = AgentItem.objects.filter(agent_id=target.ref or 0, closed_at=None)
    return list(found.exclude(kind=widening.KIND))  # that one is confirmed or refused


def _target_of(target: Target) -> QualityTarget:
    return targets.target_of(_agent(target)) or QualityTarget(agent=_agent(target))


def _facts(held: QualityTarget) -> dict[str, Json]:
    known = {name: getattr(held, name) for name in targets.MEASURES if getattr(held, name) is not None}
    return {**known, "hours": held.hours}


def _asked(answers: Mapping[str, Json]) -> dict[str, Json]:
    known = {name: answers[name] for name in targets.MEASURES if answers.get(name) is not None}
    return {**known, "hours": answers.get("hours") or 24}


def _described(answers: Mapping[str, Json]) -> dict[str, Json]:
    domains, authority = (_split(answers.get(name)) for name in ("domains", "authority"))
    return {"owner": str(answers.get("owner") or "").strip(), "domain_tags": domains, "authority": authority or None}


def _split(words: Json) -> list[Json]:
    return [word.strip()[:50] for word in str(words or "").split(",") if word.strip()]


def _list(agent: Agent) -> Json:
    return None if agent.authority is None else list[Json](agent.authority)


def _sequence(words: Json) -> list[Json]:
    assert isinstance(words, list)
    return words


def _words(value: Json) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    return str(value or "–")


for _act in (SetTargets(), Describe(), CloseItem()):
    register(_act)
