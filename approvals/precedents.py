"""Past decisions on like cases, and how people decided about an agent's work at a step. Read for a card.

Likeness is counted, not judged: trigrams of what was proposed (pg_trgm), words of the title, risk, confidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

import orjson
from django.db.models import F, FloatField, Func, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Left

from approvals import permissions
from approvals.able import disguise
from approvals.models import Decision, Gate, GateStatus, Verdict
from approvals.permissions import Person

SHOWN: Final = 3
RECORD: Final = 200  # of the newest decisions
_CANDIDATES: Final = 100
_TITLE: Final = 200
_COMPARED: Final = 1_000  # characters of what was proposed
_TOLD: Final = (
    *("verdict", "note", "decided_at", "gate"),
    *("decided_by__username", "decided_by__first_name", "decided_by__last_name"),
)


@dataclass(frozen=True, slots=True)
class Precedent:
    """An earlier decision on the same step of the same workflow, and what became of its run. `alike`: 0 to 1."""

    decision: Decision
    gate: Gate
    run_status: str
    alike: float


@dataclass(frozen=True, slots=True)
class Record:
    """How people decided about what this agent put out at this step: the newest decisions, counted."""

    decided: int
    as_it_stood: int  # approved without a change
    changed: int
    turned_down: int  # sent back, rejected, ended

    @property
    def share(self) -> float:
        """The part that was approved as it stood."""
        return self.as_it_stood / self.decided if self.decided else 0.0


def nearest(gate: Gate, user: Person) -> tuple[Precedent, ...]:
    """The decisions on the cases that are most like this one, the nearest first."""
    candidates = _candidates(gate, user)
    if not candidates:
        return ()
    ranked = sorted(candidates, key=lambda pair: -_nearness(gate, *pair))[: SHOWN * 2]
    found = [other.pk for other, _same in ranked]
    decisions = Decision.objects.filter(gate__in=found).annotate(ran=F("gate__run__status"))
    by_gate = {one.gate_id: one for one in decisions.select_related("decided_by").only(*_TOLD)}
    decided = [(by_gate[other.pk], other, same) for other, same in ranked if other.pk in by_gate][:SHOWN]
    return tuple(Precedent(one, other, one.ran, same) for one, other, same in decided)


def record(gate: Gate) -> Record | None:
    """How its agent has done here so far; None where nobody has decided about it yet."""
    about = Decision.objects.filter(
        gate__workflow=gate.workflow_id, gate__step=gate.step, gate__agent=gate.agent, decided_by__isnull=False
    )
    verdicts = list(about.order_by("-gate__settled_at").values_list("verdict", flat=True)[:RECORD])
    if not verdicts:
        return None
    return _counted(verdicts)


def _counted(verdicts: Sequence[str]) -> Record:
    as_it_stood = sum(verdict == Verdict.APPROVE for verdict in verdicts)
    changed = sum(verdict in (Verdict.EDIT, Verdict.COMPLETE, Verdict.CHOOSE) for verdict in verdicts)
    down = sum(verdict in (Verdict.REQUEST_CHANGES, Verdict.REJECT, Verdict.TERMINATE) for verdict in verdicts)
    return Record(len(verdicts), as_it_stood, changed, down)


def _candidates(gate: Gate, user: Person) -> list[tuple[Gate, float]]:
    """The newest settled gates of the same step, each with how alike what was proposed is."""
    queues = permissions.queue_ids(user, "see_gate")
    settled = Gate.objects.filter(workflow_id=gate.workflow_id, step=gate.step)
    if queues is not None:
        settled = settled.filter(queue__in=queues)
    newest = settled.exclude(status__in=(GateStatus.OPEN, GateStatus.WITHDRAWN)).exclude(
        pk__in=[gate.pk, disguise.source_of(gate) or 0]
    )
    ids = list(newest.order_by("-settled_at").values_list("pk", flat=True)[:_CANDIDATES])
    if not ids:
        return []
    own = orjson.dumps(gate.subject["proposal"]).decode()[:_COMPARED]
    alike = Func(_proposal(), Value(own), function="similarity", output_field=FloatField())
    compared = ("id", "risk", "title", "confidence")
    rows = Gate.objects.filter(pk__in=ids).annotate(alike=alike).only(*compared).order_by("-settled_at")
    return [(row, row.alike) for row in rows]


def _proposal() -> Left:
    return Left(KeyTextTransform("proposal", F("subject")), Value(_COMPARED), output_field=TextField())


def _nearness(gate: Gate, other: Gate, same: float) -> float:
    """How alike two gates are: risk, words, proposal, confidence. Sorting is stable: the newest first among equals."""
    alike = (2.0 if gate.risk == other.risk else 0.0) + 2 * same
    alike += SequenceMatcher(None, gate.title[:_TITLE], other.title[:_TITLE], autojunk=False).quick_ratio()
    if gate.confidence is not None and other.confidence is not None:
        alike += 1 - abs(gate.confidence - other.confidence)
    return alike
