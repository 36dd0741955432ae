"""What agents find, as events: `finding.discovered {agent_id, finding, confidence, timestamp}`. Agents write no state
by it; whoever wants to know follows the log.
"""

from datetime import UTC, datetime
from typing import Any, Final

from agents.cleaning import storable
from agents.errors import StateRefused
from agents.guardrails import credentials, detectors
from agents.guardrails.masking import mask_text
from agents.types import Json
from orchestrator import events
from orchestrator.models import Event, Task

KIND: Final = "finding.discovered"
LONGEST: Final = 500  # characters
SHOWN: Final = 200


def record(task: Task, given: dict[str, Any], *, agent: str) -> None:
    """Append one finding of a task whose run is locked. A later attempt's same finding is the first one."""
    text, confidence = _checked(given)
    if Event.objects.filter(run_id=task.run_id, task_id=task.pk, kind=KIND, data__finding=text).exists():
        return
    now = datetime.now(UTC).isoformat()
    facts: dict[str, Json] = {"agent_id": agent, "finding": text, "confidence": confidence, "timestamp": now}
    events.append(KIND, actor=f"agent:{agent}", run_id=task.run_id, task_id=task.pk, data=facts)


def of_run(run: int) -> list[dict[str, Json]]:
    """What was found in a run, the newest first, as its log has it."""
    rows = Event.objects.filter(run_id=run, kind=KIND).order_by("-id")[:SHOWN]
    return [row.data for row in rows]


def _checked(given: dict[str, Any]) -> tuple[str, float | None]:
    text = storable(str(given.get("finding", ""))).strip()
    if not text or len(text) > LONGEST:
        raise StateRefused(key="finding", problem=f"it has {len(text)} characters, and 1 to {LONGEST} are allowed")
    confidence = given.get("confidence")
    is_share = isinstance(confidence, int | float) and not isinstance(confidence, bool) and 0 <= confidence <= 1
    if confidence is not None and not is_share:
        raise StateRefused(key="confidence", problem="it must be a number from 0 to 1")
    hidden = credentials.hidden(text, credentials.find(text))
    return mask_text(hidden, detectors.find(hidden)), confidence
