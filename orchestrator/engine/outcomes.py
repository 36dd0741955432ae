"""What a run that ended in part has and lacks: stored as it fails, worked out in full when it is read.

Rule of the confidence: the mean of the confidences that its finished steps state (1.0 if none states one), times the
share of the steps whose output was wanted that gave one.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agents.types import Json
from orchestrator.definitions.plan import PlanStep
from orchestrator.engine.plans import INDEX, plan_of
from orchestrator.engine.policy import name_of
from orchestrator.models import Run, Task
from orchestrator.states import RunStatus

KEPT: Final = 100  # failures described one by one; the rest are counted
NAMED: Final = 3
LONGER: Final = 2.0  # what "extended" makes of a timeout


def with_failure(run: Run, task: Task, step: PlanStep, error: Mapping[str, Any]) -> dict[str, Any]:
    """The run's stored outcome with one more failure."""
    outcome = dict(run.outcome or {"status": "partial_success", "failed_agents": [], "more": 0})
    if len(outcome["failed_agents"]) >= KEPT:
        return {**outcome, "more": outcome["more"] + 1}
    plan = plan_of(task.version_id)
    after = [plan.steps[index].title for index in task.successors if index < len(plan.steps)]
    entry = {
        "task": task.pk,
        "step": task.key,
        "title": step.title,
        "agent": step.agent,
        "error": name_of(error),
        "message": str(error.get("message", ""))[:500],
        "impact": step.impact or impact(step.title, after),
        "timed_out": str(error.get("code", "")) in {"timeout", "timed_out"},
        "timeout": step.timeout,
    }
    return {**outcome, "failed_agents": [*outcome["failed_agents"], entry]}


def still_missing(outcome: Mapping[str, Any] | None, redone: Collection[int]) -> dict[str, Any] | None:
    """What a retried run's result lacks although these tasks are done again; None if that is nothing."""
    failures = (outcome or {}).get("failed_agents", ())
    left = [failure for failure in failures if failure["task"] not in redone]
    return {"status": "partial_success", "failed_agents": left, "more": 0} if left else None


def impact(title: str, after: Sequence[str]) -> str:
    """What a step's failure means for the result, in one sentence."""
    if not after:
        return f"What {title} would have given is missing from the result."
    named = ", ".join(after[:NAMED]) + (f" and {len(after) - NAMED} more" if len(after) > NAMED else "")
    return f"{title} gave nothing to {named}, which went on without it or did not run."


@dataclass(frozen=True, slots=True)
class Confidence:
    """How far the result of an incomplete run may be trusted, 0-1, and how that number came about."""

    value: float
    why: str


def confidence(stated: Sequence[float], *, done: int, failed: int) -> Confidence:
    """The rule in this module's head. `done` and `failed` count steps of agents whose output was wanted."""
    base = sum(stated) / len(stated) if stated else 1.0
    share = done / (done + failed) if done + failed else 0.0
    begun = f"{base:.2f} is the mean of {len(stated)} stated confidences" if stated else "1.00, as no step states one"
    value = round(base * share, 2)
    return Confidence(value, f"{begun}; {done} of {done + failed} steps gave their output: {value:.2f}.")


def recommendations(failures: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What may be done about it, each with the act that does it."""
    found: list[dict[str, Any]] = []
    for failure in failures:
        if failure.get("timed_out"):
            longer = float(failure["timeout"]) * LONGER
            text = f"Retry {failure['title']} with {longer:g} s instead of {float(failure['timeout']):g} s"
            found.append({"act": "retry_longer", "task": failure["task"], "timeout": longer, "text": text})
        text = f"Have {failure['title']} reviewed by hand"
        found.append({"act": "manual_review", "task": failure["task"], "text": text})
    return found


def payload(run: Run) -> dict[str, Any] | None:
    """The whole outcome of a run that ended in part; None for every other run."""
    stored = run.outcome
    if run.status != RunStatus.PARTIAL or not isinstance(stored, dict) or not stored.get("failed_agents"):
        return None
    failures = stored["failed_agents"]
    columns = ("pk", "key", "agent__name", "confidence", "output", "successors")
    succeeded = list(Task.objects.of_run(run.pk).filter(status="succeeded", kind="automated").values_list(*columns))
    own = [row for row in succeeded if (row[0] & INDEX) < len(plan_of(run.version_id).steps)]
    trust = confidence(
        [row[3] for row in own if row[3] is not None], done=len(own), failed=len(failures) + stored.get("more", 0)
    )
    results: dict[str, Json] = {row[1]: row[4] for row in own if not row[5]}
    return {
        "status": "partial_success",
        "completed_agents": sorted({row[2] for row in own if row[2]}),
        "failed_agents": [
            {name: failure[name] for name in ("agent", "step", "error", "message", "impact")} for failure in failures
        ],
        "more_failed": stored.get("more", 0),
        "results": results,
        "confidence": trust.value,
        "confidence_explained": trust.why,
        "recommendations": recommendations(failures),
    }
