"""What an alert is about: its name as people say it, where its page is, and whose right to see it decides."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import Group
from django.urls import reverse

from agents.models import Agent
from approvals.models import Queue
from monitoring.alerts import promising
from monitoring.models import Alert
from orchestrator import budgets
from orchestrator.models import Budget, Run, Workflow


@dataclass(frozen=True, slots=True)
class About:
    """One thing."""

    title: str
    workflow_id: int | None = None
    queue_id: int | None = None


_NOTHING: Final = About("")


def about(scope: str, subjects: Collection[str]) -> dict[str, About]:
    """These things of one scope; one that is gone keeps its name."""
    found = {subject: About(subject) for subject in subjects}
    match scope:
        case "workflow":
            rows = Workflow.objects.filter(name__in=subjects).values_list("name", "title", "pk")
            found |= {name: About(title, workflow_id=pk) for name, title, pk in rows}
        case "run":
            runs = Run.objects.filter(pk__in=[int(one) for one in subjects if one.isdecimal()])
            named = runs.values_list("pk", "title", "workflow__title", "workflow_id")
            found |= {str(pk): About(title or workflow, workflow_id=ref) for pk, title, workflow, ref in named}
        case "queue":
            queues = Queue.objects.filter(name__in=subjects).values_list("name", "title", "pk")
            found |= {name: About(title, queue_id=pk) for name, title, pk in queues}
        case "agent":
            agents = Agent.objects.filter(name__in=subjects).values_list("name", "title")
            found |= {name: About(title) for name, title in agents}
        case "budget":
            found |= _budgets(subjects)
        case "promise":
            found |= {one: About(title, workflow_id=pk) for one, title, pk in promising.of_workflows(subjects)}
            found |= {one: About(title, queue_id=pk) for one, title, pk in promising.of_queues(subjects)}
    return found


def _budgets(subjects: Collection[str]) -> dict[str, About]:
    rows = list(Budget.objects.filter(pk__in=[int(one) for one in subjects if one.isdecimal()]).select_related("agent"))
    return {str(row.pk): _budget(row) for row in rows}


def _budget(row: Budget) -> About:
    facts = {"scope": row.scope, "ref": row.ref, "resource": row.resource, "agent": row.agent.name if row.agent else ""}
    workflow = row.ref if row.scope == Budget.Scope.WORKFLOW else None
    return About(budgets.words(facts, name=_budget_name(row)), workflow_id=workflow)


def _budget_name(row: Budget) -> str:
    match row.scope:
        case Budget.Scope.AGENT:
            return Agent.objects.filter(pk=row.ref).values_list("name", flat=True).first() or ""
        case Budget.Scope.WORKFLOW:
            return Workflow.objects.filter(pk=row.ref).values_list("title", flat=True).first() or ""
        case Budget.Scope.TEAM:
            return Group.objects.filter(pk=row.ref).values_list("name", flat=True).first() or ""
    return ""


def path(alert: Alert) -> str:
    """The page of what an alert is about; empty where there is none."""
    match alert.scope:
        case "run" if alert.run_id is not None:
            return reverse("orchestrator:run", args=[alert.run_id])
        case "run" | "workflow":
            return reverse("orchestrator:workflow", args=[alert.subject.partition(":")[2] or alert.subject])
        case "agent":
            return reverse("agents:agent", args=[alert.subject])
        case "tool":
            return reverse("agents:tool", args=[alert.subject])
        case "queue":
            return f"{reverse('approvals:inbox')}?queue={alert.subject}"
        case "budget":
            return ""
        case "promise":
            workflow = promising.workflow_of(alert.subject)
            return (
                reverse("monitoring:metrics-workflow", args=[workflow]) if workflow else reverse("approvals:oversight")
            )
    return reverse("monitoring:floor")
