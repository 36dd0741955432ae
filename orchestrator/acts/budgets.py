"""Set a budget: of a run, a workflow, an agent or a team. Unused budget is moved by `acts.moving`."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.models import Agent
from agents.types import Json
from orchestrator import budget_db, budget_rows, forms, ports
from orchestrator.acts.core import Act, Performing, Person, Plan, Target, Undo, counted, register
from orchestrator.budget_rows import Row
from orchestrator.budgets import REST, STANDING, WARN_AT
from orchestrator.engine import budgeting
from orchestrator.engine.plans import plan_of
from orchestrator.errors import OrchestratorError
from orchestrator.models import Budget, Run
from orchestrator.states import RUN_TERMINAL

WHOLE = "the whole run"
EACH_RUN, ALL_RUNS = "each run", "all runs together"


class LimitMissing(OrchestratorError):
    """Say how much: only a budget that people have set can be taken away, and {words} is not one."""

    code = "limit_missing"
    status = 422


class SetBudget(Act):
    """Say how much a run, a workflow, an agent or a team may use."""

    name = "set-budget"
    scopes = ("run", "workflow", "agent", "team")
    icon = "sliders-horizontal"
    title = gettext_lazy("Set a budget")
    action = gettext_lazy("Set budget")
    menu = gettext_lazy("Budget…")
    hint = gettext_lazy("What a call may use is held before it and spent after it; where nothing is left, work waits.")

    def permits(self, user: Person, target: Target) -> bool:
        """`steer_run` on runs, `edit_agents` on agents, `publish_version` on workflows and, everywhere, for teams."""
        verb = {"run": "steer_run", "agent": "edit_agents"}.get(target.scope, "publish_version")
        return ports.rights().can(user, verb, None if target.scope in ("agent", "team") else target.row)

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
            "resource": forms.choice(_("Of what"), budget_rows.resources()),
            "limit": limit,
        }
        whose = self._whose(target)
        if whose:
            name, title, options = whose
            words = {WHOLE: _("the whole run"), EACH_RUN: _("each run"), ALL_RUNS: _("all runs together")}
            asked[name] = forms.choice(title, {option: words.get(option, option) for option in options})
        return {"properties": asked, "required": ["resource"]}

    def _whose(self, target: Target) -> tuple[str, str, list[str]] | None:
        match target.scope:
            case "run":
                return "agent", _("For"), [WHOLE, *agents_of(target.run)]
            case "agent":
                return "per", _("For"), [EACH_RUN, ALL_RUNS]
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
                raise LimitMissing(words=row.said)
            gone = _("%(words)s: no limit any more.") % {"words": row.said}
            return Plan((gone, *_goes_on(row)), {"from": row.limit}, row)
        assert isinstance(limit, int | float)
        told = {"words": row.said, "new": f"{limit:,.10g}", "used": f"{row.spent:,.10g}"}
        lines = [_("%(words)s: %(new)s, of which %(used)s are used.") % told]
        if row.pk is not None or row.limit:
            lines.append(_("It was %(old)s.") % {"old": f"{row.limit:,.10g}"})
        lines += _goes_on(row) if limit > row.spent else ()
        return Plan(tuple(lines), {"from": row.limit if row.pk is not None else None}, row, self._warnings(row, limit))

    def _warnings(self, row: Row, limit: float) -> tuple[str, ...]:
        if row.scope == "run_agent" and row.ref == 0:
            return (
                _("Runs in which it has been called under a budget keep the one they have; change it on their pages."),
            )
        if limit <= row.spent:
            return (_("As much is used already: every call that needs it waits at once."),)
        return ()

    def lock(self, target: Target) -> Target:
        """The run, if it is one's; otherwise the budgets: two people are served one after the other."""
        locked = super().lock(target)
        if target.scope in STANDING:
            lock_budgets(target.scope, target.ref)
        return locked

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Write it, and let go on what it reaches."""
        row: Row = act.plan.work
        limit = act.answers.get("limit")
        about: dict[str, Json] = {"scope": row.scope, "ref": row.ref, "words": row.words, "was": row.limit}
        if limit is None:
            assert row.pk is not None  # the plan has looked
            Budget.objects.filter(pk=row.pk).delete()
            release_later(row.pk)
            act.record("budget.changed", limit=None, **about)
            return {}
        assert isinstance(limit, int | float)
        made = change(row, float(limit))
        act.record("budget.changed", budget=made.pk, limit=limit, **about)
        if act.target.scope == "run":
            budgeting.release(made.pk)
        else:
            release_later(made.pk)
        return {"budget": made.pk}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The budget is set.")

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """The limit that it had; none, if it had none and may be without."""
        row: Row = plan.work
        if row.pk is None and not row.limit and row.scope == "run":
            return None
        answers: dict[str, Json] = {"resource": row.resource}
        if row.pk is not None or row.limit:
            answers["limit"] = row.limit
        match target.scope:
            case "run":
                answers["agent"] = row.of or WHOLE
            case "agent":
                answers["per"] = EACH_RUN if row.scope == "run_agent" else ALL_RUNS
        return Undo(self.name, answers)


def lock_budgets(scope: str, ref: int | None = None) -> None:
    """Take the locks of a scope's budgets, in the order that calls take them in: no call can draw on them now."""
    found = Budget.objects.filter(scope=scope) if ref is None else Budget.objects.filter(scope=scope, ref=ref)
    list(found.order_by("pk").select_for_update(no_key=True).values_list("pk"))


def release_later(budget: int) -> None:
    """Let go on what a budget over many runs now reaches: their locks come before its own. The upkeep looks again."""
    transaction.on_commit(lambda: budgeting.release(budget), robust=True)


def _goes_on(row: Row) -> tuple[str, ...]:
    waiting = len(budgeting.waiters(row.pk)) if row.pk is not None else 0
    return counted(waiting, "%(count)s task that waits for it goes on.", "%(count)s tasks that wait for it go on.")


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
        case scope:
            assert target.ref is not None
            rows = budget_rows.standing(scope, target.ref)
            name = target.row.name if isinstance(target.row, Group) else target.address
            empty = Row(scope, target.ref, "", resource, 0.0, name=name)
    return next((row for row in rows if row.resource == resource), empty)


def _fresh(run: Run, agent: str, resource: str) -> Row:
    scope = "run_agent" if agent else "run"
    pk = Agent.objects.filter(name=agent).values_list("pk", flat=True).first() if agent else None
    return Row(scope, run.pk, agent, resource, 0.0, spent=budget_db.spent(run.pk, resource, pk))


register(SetBudget())
