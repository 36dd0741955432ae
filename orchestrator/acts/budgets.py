"""Acts on budgets: set a limit, and move unused budget from one agent of a run to another."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import Group
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from agents.models import Agent
from agents.types import Json
from orchestrator import budget_db, budget_rows, ports
from orchestrator.acts.core import Act, Performing, Person, Plan, Target, Undo, register
from orchestrator.budget_rows import Row
from orchestrator.budgets import RESOURCES, REST, WARN_AT
from orchestrator.engine import budgeting
from orchestrator.engine.plans import plan_of
from orchestrator.errors import OrchestratorError
from orchestrator.models import Budget, Run
from orchestrator.states import RUN_TERMINAL

WHOLE = "the whole run"
EACH_RUN, ALL_RUNS = "each run", "all runs together"


class BudgetUnknown(OrchestratorError):
    """{what} has no budget of {resource}; set one first."""

    code = "budget_unknown"
    status = 422


class NotThatMuch(OrchestratorError):
    """Only {left} of the {words} are unused; move that or less."""

    code = "budget_not_unused"
    status = 422


class LimitMissing(OrchestratorError):
    """Say how much: only a budget that people have set can be taken away, and {words} is not one."""

    code = "limit_missing"
    status = 422


class SetBudget(Act):
    """Say how much a run, a workflow, an agent or a team may use."""

    name = "set-budget"
    scopes = ("run", "workflow", "agent", "everything")
    icon = "sliders-horizontal"
    title = gettext_lazy("Set a budget")
    action = gettext_lazy("Set budget")
    menu = gettext_lazy("Budget…")
    hint = gettext_lazy("What a call may use is held before it and spent after it; where nothing is left, work waits.")

    def permits(self, user: Person, target: Target) -> bool:
        """`steer_run` on runs, `edit_agents` on agents, `publish_version` on workflows and, everywhere, on teams."""
        verb = {"run": "steer_run", "agent": "edit_agents"}.get(target.scope, "publish_version")
        return ports.rights().can(user, verb, None if target.scope in ("agent", "everything") else target.row)

    def why_not(self, target: Target) -> str:
        """A run that has ended uses nothing any more."""
        ended = target.scope == "run" and target.run.status in RUN_TERMINAL
        return _("It has ended; it uses nothing any more.") if ended else ""

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which resource, how much, and whose."""
        limit = {
            "type": "number",
            "minimum": 0,
            "maximum": 1e12,
            "title": _("Limit"),
            "description": _(
                "Minutes and US dollars may have decimals. Left empty, a limit that people set is taken away."
            ),
        }
        asked: dict[str, Any] = {
            "resource": {"type": "string", "enum": list(RESOURCES), "title": _("Of what")},
            "limit": limit,
        }
        whose = self._whose(target)
        if whose:
            name, title, options = whose
            asked[name] = {"type": "string", "enum": options, "title": title}
        return {"properties": asked, "required": ["resource", *(["team"] if target.scope == "everything" else [])]}

    def _whose(self, target: Target) -> tuple[str, str, list[str]] | None:
        match target.scope:
            case "run":
                return "agent", _("For"), [WHOLE, *agents_of(target.run)]
            case "agent":
                return "per", _("For"), [EACH_RUN, ALL_RUNS]
            case "everything":
                return "team", _("Team"), list(Group.objects.order_by("name").values_list("name", flat=True)[:100])
        return None

    def answers(self, target: Target) -> Mapping[str, Json]:
        """Tokens, of everything."""
        return {"resource": "tokens"}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """From what to what, and what goes on."""
        row = _row(target, answers)
        limit = answers.get("limit")
        if limit is None:
            if row.pk is None or row.scope == "run":
                raise LimitMissing(words=row.words)
            return Plan(
                (_("%(words)s: no limit any more.") % {"words": row.words.capitalize()},), {"from": row.limit}, row
            )
        assert isinstance(limit, int | float)
        told = {"words": row.words.capitalize(), "new": f"{limit:,.10g}", "used": f"{row.spent:,.10g}"}
        lines = [_("%(words)s: %(new)s, of which %(used)s are used.") % told]
        if row.pk is not None or row.limit:
            lines.append(_("It was %(old)s.") % {"old": f"{row.limit:,.10g}"})
        waiting = len(budgeting.waiters(row.pk)) if row.pk is not None and limit > row.spent else 0
        if waiting:
            lines.append(
                ngettext(
                    "%(count)d task that waits for it goes on.", "%(count)d tasks that wait for it go on.", waiting
                )
                % {"count": waiting}
            )
        return Plan(tuple(lines), {"from": row.limit if row.pk is not None else None}, row, self._warnings(row, limit))

    def _warnings(self, row: Row, limit: float) -> tuple[str, ...]:
        if row.scope == "run_agent" and row.ref == 0:
            return (
                _("Runs in which it has been called under a budget keep the one they have; change it on their pages."),
            )
        if limit <= row.spent:
            return (_("As much is used already: every call that needs it waits at once."),)
        return ()

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Write it, and let go on what it reaches."""
        row: Row = act.plan.work
        limit = act.answers.get("limit")
        if limit is None:
            assert row.pk is not None  # the plan has looked
            Budget.objects.filter(pk=row.pk).delete()
            act.record("budget.changed", words=row.words, was=row.limit, limit=None)
            return {}
        assert isinstance(limit, int | float)
        made = change(row, float(limit))
        act.record("budget.changed", budget=made.pk, words=row.words, was=row.limit, limit=limit)
        if act.target.scope == "run":  # elsewhere the runs are not locked, and the upkeep does it within a second
            budgeting.release(made.pk)
        return {"budget": made.pk}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The budget is set.")

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """The limit that it had."""
        row: Row = plan.work
        if row.pk is None and not row.limit:
            return None
        answers: dict[str, Json] = {"resource": row.resource, "limit": row.limit}
        match target.scope:
            case "run":
                answers["agent"] = row.of or WHOLE
            case "agent":
                answers["per"] = EACH_RUN if row.scope == "run_agent" else ALL_RUNS
            case "everything":
                answers["team"] = row.name
        return Undo(self.name, answers)


class MoveBudget(Act):
    """Give one agent of a run what another has not used."""

    name = "move-budget"
    scopes = ("run",)
    icon = "arrow-right"
    title = gettext_lazy("Move unused budget")
    action = gettext_lazy("Move budget")
    menu = gettext_lazy("Move budget…")
    hint = gettext_lazy("What one agent has not used goes to another; the run's budget as a whole stays as it is.")

    def why_not(self, target: Target) -> str:
        """Needs two budgets to move between."""
        if target.run.status in RUN_TERMINAL:
            return _("It has ended; it uses nothing any more.")
        agents = {row.of for row in budget_rows.of_run(target.run) if row.of}
        return "" if len(agents) > 1 else _("Its agents have no budgets of their own to move between.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """How much of what, from whom to whom."""
        rows = [row for row in budget_rows.of_run(target.run) if row.of]
        agents = list(dict.fromkeys(row.of for row in rows))
        known = [resource for resource in RESOURCES if any(row.resource == resource for row in rows)]
        asked = {
            "resource": {"type": "string", "enum": known, "title": _("Of what")},
            "from": {"type": "string", "enum": agents, "title": _("From")},
            "to": {"type": "string", "enum": agents, "title": _("To")},
            "amount": {"type": "number", "exclusiveMinimum": 0, "maximum": 1e12, "title": _("How much")},
        }
        return {"properties": asked, "required": list(asked)}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """What each has afterwards."""
        source, goal = (
            _agents_row(target.run, str(answers[side]), str(answers["resource"])) for side in ("from", "to")
        )
        amount = answers["amount"]
        assert isinstance(amount, int | float)
        if source.of == goal.of or amount > source.left:
            raise NotThatMuch(left=f"{0 if source.of == goal.of else source.left:,.10g}", words=source.words)
        lines = tuple(
            _("%(words)s: from %(old)s to %(new)s.")
            % {"words": row.words.capitalize(), "old": f"{row.limit:,.10g}", "new": f"{row.limit + by:,.10g}"}
            for row, by in ((source, -amount), (goal, amount))
        )
        return Plan(lines, {"from": source.limit, "to": goal.limit}, (source, goal, float(amount)))

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Both limits in one transaction, and let go on what the new one reaches."""
        source, goal, amount = act.plan.work
        change(source, source.limit - amount)
        made = change(goal, goal.limit + amount)
        words = f"{amount:,.10g} {source.resource}: {source.of} -> {goal.of}"
        act.record("budget.changed", budget=made.pk, words=words, source=source.words, amount=amount)
        budgeting.release(made.pk)
        return {"budget": made.pk}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The budget is moved.")

    def undo(self, target: Target, plan: Plan) -> Undo:
        """Move it back, as far as it is still unused then."""
        source, goal, amount = plan.work
        return Undo(self.name, {"resource": source.resource, "from": goal.of, "to": source.of, "amount": amount})


def change(row: Row, limit: float) -> Budget:
    """Write a limit; what was used before is counted in. The caller holds the run's lock, if it is a run's."""
    agent = Agent.objects.get(name=row.of) if row.of not in ("", REST) else None
    key = {"scope": row.scope, "ref": row.ref, "agent": agent, "resource": row.resource}
    spent = 0.0
    if row.scope in ("run", "run_agent") and row.ref:
        spent = budget_db.spent(row.ref, row.resource, agent.pk if agent else None)
    made, _created = Budget.objects.select_for_update(no_key=True).get_or_create(
        **key, defaults={"limit": limit, "spent": spent}
    )
    made.limit = limit
    made.warned_at = made.warned_at if made.spent > WARN_AT * limit else None
    made.breached_at = made.breached_at if made.spent >= limit else None
    made.save(update_fields=["limit", "warned_at", "breached_at"])
    return made


def agents_of(run: Run) -> list[str]:
    """The agents of a run that may have a budget of their own."""
    plan = plan_of(run.version_id)
    named = {step.agent for step in plan.steps} | {step.body.agent for step in plan.steps if step.body}
    known = {row.of for row in budget_rows.of_run(run)}
    return sorted((named | known | set(plan.shares)) - {""})


def _row(target: Target, answers: Mapping[str, Json]) -> Row:
    """The budget that the answers name, as it is; with limit 0 where there is none yet."""
    resource = str(answers["resource"])
    match target.scope:
        case "run":
            agent = str(answers.get("agent", WHOLE))
            within = "" if agent == WHOLE else agent
            rows, empty = budget_rows.of_run(target.run), _fresh(target.run, within, resource)
            return next((row for row in rows if (row.of, row.resource) == (within, resource)), empty)
        case "agent" if answers.get("per", EACH_RUN) == EACH_RUN:
            assert isinstance(target.row, Agent)
            rows, empty = budget_rows.own(target.row), Row("run_agent", 0, target.row.name, resource, 0.0)
        case "everything":
            team = Group.objects.get(name=answers["team"])
            rows, empty = budget_rows.standing("team", team.pk), Row("team", team.pk, "", resource, 0.0, name=team.name)
        case scope:
            assert target.ref is not None
            rows = budget_rows.standing(scope, target.ref)
            empty = Row(scope, target.ref, "", resource, 0.0, name=target.address)
    return next((row for row in rows if row.resource == resource), empty)


def _fresh(run: Run, agent: str, resource: str) -> Row:
    scope = "run_agent" if agent else "run"
    pk = Agent.objects.filter(name=agent).values_list("pk", flat=True).first() if agent else None
    return Row(scope, run.pk, agent, resource, 0.0, spent=budget_db.spent(run.pk, resource, pk))


def _agents_row(run: Run, agent: str, resource: str) -> Row:
    for row in budget_rows.of_run(run):
        if (row.of, row.resource) == (agent, resource):
            return row
    raise BudgetUnknown(what=agent, resource=resource)


for _act in (SetBudget(), MoveBudget()):
    register(_act)
