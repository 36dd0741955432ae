"""What is behind a figure: the runs, tries and gates that it counts or that speak against it, the newest first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import F, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _

from approvals.models import Gate
from monitoring.metrics.kpis import BY_SAMPLE, Figures
from monitoring.models import Effort, Ending
from orchestrator.models import Run

MOST: Final = 100
SEARCHED: Final = 20_000  # the newest, among which the longest are looked for


@dataclass(frozen=True, slots=True)
class Line:
    """One run, or one try or gate in it."""

    run: int
    title: str
    workflow: str
    step: str
    agent: str
    at: datetime
    says: str
    ms: float | None = None
    tone: str = "idle"
    gate: int | None = None


@dataclass(frozen=True, slots=True)
class Behind:
    """The rows behind one figure, and what they are."""

    words: str | Promise
    lines: Sequence[Line]
    is_cut: bool


def behind(key: str, f: Figures) -> Behind | None:
    """Of a tile by its key; None where nothing more can be shown than the figure itself."""
    found = _BEHIND.get(key)
    if found is None:
        return None
    words, look = found
    lines = look(f)
    return Behind(words, lines[:MOST], len(lines) > MOST)


def _ends(f: Figures) -> QuerySet[Ending]:
    found = Ending.objects.filter(at__gte=f.span.since, at__lt=f.span.until)
    if f.scope.workflows is not None:
        found = found.filter(workflow__in=f.scope.workflows)
    return found.order_by("-at")


def _tries(f: Figures) -> QuerySet[Effort]:
    found = Effort.objects.filter(at__gte=f.span.since, at__lt=f.span.until).exclude(agent="")
    if f.scope.workflows is not None:
        found = found.filter(workflow__in=f.scope.workflows)
    if f.scope.agent:
        found = found.filter(agent=f.scope.agent)
    if f.scope.step:
        found = found.filter(step=f.scope.step)
    return found.order_by("-at")


def _not_alone(f: Figures) -> list[Line]:
    found = _ends(f).exclude(status="succeeded", touched=False)[: MOST + 1]
    return _of_ends(found, lambda one: now_("a person acted") if one.touched else _status(one.status))


def _longest_runs(f: Figures) -> list[Line]:
    well = _ends(f).filter(status__in=("succeeded", "partial")).values("pk")[:SEARCHED]
    return _of_ends(Ending.objects.filter(pk__in=well).order_by("-ms")[: MOST + 1], lambda one: _status(one.status))


def _in_trouble(f: Figures) -> list[Line]:
    found = _ends(f).filter(troubled__gt=F("mended"))[: MOST + 1]
    words = now_("%(n)d of %(all)d tasks in trouble not mended by themselves")
    return _of_ends(found, lambda one: words % {"n": one.troubled - one.mended, "all": one.troubled})


def _dearest(f: Figures) -> list[Line]:
    newest = _ends(f).values("pk")[:SEARCHED]
    found = Ending.objects.filter(pk__in=newest, cost__gt=0).order_by("-cost")[: MOST + 1]
    return _of_ends(found, lambda one: f"${one.cost:,.4f}")


def _longest_waits(f: Figures) -> list[Line]:
    newest = _tries(f).filter(queue_ms__isnull=False).values("pk")[:SEARCHED]
    found = Effort.objects.filter(pk__in=newest).order_by("-queue_ms")[: MOST + 1]
    return _of_tries(found, lambda one: now_("waited for a worker"), ms="queue_ms")


def _broken(f: Figures) -> list[Line]:
    return _of_tries(_tries(f).filter(handed=True, broke=True)[: MOST + 1], lambda _one: now_("broke a contract"))


def _failed(f: Figures) -> list[Line]:
    found = _tries(f).filter(status__in=("failed", "expired"))[: MOST + 1]
    return _of_tries(found, lambda one: now_("failed") if one.status == "failed" else now_("its worker was lost"))


def _not_stood(f: Figures) -> list[Line]:
    found = f.lessons.filter(stood=False, gate__rule__startswith=BY_SAMPLE).select_related("workflow", "run")
    return [
        Line(one.run_id, one.run.title, one.workflow.title, one.step, one.agent, one.at, one.verdict, gate=one.gate_id)
        for one in found.order_by("-at")[: MOST + 1]
    ]


def _longest_gates(f: Figures) -> list[Line]:
    gates = Gate.objects.filter(settled_at__gte=f.span.since, settled_at__lt=f.span.until)
    if f.scope.workflows is not None:
        gates = gates.filter(workflow__in=f.scope.workflows)
    newest = gates.order_by("-settled_at").values("pk")[:SEARCHED]
    found = Gate.objects.filter(pk__in=newest).select_related("workflow", "run", "queue")
    longest = found.annotate(waited=F("settled_at") - F("opened_at")).order_by("-waited")[: MOST + 1]
    return [
        Line(
            one.run_id, one.title, one.workflow.title, one.step, one.agent, one.settled_at or one.opened_at,
            one.queue.title, ms=_ms(one), gate=one.pk,
        )
        for one in longest
    ]  # fmt: skip


def _ms(gate: Any) -> float:
    return float((gate.settled_at - gate.opened_at).total_seconds() * 1000)


_BEHIND: Final[dict[str, tuple[str | Promise, Callable[[Figures], list[Line]]]]] = {
    "alone": (_("Runs in which a person acted, or that did not succeed"), _not_alone),
    "queue": (_("Tries that waited longest for a worker"), _longest_waits),
    "handing": (_("Tries that broke a contract with what they were given, or gave"), _broken),
    "accuracy": (_("Outputs drawn by chance that did not stand"), _not_stood),
    "faster": (_("Runs that took longest"), _longest_runs),
    "completion": (_("Runs that took longest"), _longest_runs),
    "mended": (_("Runs with trouble that did not mend by itself"), _in_trouble),
    "success": (_("Tries that failed or were lost"), _failed),
    "human": (_("Gates that waited longest"), _longest_gates),
    "cost": (_("Runs that cost most"), _dearest),
}


def _of_ends(found: QuerySet[Ending], says: Callable[[Ending], str]) -> list[Line]:
    ends = list(found)
    runs = Run.objects.select_related("workflow").only("title", "workflow__title").in_bulk({one.run for one in ends})
    return [
        Line(
            one.run, runs[one.run].title, runs[one.run].workflow.title, "", "", one.at, says(one),
            ms=one.ms, tone=one.status,
        )
        for one in ends
        if one.run in runs
    ]  # fmt: skip


def _of_tries(found: QuerySet[Effort], says: Callable[[Effort], str], *, ms: str = "work_ms") -> list[Line]:
    tries = list(found)
    runs = Run.objects.select_related("workflow").only("title", "workflow__title").in_bulk({one.run for one in tries})
    return [
        Line(
            one.run, runs[one.run].title, runs[one.run].workflow.title, one.step, one.agent, one.at, says(one),
            ms=getattr(one, ms), tone="failed" if one.status in ("failed", "expired") else "idle",
        )
        for one in tries
        if one.run in runs
    ]  # fmt: skip


def _status(status: str) -> str:
    words = {"succeeded": now_("succeeded"), "partial": now_("partly done"), "failed": now_("failed")}
    return words.get(status, now_("cancelled"))
