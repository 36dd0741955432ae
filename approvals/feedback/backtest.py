"""What another rule would have asked people, on the real past: stored decisions first, and outputs that passed unasked.

A decision's facts are those that were sealed for its reviewer (output, confidence), the run's input, which never
changes, and the outputs of earlier steps that had ended before the gate was opened. A rule that reads anything else
cannot be worked out afterwards: as at run time that means *ask*, and it is counted as such.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from approvals import labels, permissions
from approvals.models import Decision, Gate, GateKind
from approvals.permissions import Person
from orchestrator.definitions import expressions
from orchestrator.models import Task, Workflow
from orchestrator.past import is_drawn, output_of
from orchestrator.states import TaskStatus

USUAL: Final = 500
MOST: Final = 2_000  # decisions, and as many outputs that passed
LISTED: Final = 50
_OTHERWISE: Final = ("quality",)  # rules that begin so did not come of the gate's own condition


@dataclass(frozen=True, slots=True)
class Rule:
    """When a gate asks: a condition in CEL ("true": always), and the share of the rest that is looked at."""

    when: str = "true"
    sample: float = 0.0


@dataclass(frozen=True, slots=True)
class Told:
    """One decision that the rule would not have asked for."""

    decision: int
    gate: int
    run: int
    title: str
    verdict: str
    note: str
    decided_at: datetime
    confidence: float | None


@dataclass(slots=True)
class Backtest:
    """What the rule would have changed. `asked` decisions were looked at; nothing else of the past is known."""

    rule: Rule
    asked: int = 0
    still: int = 0  # asked for all the same
    sampled: int = 0  # of these, only because they are drawn
    otherwise: int = 0  # of these, because checks held them, whatever the rule says
    unknown: int = 0  # of these, because the rule cannot be worked out on what is stored
    saved: int = 0  # approved as they stood, and nobody would have been asked
    slipped: int = 0  # changed or refused, and nobody would have been asked
    slips: list[Told] = field(default_factory=list)
    saves: list[Told] = field(default_factory=list)
    why_unknown: Counter[str] = field(default_factory=Counter)
    passed: int = 0  # outputs that passed unasked and were looked at
    new: int = 0  # of these, the rule would have asked about
    new_unknown: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None
    limit: int = USUAL
    is_cut: bool = False  # there are more decisions than were looked at

    @property
    def fewer(self) -> int:
        """Decisions that people would have been spared."""
        return self.saved + self.slipped

    @property
    def share(self) -> float:
        """Of the decisions that were looked at."""
        return self.fewer / self.asked if self.asked else 0.0

    @property
    def words(self) -> str:
        """All of it in a sentence or two."""
        if not self.asked:
            return _("No decision on this gate is stored yet that you may see: there is nothing to try the rule on.")
        said = (
            _("%(share)s fewer reviews (%(fewer)d of %(asked)d)") if self.fewer else _("No review fewer of %(asked)d")
        )
        told = {"share": f"{self.share:.0%}", "fewer": self.fewer, "asked": self.asked, "n": self.slipped}
        if self.slipped:
            said += _("; %(n)d that people changed or refused would have slipped through")
        elif self.fewer:
            said += _("; nothing that people changed or refused would have slipped through")
        more = _(" %(new)d of %(passed)d outputs that passed unasked would be asked about.")
        return (said + ".") % told + (more % {"new": self.new, "passed": self.passed} if self.new else "")


@dataclass(frozen=True, slots=True)
class _Past:
    """Which past a rule is tried on."""

    workflow: Workflow
    step: str
    user: Person | None
    since: datetime | None
    reads: frozenset[str]  # steps whose outputs the rule reads


def backtest(
    workflow: Workflow,
    step: str,
    rule: Rule,
    *,
    user: Person | None,
    limit: int = USUAL,
    since: datetime | None = None,
) -> Backtest:
    """Try a rule on the newest `limit` decisions of a step's gate that `user` may see; None: on all of them.

    Raises ExpressionInvalid where the rule is no rule.
    """
    source = expressions.check(rule.when)
    found = Backtest(rule, limit=max(1, min(limit, MOST)))
    reads = frozenset(one.path[0] for one in source.references if one.root == "steps" and one.path)
    past = _Past(workflow, step, user, since, reads)
    _try_on_decisions(found, past)
    if user is None or permissions.can(user, "see_runs", workflow):
        _try_on_passed(found, past)
    return found


def decided(workflow: Workflow, step: str, user: Person | None) -> QuerySet[Decision]:
    """People's decisions on outputs at a step's gate, as far as the user may see them, the newest first."""
    about = Decision.objects.filter(
        gate__workflow=workflow, gate__step=step, gate__kind=GateKind.APPROVAL, decided_by__isnull=False,
        verdict__in=(*labels.RIGHT, *labels.WRONG, "choose", "terminate"),
    )  # fmt: skip
    if user is not None:
        about = about.filter(gate__queue__in=permissions.visible_queues(user).values("pk"))
    return about.order_by("-id")


def _try_on_decisions(found: Backtest, past: _Past) -> None:
    about = decided(past.workflow, past.step, past.user)
    about = about.filter(decided_at__gt=past.since) if past.since else about
    rows = list(about.select_related("gate__run")[: found.limit + 1])
    found.is_cut = len(rows) > found.limit
    rows = rows[: found.limit]
    earlier = _by_run([decision.gate.run_id for decision in rows], past.reads)
    for decision in rows:
        _count(found, decision, earlier.get(decision.gate.run_id, []))
    found.asked = len(rows)
    if rows:
        found.newest, found.oldest = rows[0].decided_at, rows[-1].decided_at


def _count(found: Backtest, decision: Decision, earlier: Sequence[Task]) -> None:
    gate = decision.gate
    if gate.rule.startswith(_OTHERWISE):
        found.still, found.otherwise = found.still + 1, found.otherwise + 1
        return
    asks = _asks(found.rule, _context_of(gate, earlier), gate.task_id)
    if asks == "":
        _spared(found, decision)
        return
    found.still += 1
    found.sampled += asks == "sample"
    if asks not in ("rule", "sample"):
        found.unknown += 1
        found.why_unknown[asks] += 1


def _spared(found: Backtest, decision: Decision) -> None:
    stood = decision.verdict in (*labels.RIGHT, *labels.WRONG) and labels.is_right(
        decision.verdict, decision.before, decision.after
    )
    told = found.saves if stood else found.slips
    if stood:
        found.saved += 1
    else:
        found.slipped += 1
    if len(told) < LISTED:
        gate = decision.gate
        told.append(
            Told(
                decision.pk, gate.pk, gate.run_id, gate.title, decision.verdict, decision.note[:300],
                decision.decided_at, gate.confidence,
            )
        )  # fmt: skip


def _try_on_passed(found: Backtest, past: _Past) -> None:
    """Outputs of the step that nobody was asked about: what a stricter rule would add, as far as rows are kept."""
    asked = Gate.objects.filter(task=OuterRef("pk"))
    passed = Task.objects.filter(~Exists(asked), workflow=past.workflow, key=past.step, status=TaskStatus.SUCCEEDED)
    passed = passed.filter(ended_at__gt=past.since) if past.since else passed
    tasks = list(passed.select_related("run").order_by("-id")[: found.limit])
    earlier = _by_run([task.run_id for task in tasks], past.reads)
    for task in tasks:
        before = [one for one in earlier.get(task.run_id, []) if _is_before(one, task.ended_at)]
        context = _context(output_of(task.output), task.confidence, task.run.input, before)
        asks = _asks(found.rule, context, None)
        found.new += asks == "rule"
        found.new_unknown += asks not in ("", "rule")
    found.passed = len(tasks)


def _asks(rule: Rule, context: Mapping[str, Any], task_id: int | None) -> str:
    """Why the rule would ask: "rule", "sample", or what cannot be worked out; empty where it would not."""
    try:
        if expressions.holds(rule.when, context):
            return "rule"
    except expressions.ExpressionError as problem:
        return str(problem)[:200]
    return "sample" if task_id is not None and is_drawn(task_id, rule.sample) else ""


def _context_of(gate: Gate, earlier: Sequence[Task]) -> dict[str, Any]:
    subject = gate.subject
    output = subject.get("amended", {}).get("from", subject["proposal"])
    before = [task for task in earlier if _is_before(task, gate.opened_at)]
    return _context(output, subject.get("confidence"), gate.run.input, before)


def _context(output: Any, confidence: float | None, given: Any, earlier: Sequence[Task]) -> dict[str, Any]:
    known: dict[str, Any] = {"output": output, "input": given}
    known["steps"] = {task.key: output_of(task.output) for task in earlier}
    if confidence is not None:
        known["confidence"] = confidence
    return known


def _by_run(runs: Sequence[int], steps: frozenset[str]) -> dict[int, list[Task]]:
    """The named steps of these runs that have succeeded, by run; asked for only where the rule reads them."""
    found: dict[int, list[Task]] = {}
    for task in _of_runs(runs, steps):
        found.setdefault(task.run_id, []).append(task)
    return found


def _of_runs(runs: Sequence[int], steps: frozenset[str]) -> Iterator[Task]:
    if steps and runs:
        about = Task.objects.filter(run__in=set(runs), key__in=steps, parent=None, status=TaskStatus.SUCCEEDED)
        yield from about.only("id", "run_id", "key", "output", "ended_at")


def _is_before(task: Task, moment: datetime | None) -> bool:
    return moment is not None and task.ended_at is not None and task.ended_at <= moment
