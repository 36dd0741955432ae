"""What the figures speak for: changes of gates, each with its data. Pure of acts: `proposals` stores and decides them.

Every bound is stated here and shown with the proposal. What is of high or critical risk is never proposed to be asked
about less.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from django.utils import timezone

from agents.evaluation.statistics import wilson
from agents.types import Json
from approvals.feedback.backtest import Rule, backtest
from approvals.feedback.models import Lesson, Proposal
from approvals.models import Gate, Queue
from orchestrator.definitions import expressions
from orchestrator.definitions.plan import GateSpec, PlanStep
from orchestrator.models import Workflow

DAYS: Final = 90
NEWEST: Final = 1_000  # lessons of one step that are looked at
AUTO_LEAST: Final = 200
AUTO_SHARE: Final = 0.98  # more than this share was approved as it stood
AUTO_SAMPLE: Final = 0.1  # of what would no longer be asked about
THRESHOLD_LEAST: Final = 30  # decisions between the old threshold and the new one
THRESHOLD_WRONG: Final = 0.02  # at most this share of them was changed or refused
THRESHOLD_STEP: Final = 0.05
THRESHOLD_SAVES: Final = 0.10  # at least this share of all reviews would be spared
ROUTING_LEAST: Final = 20
ROUTING_SHARE: Final = 0.6  # more than this share was decided in another queue, always the same one
SAMPLED_LEAST: Final = 20
SAMPLED_WRONG: Final = 0.05  # so much of the sample was wrong, by the low end of the interval
EXAMPLES: Final = 10
_CALM: Final = ("low", "medium")
_SAMPLE: Final = "sample of"
_THRESHOLD: Final = re.compile(r"(?<![\w.])confidence\s*(<=?)\s*(0?\.\d+|1\.0+|1)(?![\w.])")


@dataclass(frozen=True, slots=True)
class Idea:
    """A change that is worth proposing. `before` and `change`: fields of the gate."""

    kind: str
    step: str
    before: dict[str, Json]
    change: dict[str, Json]
    data: dict[str, Json] = field(default_factory=dict)
    four_eyes: bool = False


@dataclass(frozen=True, slots=True)
class _Known:
    """A step's gate and what people decided at it within the window, the newest first."""

    workflow: Workflow
    step: PlanStep
    gate: GateSpec
    lessons: Sequence[Lesson]

    @property
    def is_calm(self) -> bool:
        """Whether the gate is of low or medium risk, as far as its definition says, and one person decides."""
        terms = self.gate.terms
        plain = terms.approvals == 1 and not terms.purpose and not terms.checklist
        strict = self.step.quality is not None and self.step.quality.zero_tolerance
        return plain and not strict and (self.gate.risk in _CALM or "${" in self.gate.risk)

    @property
    def by_rule(self) -> list[Lesson]:
        """Those that this very rule asked for."""
        return [one for one in self.lessons if one.gate is not None and one.gate.rule == (self.gate.when or "true")]


def ideas(workflow: Workflow, step: PlanStep, *, apart_from: Collection[str] = ()) -> Iterator[Idea]:
    """What the figures of one step's gate speak for, at most one of a kind, without the kinds that are answered."""
    if step.gate is None or step.kind not in ("automated", "approval"):
        return
    since = timezone.now() - timedelta(days=DAYS)
    about = Lesson.objects.filter(
        workflow=workflow, step=step.key, at__gt=since, stood__isnull=False, gate__kind="approval"
    )
    lessons = about.select_related("gate").defer("gate__subject", "input", "output", "edited").order_by("-at", "-id")
    known = _Known(workflow, step, step.gate, list(lessons[:NEWEST]))
    for kind, find in _FINDERS.items():
        found = find(known) if kind not in apart_from else None
        if found is not None:
            yield found
        if kind == "auto_approve" and (found is not None or kind in apart_from):
            apart_from = {*apart_from, "threshold"}  # one of the two is enough


def terms_of(gate: GateSpec) -> dict[str, Json]:
    """The fields of a gate that proposals change, as they are."""
    return {"when": gate.when or "true", "sample": gate.sample, "queue": gate.queue}


def needs_two(gate: GateSpec) -> bool:
    """Whether two people must agree to change this gate: it is not plainly of low or medium risk, or asks several."""
    return gate.risk not in _CALM or gate.terms.approvals > 1 or bool(gate.terms.purpose)


def _auto_approve(known: _Known) -> Idea | None:
    lessons, gate = known.by_rule, known.gate
    n, stood = len(lessons), sum(bool(one.stood) for one in lessons)
    calm = known.is_calm and all(one.risk in _CALM for one in lessons)
    if n < AUTO_LEAST or stood <= AUTO_SHARE * n or not calm:
        return None
    when = "false"
    if "${" in gate.risk:  # worked out anew for each output: what is not calm still asks
        when = f'!(({expressions.unwrap(gate.risk)}) in ["low", "medium"])'
    change: dict[str, Json] = {"when": when, "sample": AUTO_SAMPLE}
    return _idea("auto_approve", known, change, _figures(lessons))


def _threshold(known: _Known) -> Idea | None:
    rule = known.gate.when or "true"
    places = list(_THRESHOLD.finditer(rule))
    if len(places) != 1 or not known.is_calm:
        return None
    old = float(places[0][2])
    with_number = [(one, one.gate.confidence) for one in known.by_rule if one.gate is not None]
    sure = [(one, claimed) for one, claimed in with_number if claimed is not None and claimed < old]
    for low in _candidates(old):
        freed = [one for one, claimed in sure if claimed >= low]
        wrong = sum(not one.stood for one in freed)
        enough = len(freed) >= max(THRESHOLD_LEAST, THRESHOLD_SAVES * len(known.lessons))
        if enough and wrong <= THRESHOLD_WRONG * len(freed) and all(one.risk in _CALM for one in freed):
            start, end = places[0].span(2)
            change: dict[str, Json] = {"when": f"{rule[:start]}{low:g}{rule[end:]}"}
            return _idea("threshold", known, change, {**_figures(freed), "from": old, "to": low})
    return None


def _candidates(old: float) -> Iterator[float]:
    """Lower thresholds, the lowest first: the one that spares most is tried before the others."""
    steps = int(old / THRESHOLD_STEP)
    yield from (round(low * THRESHOLD_STEP, 2) for low in range(1, steps + 1) if round(low * THRESHOLD_STEP, 2) < old)


def _routing(known: _Known) -> Idea | None:
    asked = Queue.objects.filter(name=known.gate.queue).first()
    if asked is None:
        return None
    began_here = [one for one in known.lessons if one.gate is not None and _first_queue(one.gate) == asked.pk]
    moved = Counter(one.gate.queue_id for one in began_here if one.gate is not None and one.gate.queue_id != asked.pk)
    if len(began_here) < ROUTING_LEAST or not moved:
        return None
    target, count = moved.most_common(1)[0]
    if count <= ROUTING_SHARE * len(began_here):
        return None
    interval = wilson(count, len(began_here))
    went = [one for one in began_here if one.gate is not None and one.gate.queue_id == target]
    data: dict[str, Json] = {
        "n": len(began_here), "moved": count, "share": round(count / len(began_here), 4), "low": interval.low,
        "high": interval.high, "days": DAYS, "examples": [one.pk for one in went[:EXAMPLES]],
    }  # fmt: skip
    return _idea("routing", known, {"queue": Queue.objects.values_list("name", flat=True).get(pk=target)}, data)


def _first_queue(gate: Gate) -> int:
    return gate.trail[0] if gate.trail else gate.queue_id


def _tightening(known: _Known) -> Idea | None:
    """What was let pass and looked at all the same was wrong too often: ask about everything again."""
    drawn = [one for one in known.lessons if one.gate is not None and one.gate.rule.startswith(_SAMPLE)]
    wrong = [one for one in drawn if not one.stood]
    interval = wilson(len(wrong), len(drawn))
    if len(drawn) < SAMPLED_LEAST or interval.low <= SAMPLED_WRONG:
        return None
    data: dict[str, Json] = {
        "n": len(drawn), "wrong": len(wrong), "share": round(len(wrong) / len(drawn), 4), "low": interval.low,
        "high": interval.high, "days": DAYS, "examples": [one.pk for one in wrong[:EXAMPLES]],
    }  # fmt: skip
    return _idea("gate", known, {"when": "true", "sample": 0}, data)


def _figures(lessons: Sequence[Lesson]) -> dict[str, Json]:
    n, stood = len(lessons), sum(bool(one.stood) for one in lessons)
    interval = wilson(stood, n)
    wrong = [one.pk for one in lessons if not one.stood][:EXAMPLES]
    return {
        "n": n, "approved": stood, "share": round(stood / n, 4), "low": interval.low, "high": interval.high,
        "days": DAYS, "examples": [*wrong] or [one.pk for one in lessons[:EXAMPLES]], "exceptions": [*wrong],
    }  # fmt: skip


def _idea(kind: str, known: _Known, change: Mapping[str, Json], data: Mapping[str, Json]) -> Idea:
    before = {name: terms_of(known.gate)[name] for name in change}
    facts: dict[str, Json] = dict(data)
    if "when" in change:
        sample = change.get("sample", known.gate.sample)
        rule = Rule(str(change["when"]), float(sample if isinstance(sample, int | float) else 0))
        tried = backtest(known.workflow, known.step.key, rule, user=None)
        facts["backtest"] = {
            "asked": tried.asked, "fewer": tried.fewer, "slipped": tried.slipped, "unknown": tried.unknown,
            "new": tried.new, "passed": tried.passed,
        }  # fmt: skip
    return Idea(Proposal.Kind(kind).value, known.step.key, before, dict(change), facts, needs_two(known.gate))


_FINDERS: Final[Mapping[str, Callable[[_Known], Idea | None]]] = {
    "auto_approve": _auto_approve,
    "threshold": _threshold,
    "routing": _routing,
    "gate": _tightening,
}
