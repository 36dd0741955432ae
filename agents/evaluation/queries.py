"""What the evaluation pages and routes show, bounded."""

from dataclasses import dataclass
from typing import Any, Final

from django.db.models import QuerySet
from django.http import Http404

from agents.evaluation.statistics import Interval, wilson
from agents.evaluation.suites import SuiteRefused, find, names
from agents.models import Agent, Evaluation, EvaluationCase, EvaluationItem

SHOWN: Final = 100
CASES: Final = 100


@dataclass(frozen=True, slots=True)
class Measured:
    """A measure of an evaluation: its value, its threshold in words, and for shares the interval of the value."""

    name: str
    value: float | None
    limit: str
    held: bool | None
    interval: Interval | None


def evaluations(*, agent: str = "", suite: str = "") -> QuerySet[Evaluation]:
    """The newest evaluations, at most SHOWN."""
    wanted = {name: value for name, value in (("agent", agent), ("suite", suite)) if value}
    return Evaluation.objects.filter(**wanted).order_by("-id")[:SHOWN]


def open_items() -> QuerySet[EvaluationItem]:
    """Failed suites that nobody has answered for."""
    return EvaluationItem.objects.filter(closed_at=None).select_related("evaluation")[:SHOWN]


def get_evaluation_or_404(pk: int) -> Evaluation:
    """One evaluation."""
    found = Evaluation.objects.filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def measured(evaluation: Evaluation) -> list[Measured]:
    """The measures of an evaluation, those with thresholds first."""
    shares = _shares(evaluation)
    found = []
    for name, value in evaluation.measures.items():
        limit = evaluation.thresholds.get(name)
        interval = wilson(*shares[name]) if name in shares else None
        found.append(
            Measured(name, value, limit_words(limit) if limit else "", limit["held"] if limit else None, interval)
        )
    return sorted(found, key=lambda one: one.held is None)


def _shares(evaluation: Evaluation) -> dict[str, tuple[int, int]]:
    """For each measure whose marks are all 0 or 1: how many are 1, and how many there are."""
    counts: dict[str, list[float]] = {}
    for marks in evaluation.rows.values_list("marks", flat=True):
        for name, mark in marks.items():
            if mark is not None:
                counts.setdefault(name, []).append(mark)
    return {
        name: (int(sum(marks)), len(marks)) for name, marks in counts.items() if all(mark in (0, 1) for mark in marks)
    }


def limit_words(limit: dict[str, Any]) -> str:
    """A threshold as people write it: "≥ 0.9"."""
    sides = (("≥", limit["at_least"]), ("≤", limit["at_most"]))
    return " ".join(f"{sign} {value:g}" for sign, value in sides if value is not None)


def cases(evaluation: Evaluation, *, failed: bool, page: int) -> QuerySet[EvaluationCase]:
    """One page of an evaluation's cases."""
    rows = evaluation.rows.filter(passed=False) if failed else evaluation.rows.all()
    return rows.order_by("number")[page * CASES : (page + 1) * CASES]


def earlier_of_the_same(evaluation: Evaluation) -> QuerySet[Evaluation]:
    """Other evaluations of the same suite text, the newest first."""
    same = Evaluation.objects.filter(suite_digest=evaluation.suite_digest).exclude(pk=evaluation.pk)
    return same.order_by("-id")[:20]


def suite_rows() -> list[dict[str, Any]]:
    """The suites that come with the product, each with its newest evaluation and whether its agent is here."""
    known = set(Agent.objects.values_list("name", flat=True))
    newest = {row.suite: row for row in Evaluation.objects.order_by("suite", "-id").distinct("suite")}
    found = []
    for name in names():
        try:
            suite = find(name)
        except SuiteRefused:
            continue
        found.append({"suite": suite, "newest": newest.get(name), "is_agent_here": suite.agent in known})
    return found
