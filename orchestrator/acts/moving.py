"""Move unused budget: from one agent of a run to another, from one team to another. What is spent or held stays."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.contrib.auth.models import Group
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from orchestrator import budget_rows, forms, ports
from orchestrator.acts.budgets import change, lock_budgets, release_later
from orchestrator.acts.core import Act, Performing, Person, Plan, Scope, Target, Undo, register
from orchestrator.budget_rows import Row
from orchestrator.budgets import RESOURCES
from orchestrator.engine import budgeting
from orchestrator.errors import OrchestratorError
from orchestrator.models import Budget
from orchestrator.states import RUN_TERMINAL


class BudgetUnknown(OrchestratorError):
    """{what} has no budget of {resource}; set one first."""

    code = "budget_unknown"
    status = 422


class NotThatMuch(OrchestratorError):
    """Only {left} of the {words} are unused; move that or less."""

    code = "budget_not_unused"
    status = 422


class Moving(Act):
    """What moving between agents and between teams have in common."""

    name = "move-budget"
    icon = "arrow-right"
    title = gettext_lazy("Move unused budget")
    action = gettext_lazy("Move budget")
    menu = gettext_lazy("Move budget…")

    @abstractmethod
    def rows(self, target: Target) -> Sequence[Row]:
        """The budgets that may be moved between."""

    @abstractmethod
    def holder(self, row: Row) -> str:
        """Who has it, as the form names them."""

    def schema(self, target: Target) -> Mapping[str, Any]:
        """How much of what, from whom to whom."""
        rows = self.rows(target)
        holders = list(dict.fromkeys(self.holder(row) for row in rows))
        words = budget_rows.resources()
        known = [resource for resource in RESOURCES if any(row.resource == resource for row in rows)]
        asked = {
            "resource": forms.choice(_("Of what"), {name: words[name] for name in known}),
            "from": {"type": "string", "enum": holders, "title": _("From")},
            "to": {"type": "string", "enum": holders, "title": _("To")},
            "amount": {"type": "number", "exclusiveMinimum": 0, "maximum": 1e12, "title": _("How much")},
        }
        return {"properties": asked, "required": list(asked)}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """What each has afterwards."""
        source, goal = (self._row(target, str(answers[side]), str(answers["resource"])) for side in ("from", "to"))
        amount = answers["amount"]
        assert isinstance(amount, int | float)
        same = self.holder(source) == self.holder(goal)
        if same or amount > source.left:
            raise NotThatMuch(left=f"{0 if same else source.left:,.10g}", words=source.words)
        lines = tuple(
            _("%(words)s: from %(old)s to %(new)s.")
            % {"words": row.said, "old": f"{row.limit:,.10g}", "new": f"{row.limit + by:,.10g}"}
            for row, by in ((source, -amount), (goal, amount))
        )
        return Plan(lines, {"from": source.limit, "to": goal.limit}, (source, goal, float(amount)))

    def _row(self, target: Target, holder: str, resource: str) -> Row:
        for row in self.rows(target):
            if (self.holder(row), row.resource) == (holder, resource):
                return row
        raise BudgetUnknown(what=holder, resource=resource)

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Both limits in one transaction; what waits for the new one goes on."""
        source, goal, amount = act.plan.work
        change(source, source.limit - amount)
        made = change(goal, goal.limit + amount)
        words = f"{amount:,.10g} {source.resource}: {self.holder(source)} -> {self.holder(goal)}"
        act.record(
            "budget.changed", budget=made.pk, scope=source.scope, ref=source.ref, to=goal.ref, amount=amount,
            source=source.words, words=words,
        )  # fmt: skip
        self.moved(made)
        return {"budget": made.pk}

    def moved(self, goal: Budget) -> None:
        """Let go on what the budget that has grown reaches, where the locks that are held allow it."""

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The budget is moved.")

    def undo(self, target: Target, plan: Plan) -> Undo:
        """Move it back, as far as it is still unused then."""
        source, goal, amount = plan.work
        answers = {"from": self.holder(goal), "to": self.holder(source), "amount": amount}
        return Undo(self.name, {"resource": source.resource, **answers})


class MoveBudget(Moving):
    """Give one agent of a run what another has not used."""

    scopes: ClassVar[tuple[Scope, ...]] = ("run",)
    hint = gettext_lazy("What one agent has not used goes to another; the run's budget as a whole stays as it is.")

    def why_not(self, target: Target) -> str:
        """Needs two budgets to move between."""
        if target.run.status in RUN_TERMINAL:
            return _("It has ended; it uses nothing any more.")
        enough = len({row.of for row in self.rows(target)}) > 1
        return "" if enough else _("Its agents have no budgets of their own to move between.")

    def rows(self, target: Target) -> Sequence[Row]:
        """Those of its agents."""
        return [row for row in budget_rows.of_run(target.run) if row.of]

    def holder(self, row: Row) -> str:
        """The agent."""
        return row.of

    def moved(self, goal: Budget) -> None:
        """The run is locked: at once."""
        budgeting.release(goal.pk)


class MoveTeamBudget(Moving):
    """Give one team what another has not used."""

    scopes: ClassVar[tuple[Scope, ...]] = ("team",)
    hint = gettext_lazy("What one team has not used goes to another; together they have as much as before.")

    def permits(self, user: Person, target: Target) -> bool:
        """As for setting it: `publish_version` everywhere."""
        return ports.rights().can(user, "publish_version")

    def why_not(self, target: Target) -> str:
        """Needs a budget here and the like in another team."""
        rows = self.rows(target)
        mine = {row.resource for row in rows if row.ref == target.ref}
        if any(row.resource in mine for row in rows if row.ref != target.ref):
            return ""
        return _("There are no two teams with a budget of the same kind, this one among them; set one first.")

    def answers(self, target: Target) -> Mapping[str, Json]:
        """From this team, of what it has."""
        mine = next((row for row in self.rows(target) if row.ref == target.ref), None)
        return {"from": self.holder(mine), "resource": mine.resource} if mine else {}

    def rows(self, target: Target) -> Sequence[Row]:
        """Those of all teams."""
        return budget_rows.of_teams()

    def holder(self, row: Row) -> str:
        """The team."""
        return row.name

    def lock(self, target: Target) -> Target:
        """All teams' budgets: two moves from one team are served one after the other."""
        lock_budgets("team")
        return target

    def moved(self, goal: Budget) -> None:
        """Once this has committed."""
        release_later(goal.pk)

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """This team gives or is given. Raises BudgetUnknown and NotThatMuch."""
        assert isinstance(target.row, Group)
        if target.row.name not in (answers["from"], answers["to"]):
            raise ElsewhereMoved(team=target.row.name)
        return super().plan(target, answers)


class ElsewhereMoved(OrchestratorError):
    """Neither side is {team}; move budget on the page of one of the two."""

    code = "budget_not_this_team"
    status = 422


for _act in (MoveBudget(), MoveTeamBudget()):
    register(_act)
