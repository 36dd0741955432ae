"""The orchestrator's record of a workflow: what it manages of each run, how it judges, and what it decided of late.

There is one orchestrator, the engine; each workflow has one record of it, made of its current version and of the
events of its newest runs. What people decided is not among them.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Count
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orchestrator import story
from orchestrator.definitions.plan import Plan
from orchestrator.engine.plans import plan_of
from orchestrator.happenings import Happening
from orchestrator.models import Event, Run, Workflow, WorkflowVersion

RUNS: Final = 50  # the newest, whose decisions are counted
LATEST: Final = 8
DECISIONS: Final[Mapping[str, Promise]] = {
    "task.assigned": _("chose an agent"),
    "gate.opened": _("put before people"),
    "quality.assessed": _("judged an output"),
    "guardian.held": _("held an output"),
    "task.spawned": _("made further tasks"),
    "task.retry_scheduled": _("let a step be tried again"),
    "task.fell_back": _("gave a step to another agent"),
    "task.held_back": _("held a step back"),
    "task.skipped": _("left a step out"),
    "conflict.found": _("found outputs that disagree"),
    "run.compensating": _("undid what had been done"),
    "run.partly_succeeded": _("accepted a result in part"),
    "run.stranded": _("asked people how to go on"),
}


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision of late, in the words of its run's story."""

    run: int
    at: datetime
    step: str
    text: str


@dataclass(frozen=True, slots=True)
class Record:
    """The orchestrator of one workflow."""

    name: str
    runs: int
    manages: tuple[tuple[Promise, int], ...]  # of progression: what, and how many steps have it
    judges: tuple[tuple[Promise, int], ...]  # of quality
    decisions: tuple[tuple[Promise, int], ...]
    latest: tuple[Decided, ...]


def record_of(workflow: Workflow, version: WorkflowVersion) -> Record:
    """Read now: two queries over the newest runs' events."""
    plan = plan_of(version.pk)
    runs = list(Run.objects.filter(workflow=workflow).order_by("-id").values_list("pk", flat=True)[:RUNS])
    decided = Event.objects.filter(run_id__in=runs, kind__in=list(DECISIONS)).exclude(actor__startswith="user:")
    counts = Counter(dict(decided.order_by().values_list("kind").annotate(Count("id"))))
    return Record(
        name=f"orchestrator:{workflow.name}",
        runs=len(runs),
        manages=_of(plan, _MANAGES),
        judges=_of(plan, _JUDGES),
        decisions=tuple((words, counts[kind]) for kind, words in DECISIONS.items() if counts[kind]),
        latest=tuple(_latest(runs[0], plan)) if runs else (),
    )


def _latest(run: int, plan: Plan) -> list[Decided]:
    """Those of the newest run, the last first."""
    keys = {step.index: step.title or step.key for step in plan.steps}
    rows = Event.objects.filter(run_id=run, kind__in=list(DECISIONS)).exclude(actor__startswith="user:")
    newest = sorted(rows.order_by("run_id", "-id")[:LATEST], key=lambda event: -event.pk)
    return [Decided(run, event.at, keys.get((event.task_id or 0) & 0xFFFFF, ""), _words(event)) for event in newest]


def _words(event: Event) -> str:
    return story.tell(Happening(None, event.at, event.kind, event.actor, event.data or {})).text


def _of(plan: Plan, table: Mapping[str, Promise]) -> tuple[tuple[Promise, int], ...]:
    found = Counter(name for step in plan.steps for name in table if _has(step, name))
    return tuple((words, found[name]) for name, words in table.items() if found[name])


def _has(step: object, name: str) -> bool:
    at, _dot, part = name.partition(".")
    value = getattr(step, at)
    return bool(getattr(value, part) if part and value is not None else None if part else value)


_MANAGES: Final[Mapping[str, Promise]] = {
    "branches": _("ways that it chooses"),
    "pattern": _("agents that it lets work together"),
    "map": _("lists that it divides"),
    "select": _("agents that it chooses"),
    "fallback": _("steps that another agent can do"),
    "compensate": _("steps that it can undo"),
    "checkpoint": _("save points"),
    "moves": _("moves of what is worked on"),
    "gate": _("questions to people"),
}
_JUDGES: Final[Mapping[str, Promise]] = {
    "quality": _("outputs that are assessed"),
    "quality.verifier": _("outputs that another agent verifies"),
    "quality.consensus": _("outputs that several must agree on"),
    "quality.guardians": _("outputs that guardians watch"),
    "conflicts": _("places where outputs must agree"),
}
