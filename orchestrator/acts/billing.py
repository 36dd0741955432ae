"""Count what others bill: hosting, telemetry, a provider's invoice. It draws on the same budget as calls do."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from orchestrator import budget_rows, db, events, ports
from orchestrator.acts.budgets import lock_budgets, release_later
from orchestrator.acts.core import Act, Performing, Person, Plan, Target, Undo, register
from orchestrator.acts.moving import BudgetUnknown
from orchestrator.budgets import WARN_AT
from orchestrator.errors import OrchestratorError
from orchestrator.models import Bill, Budget


class BillKnown(OrchestratorError):
    """Bill {number} of {source} is counted already; nothing was changed."""

    code = "bill_known"
    status = 409


class RecordBill(Act):
    """Count a bill against the budget of cost of a workflow, an agent or a team, over all runs."""

    name = "record-bill"
    scopes = ("workflow", "agent", "team")
    icon = "sliders-horizontal"
    title = gettext_lazy("Count a bill")
    action = gettext_lazy("Count it")
    menu = gettext_lazy("Bill from outside…")
    hint = gettext_lazy("For what no call of ours reports: what models cost is counted with each call already.")

    def permits(self, user: Person, target: Target) -> bool:
        """Who may set the budget."""
        verb = "edit_agents" if target.scope == "agent" else "publish_version"
        return ports.rights().can(user, verb, target.row if target.scope == "workflow" else None)

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Who bills, under which number, how much."""
        text = {"type": "string", "minLength": 1, "maxLength": 100}
        amount = {"type": "number", "minimum": -1e9, "maximum": 1e9, "title": _("US dollars")}
        return {
            "properties": {
                "source": text | {"title": _("Who bills")},
                "number": text | {"title": _("Their number for it")},
                "amount": amount,
            },
            "required": ["source", "number", "amount"],
        }

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """What will be spent then. Raises BudgetUnknown, BillKnown."""
        assert target.ref is not None
        rows = budget_rows.standing(target.scope, target.ref)
        row = next((row for row in rows if row.resource == "cost" and row.pk is not None), None)
        if row is None:
            raise BudgetUnknown(what=str(target.row), resource="cost")
        source, number = str(answers["source"]).strip(), str(answers["number"]).strip()
        if Bill.objects.filter(source=source, number=number).exists():
            raise BillKnown(source=source, number=number)
        amount = answers["amount"]
        assert isinstance(amount, int | float)
        told = {"words": row.said, "new": f"{row.spent + amount:,.2f}", "limit": f"{row.limit:,.2f}"}
        lines = (_("%(words)s: %(new)s of %(limit)s are used then.") % told,)
        used_up = amount > 0 and row.spent + amount >= row.limit
        warnings = (_("Nothing is left then: every call that needs it waits at once."),) if used_up else ()
        return Plan(lines, {"budget": row.pk, "bill": [source, number]}, row, warnings)

    def lock(self, target: Target) -> Target:
        """The budgets: two people, or a program and its repeat, are served one after the other."""
        locked = super().lock(target)
        lock_budgets(target.scope, target.ref)
        return locked

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Keep the bill, spend it, and warn once past 80 %."""
        row, amount = act.plan.work, float(act.answers["amount"])  # type: ignore[arg-type]
        source, number = str(act.answers["source"]).strip(), str(act.answers["number"]).strip()
        Bill.objects.create(
            source=source, number=number, scope=act.target.scope, ref=act.target.ref or 0, amount=amount, by=act.by
        )
        budget = Budget.objects.get(pk=row.pk)
        budget.spent = max(0.0, budget.spent + amount)
        is_fresh, is_past = budget.warned_at is None, budget.spent > WARN_AT * budget.limit
        budget.warned_at = (budget.warned_at or db.clock()) if is_past else None
        budget.breached_at = budget.breached_at if budget.spent >= budget.limit else None
        budget.save(update_fields=["spent", "warned_at", "breached_at"])
        words = _("%(words)s, by %(amount)s of %(source)s") % {
            "words": row.words, "amount": f"{amount:,.2f}", "source": source
        }  # fmt: skip
        facts: dict[str, Json] = {"scope": row.scope, "ref": row.ref, "words": words, "limit": budget.limit}
        act.record("budget.changed", **facts, source=source, number=number, billed=amount, spent=budget.spent)
        if is_past and is_fresh:
            about: dict[str, Json] = {"budget": budget.pk, "scope": row.scope, "ref": row.ref, "resource": "cost"}
            more: dict[str, Json] = {"limit": budget.limit, "spent": budget.spent, "agent": None}
            events.append("budget.warned", actor="engine", data={**about, **more})
        release_later(budget.pk)
        return {"budget": budget.pk, "spent": budget.spent}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The bill is counted.")

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """Nothing: a bill that was wrong is followed by another one with the money back."""
        return None


register(RecordBill())
