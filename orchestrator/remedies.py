"""Acts that put right what people are asked about, or what a run that ended in part lacks: one click in the inbox."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from agents.types import Json
from orchestrator import acts, ports
from orchestrator.acts import Act, Target
from orchestrator.acts.budgets import ALL_RUNS, WHOLE
from orchestrator.budgets import REST
from orchestrator.engine import outcomes
from orchestrator.models import Budget, Run, Task
from orchestrator.states import RunStatus

MORE: Final = 2.0  # what is proposed as the new limit of a used-up budget, in times of the old one
RECENT: Final = timedelta(days=7)
NEWEST: Final = 2  # side by side with cards: the next one comes when these have been seen to


@dataclass(frozen=True, slots=True)
class Remedy:
    """One act, with its form filled in."""

    act: Act
    target: Target
    words: str
    answers: Mapping[str, Json] = field(default_factory=dict)

    @property
    def link(self) -> str:
        """Its dialog, filled in."""
        address = reverse("orchestrator:act", args=[self.target.scope, self.target.address, self.act.name])
        told = urlencode({"answers": orjson.dumps(dict(self.answers)).decode()})
        return f"{address}?{told}" if self.answers else address


@dataclass(frozen=True, slots=True)
class Incomplete:
    """A run that ended in part, what it lacks, and what may be done about it."""

    run: Run
    ended_at: datetime | None
    outcome: Mapping[str, Any]
    remedies: list[Remedy]


def of_task(task: Task, user: User) -> list[Remedy]:
    """What may be done about what this task asks people, beside answering it."""
    state = task.state or {}
    if task.wait_for != "gate" or state.get("attempt") != task.attempt or "budget" not in state:
        return []
    budget = Budget.objects.select_related("agent").filter(pk=state["budget"]).first()
    return [remedy for remedy in _of_budget(budget) if _is_open(remedy, user)] if budget else []


def _of_budget(budget: Budget) -> Iterator[Remedy]:
    target = acts.of("run" if budget.scope == "run_agent" else budget.scope, budget.ref)
    answers: dict[str, Json] = {"resource": budget.resource, "limit": max(1.0, budget.limit * MORE)}
    if target.scope == "run":
        answers["agent"] = _within(budget)
    elif target.scope == "agent":
        answers["per"] = ALL_RUNS
    yield Remedy(acts.find(target.scope, "set-budget"), target, _("Raise the limit"), answers)
    if budget.scope == "team":
        names: dict[str, Json] = {"to": str(target.row), "resource": budget.resource}
        yield Remedy(acts.find("team", "move-budget"), target, _("Move unused budget to it"), names)
    elif budget.scope == "run_agent":
        names = {"to": _within(budget), "resource": budget.resource}
        yield Remedy(acts.find("run", "move-budget"), target, _("Move unused budget to it"), names)


def _within(budget: Budget) -> str:
    if budget.scope == "run":
        return WHOLE
    return budget.agent.name if budget.agent else REST


def _is_open(remedy: Remedy, user: User) -> bool:
    act, target = remedy.act, remedy.target
    return acts.is_visible(user, target) and act.permits(user, target) and act.is_offered(target)


def incomplete(user: User) -> list[Incomplete]:
    """The newest runs that ended in part and that the user may do something about, until somebody does."""
    mine = ports.rights().visible_workflows(user, "steer_run")
    recent = Run.objects.filter(status=RunStatus.PARTIAL, workflow__in=mine, ended_at__gt=timezone.now() - RECENT)
    kept = recent.exclude(outcome__has_key="accepted").select_related("workflow").order_by("-pk")[:NEWEST]
    return [_incomplete(run, user) for run in kept]


def _incomplete(run: Run, user: User) -> Incomplete:
    outcome = outcomes.payload(run) or {}
    found = []
    for advice in outcome.get("recommendations", ()):
        target = acts.of("task", advice["task"])
        remedy = Remedy(acts.find("task", advice["act"]), target, advice["text"])
        found += [remedy] if _is_open(remedy, user) else []
    return Incomplete(run, run.ended_at, outcome, found)
