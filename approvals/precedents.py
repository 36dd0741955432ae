"""Past decisions on like cases, and how people decided about an agent's work at a step. Read for a card.

Likeness is counted, not judged: trigrams of what was proposed and of the title (pg_trgm), risk, confidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson
from django.db.models import F

from approvals import desk_db, permissions
from approvals.able import disguise
from approvals.desk_db import Settled
from approvals.models import Decision, Gate, Verdict
from approvals.permissions import Person

SHOWN: Final = 3
RECORD: Final = 200  # of the newest decisions
_CANDIDATES: Final = 100
_TITLE: Final = 200
_TOLD: Final = (
    *("verdict", "note", "decided_at", "gate"),
    *("decided_by__username", "decided_by__first_name", "decided_by__last_name"),
)


@dataclass(frozen=True, slots=True)
class Precedent:
    """An earlier decision on the same step of the same workflow, and what became of its run. `alike`: 0 to 1."""

    decision: Decision
    gate: Settled
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
    ranked = sorted(_candidates(gate, user), key=lambda other: -_nearness(gate, other))[: SHOWN * 2]
    if not ranked:
        return ()
    decisions = Decision.objects.filter(gate__in=[other.pk for other in ranked]).annotate(ran=F("gate__run__status"))
    by_gate = {one.gate_id: one for one in decisions.select_related("decided_by").only(*_TOLD)}
    decided = [(by_gate[other.pk], other) for other in ranked if other.pk in by_gate][:SHOWN]
    return tuple(Precedent(one, other, one.ran, other.same) for one, other in decided)


def record(gate: Gate) -> Record | None:
    """How its agent has done here so far; None where nobody has decided about it yet."""
    verdicts = desk_db.verdicts(workflow=gate.workflow_id, step=gate.step, agent=gate.agent, limit=RECORD)
    if not verdicts:
        return None
    return _counted(verdicts)


def _counted(verdicts: Sequence[str]) -> Record:
    as_it_stood = sum(verdict == Verdict.APPROVE for verdict in verdicts)
    changed = sum(verdict in (Verdict.EDIT, Verdict.COMPLETE, Verdict.CHOOSE) for verdict in verdicts)
    down = sum(verdict in (Verdict.REQUEST_CHANGES, Verdict.REJECT, Verdict.TERMINATE) for verdict in verdicts)
    return Record(len(verdicts), as_it_stood, changed, down)


def _candidates(gate: Gate, user: Person) -> list[Settled]:
    """The newest settled gates of the same step that this person may see, each with how alike it is."""
    queues = permissions.queue_ids(user, "see_gate")
    return desk_db.settled(
        workflow=gate.workflow_id,
        step=gate.step,
        queues=None if queues is None else sorted(queues),
        but=[gate.pk, disguise.source_of(gate) or 0],
        title=gate.title[:_TITLE],
        proposal=orjson.dumps(gate.subject["proposal"]).decode()[: desk_db.COMPARED],
        limit=_CANDIDATES,
    )


def _nearness(gate: Gate, other: Settled) -> float:
    """How alike two gates are: risk, proposal, title, confidence. Sorting is stable: the newest first among equals."""
    alike = (2.0 if gate.risk == other.risk else 0.0) + 2 * other.same + other.titled
    if gate.confidence is not None and other.confidence is not None:
        alike += 1 - abs(gate.confidence - other.confidence)
    return alike
