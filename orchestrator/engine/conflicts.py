"""Outputs that contradict each other: found by the step that joins them, settled by its rule or by a person.

A conflict is a row with both sides as they were found; until it is settled the step that found it does not run. What a
rule cannot decide (a tie, no confidence claimed) is asked, never guessed. The caller holds the run's lock.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from django.db.models.functions import Now

from agents.quality.agreement import DEFAULT_LEVEL, Answer, is_tied, synthesise
from agents.quality.store import authority_weights
from agents.types import Json
from orchestrator import events
from orchestrator.definitions.plan import ConflictSpec, PlanStep
from orchestrator.models import Conflict, Run, Task, task_id
from orchestrator.ports import GateRequest

_DEADLINE: Final = 7 * 86400.0
_SHOWN: Final = 300  # characters of a value beside the question


@dataclass(frozen=True, slots=True)
class Side:
    """What one step says about a field. `confidence` 0-1 or None."""

    writer: str
    value: Json
    task: int
    confidence: float | None

    def as_json(self) -> dict[str, Json]:
        """As it is stored."""
        return {"writer": self.writer, "value": self.value, "task": self.task, "confidence": self.confidence}


@dataclass(slots=True)
class Findings:
    """What the steps before agree on, field by field, and what somebody must still decide."""

    agreed: dict[str, Json] = field(default_factory=dict)
    open: list[Conflict] = field(default_factory=list)


def examine(task: Task, step: PlanStep, outputs: Mapping[str, Any]) -> Findings:
    """Compare what the steps before put out; store new conflicts and settle those that the rule decides."""
    spec = step.conflicts
    assert spec is not None
    before = Task.objects.filter(pk__in=[task_id(task.run_id, index) for index in step.dependencies])
    known = list(before.order_by("id").values_list("key", "pk", "confidence"))
    found = Findings()
    for path in spec.fields:
        sides = [
            Side(key, value, pk, confidence)
            for key, pk, confidence in known
            if key in outputs and (value := _at(outputs[key], path)) is not _MISSING
        ]
        _examine_field(task, spec, path, sides, found)
    return found


def _examine_field(task: Task, spec: ConflictSpec, path: str, sides: list[Side], found: Findings) -> None:
    if len({_canonical(side.value) for side in sides}) < 2:
        if sides:
            _set(found.agreed, path, sides[0].value)
        return
    conflict = _conflict(task, spec, path, sides)
    if conflict.resolution is None:
        found.open.append(conflict)
    else:
        _set(found.agreed, path, conflict.resolution["value"])


def _conflict(task: Task, spec: ConflictSpec, path: str, sides: list[Side]) -> Conflict:
    """The conflict between exactly these sides: an earlier attempt's, settled or not, or a new one."""
    stored: list[Json] = [side.as_json() for side in sides]
    last = Conflict.objects.filter(task=task.pk, key=path).order_by("-id").first()
    if last is not None and last.sides == stored:
        return last
    Conflict.objects.filter(task=task.pk, key=path, resolved_at=None).update(resolved_at=Now(), resolved_by="replaced")
    made = Conflict.objects.create(run_id=task.run_id, task=task.pk, key=path, sides=stored)
    facts: dict[str, Json] = {"conflict": made.pk, "key": path, "rule": spec.rule}
    events.append("conflict.found", actor="engine", run_id=task.run_id, task_id=task.pk, data=facts)
    if (right := _right(spec, sides)) is not None:
        _settle(made, right.as_json(), by=f"rule:{spec.rule}", actor="engine")
    return made


def _right(spec: ConflictSpec, sides: Sequence[Side]) -> Side | None:
    return weightiest(spec, sides, authority_weights()) if spec.rule == "weighted" else chosen(spec.rule, sides)


def weightiest(spec: ConflictSpec, sides: Sequence[Side], weights: Mapping[str, float]) -> Side | None:
    """The side that confidence times authority is for; None if it decides nothing. The others stay beside it."""
    levels = [weights.get(spec.authority.get(side.writer, DEFAULT_LEVEL), 0.0) for side in sides]
    answers = [
        Answer(side.writer, {"value": side.value}, side.confidence, level, side.task)
        for side, level in zip(sides, levels, strict=True)
    ]
    verdict = synthesise(answers, ("value",), by_count=False)
    if verdict is None or is_tied(verdict):
        return None
    return next(side for side in sides if side.task in verdict.sides[0].tasks)


def chosen(rule: str, sides: Sequence[Side]) -> Side | None:
    """The side that a rule takes; None if it does not decide."""
    match rule:
        case "first":
            return sides[0]
        case "last":
            return sides[-1]
        case "highest_confidence":
            surest = max((side.confidence for side in sides if side.confidence is not None), default=None)
            return _only([side for side in sides if side.confidence == surest]) if surest is not None else None
        case "majority":
            votes = Counter(_canonical(side.value) for side in sides)
            most = max(votes.values())
            return _only([side for side in sides if votes[_canonical(side.value)] == most])
    return None


def _only(sides: list[Side]) -> Side | None:
    return sides[0] if len({_canonical(side.value) for side in sides}) == 1 else None


def _settle(conflict: Conflict, side: dict[str, Json], *, by: str, actor: str) -> None:
    Conflict.objects.filter(pk=conflict.pk).update(resolution=side, resolved_by=by, resolved_at=Now())
    conflict.refresh_from_db()
    facts: dict[str, Json] = {"conflict": conflict.pk, "key": conflict.key, "by": by, "writer": side["writer"]}
    events.append("conflict.resolved", actor=actor, run_id=conflict.run_id, task_id=conflict.task, data=facts)


def question(run: Run, task: Task, step: PlanStep, found: Findings) -> GateRequest:
    """What people are asked about the open conflicts of a step: for each field, which step is right."""
    assert step.conflicts is not None
    named = ", ".join(conflict.key for conflict in found.open)
    form: dict[str, Json] = {
        conflict.key: {
            "type": "string", "title": f"Which step is right about {conflict.key}?",
            "enum": [side["writer"] for side in conflict.sides],
        }
        for conflict in found.open
    }  # fmt: skip
    sides = [(conflict.key, side) for conflict in found.open for side in conflict.sides]
    return GateRequest(
        task_id=task.pk,
        run_id=run.pk,
        workflow_id=run.workflow_id,
        kind="manual",
        title=f"Steps disagree about {named}: which one is right?"[:300],
        queue=step.conflicts.queue,
        rule=f"conflicts: {step.conflicts.rule}",
        risk="high",
        proposal={},
        input={conflict.key: {side["writer"]: side["value"] for side in conflict.sides} for conflict in found.open},
        action={"settle": [conflict.key for conflict in found.open]},
        allowed=("complete", "reject", "terminate"),
        deadline_s=_DEADLINE,
        on_timeout="escalate",
        form={"type": "object", "additionalProperties": False, "required": list(form), "properties": form},
        requested_by=run.started_by_id,
        evidence=tuple(
            {"claim": f"{key} = {_short(side['value'])}", "source": side["writer"], "quote": "", "status": ""}
            for key, side in sides
        ),
        consequence=f"Step {step.key} goes on with the values of the steps that you name.",
    )


def answer(task: Task, answers: Mapping[str, Json], *, actor: str) -> bool:
    """Settle a waiting task's open conflicts as a person says; False if the task does not wait for that.

    Whoever gives the task another output in place of an answer overrules both sides: the conflicts end with it.
    """
    waiting = list(Conflict.objects.filter(task=task.pk, resolved_at=None).order_by("id"))
    right = [
        (conflict, side)
        for conflict in waiting
        for side in conflict.sides
        if side["writer"] == answers.get(conflict.key)
    ]
    if len({conflict.pk for conflict, _ in right}) < len(waiting):
        Conflict.objects.filter(pk__in=[conflict.pk for conflict in waiting]).update(
            resolved_at=Now(), resolved_by=actor
        )
        return False
    for conflict, side in right:
        _settle(conflict, side, by=actor, actor=actor)
    return bool(waiting)


_MISSING: Final = object()


def _at(output: Any, path: str) -> Any:
    for part in path.split("."):
        if not isinstance(output, dict) or part not in output:
            return _MISSING
        output = output[part]
    return output


def _set(agreed: dict[str, Any], path: str, value: Json) -> None:
    *parents, name = path.split(".")
    for part in parents:
        agreed = agreed.setdefault(part, {})
    agreed[name] = value


def _canonical(value: Json) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _short(value: Json) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
