"""Whether a step's rule asks people, and which of the outputs that it lets pass are looked at all the same.

They are drawn by a hash, so that another try is not another draw.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from orchestrator.definitions import expressions
from orchestrator.engine import gates
from orchestrator.engine.assignment import Assignment

_ALL: Final = 2**64


def is_drawn(task_id: int, share: float) -> bool:
    """Whether this task is among `share` (0 to 1) of all tasks; the same answer for each of its attempts."""
    digest = hashlib.sha256(f"sample of task {task_id}".encode()).digest()
    return int.from_bytes(digest[:8]) < share * _ALL


def rule_asks(job: Assignment, known: Mapping[str, Any]) -> bool:
    """Whether the rule holds, or the output is drawn; raises ExpressionError where the rule cannot be worked out."""
    spec = job.step.gate
    if spec is None:
        return False
    if expressions.holds(spec.when or "true", {**job.context, **known}):
        return True
    if is_drawn(job.claimed.id, spec.sample):
        job.know({gates.DRAWN: True})
        return True
    return False
