"""What a gate asks: builds the request a reviewer will see from a step, its context and what an agent said."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from agents.types import Json
from orchestrator.definitions import clauses, expressions
from orchestrator.definitions.plan import GateSpec, PlanStep
from orchestrator.engine import assuring
from orchestrator.engine.assuring import Judgement
from orchestrator.engine.policy import without_details
from orchestrator.models import Run, Task
from orchestrator.ports import GateRequest

_RISKS = ("low", "medium", "high", "critical")
OPERATIONS_QUEUE = "operations"
VOIDED = "voided"  # in a task's spec: the last gate that was opened by the rule of a version that it has left
DRAWN = "sampled"  # in a step's context: its output was drawn, no rule asked for people
_ASK_DEADLINE = 7 * 86400.0
_DEADLINE_DEADLINE = 86400.0  # what is late already waits for people no longer than a day before others are asked


@dataclass(frozen=True, slots=True)
class Subject:
    """What a gate is about: the waiting task and what its agent, or the step before it, produced."""

    task_id: int
    run_id: int
    workflow_id: int
    requested_by: int | None  # user id of who started the run
    proposal: dict[str, Json] = field(default_factory=dict)
    given: dict[str, Json] = field(default_factory=dict)
    confidence: float | None = None
    version: int | None = None
    revision: int = 0
    undoing: bool = False  # it undoes another task's work
    action: dict[str, Json] | None = None  # what the agent itself asks to do; else the definition's action


def for_output(
    spec: GateSpec, step: PlanStep, subject: Subject, *, kind: str, context: Mapping[str, Any]
) -> GateRequest:
    """The gate of a step as its definition describes it; ExpressionError when a text or risk cannot be worked out."""
    drawn = DRAWN in context
    sent_back_enough = subject.revision >= spec.revisions
    action = subject.action if subject.action is not None else _object(expressions.resolve(spec.action, context))
    return GateRequest(
        **_of(subject, step),
        kind=kind,
        title=expressions.render_text(spec.title, context) if spec.title else step.title,
        queue=spec.queue,
        rule=f"sample of {spec.sample:.3%}, where this does not hold: {spec.when}" if drawn else spec.when or "true",
        matched=clauses.matched(spec.when, context) if spec.when and kind == "approval" and not drawn else (),
        risk=risk_of(spec.risk, context),
        proposal=subject.proposal,
        action=action,
        allowed=tuple(verdict for verdict in spec.allowed if not (sent_back_enough and verdict == "request_changes")),
        deadline_s=spec.deadline_s,
        on_timeout=spec.on_timeout,
        escalate_to=spec.escalate_to,
        form=dict(step.form),
        evidence=_objects(spec.evidence, context),
        alternatives=_objects(spec.alternatives, context),
        consequence=expressions.render_text(spec.consequence, context),
        terms=spec.terms,
    )


def for_tool(step: PlanStep, subject: Subject, call: Mapping[str, Any]) -> GateRequest:
    """The gate of one call of a tool. Nothing in it is read as an expression: all of it comes from the agent."""
    shown = {name: call[name] for name in ("arguments", "scopes", "dry_run") if call.get(name) not in (None, [])}
    action: dict[str, Json] = {"tool": f"{call['tool']} v{call['version']}", **shown}
    action |= {"policy": call["policy"], "entitlement": call["entitlement"], "seal": call["seal"]}
    return GateRequest(
        **_of(subject, step),
        kind="tool",
        title=f"{step.title}: {call['title']}",
        queue=call["queue"],
        rule=f"{call['policy']}: people approve calls of {call['tool']} ({call['risk']} risk) first",
        risk=call["risk"],
        proposal=call["arguments"],
        form=call.get("schema") or {},
        action=action,
        allowed=("approve", "edit", "request_changes", "reject", "terminate"),
        deadline_s=_ASK_DEADLINE,
        on_timeout="escalate",
        consequence="The agent goes on, and this call goes through once, with exactly these arguments, or yours.",
    )


def for_trouble(
    step: PlanStep, subject: Subject, *, kind: str, rule: str, error: dict[str, Json], queue: str = ""
) -> GateRequest:
    """The gate of a step that went wrong: try again, go on without it, or give up."""
    if subject.undoing:
        allowed: tuple[str, ...] = ("retry", "skip")
        consequence = (
            "Retry tries to undo it again; skip says that it was dealt with by hand. The rest goes on meanwhile."
        )
    else:
        allowed = ("retry", "skip", "reject", "terminate")
        consequence = f"Retry runs step {step.key} again; skip goes on without it; reject fails the run."
    return GateRequest(
        **_of(subject, step),
        kind=kind,
        title=f"{step.title}: {error.get('message', error.get('code', 'failed'))}"[:300],
        queue=queue or OPERATIONS_QUEUE,
        rule=rule,
        risk="high",
        proposal={"error": error},
        action={"retry": step.key},
        allowed=allowed,
        deadline_s=_ASK_DEADLINE,
        on_timeout="escalate",
        consequence=consequence,
    )


def for_budget(step: PlanStep, subject: Subject, *, rule: str, error: dict[str, Json], whose: str) -> GateRequest:
    """The gate of a used-up budget: more of it, or an end."""
    return GateRequest(
        **_of(subject, step),
        kind="exception",
        title=str(error["message"])[:300],
        queue=OPERATIONS_QUEUE,
        rule=rule,
        risk="high",
        proposal={"error": error},
        action={"retry": step.key},
        allowed=("retry", "skip", "reject", "terminate"),
        deadline_s=_ASK_DEADLINE,
        on_timeout="escalate",
        consequence=(
            "Everything that needs this budget waits. Raise its limit, or move unused budget to it, here or on the "
            f"{whose}'s page, and all of it goes on. Retry asks again for step {step.key}, skip goes on "
            "without it, reject fails the run, terminate ends it."
        ),
    )


def for_review(step: PlanStep, run: Run, task: Task, *, error: dict[str, Json], queue: str, rule: str) -> GateRequest:
    """The gate of a failed step that people are to make good: by its output, another try, or going on without it."""
    subject = Subject(task.pk, run.pk, run.workflow_id, run.started_by_id, given=task.input or {})
    request = for_trouble(step, subject, kind="exception", rule=rule, error=without_details(error), queue=queue)
    consequence = f"Edit gives the output of {step.key}; retry runs it again; skip goes on without it."
    return replace(request, allowed=("retry", "edit", "skip"), consequence=consequence)


def for_deadline(run: Run, *, queue: str) -> GateRequest:
    """The gate of a run that is alive at its deadline: another deadline, on without one, or the end."""
    facts: dict[str, Json] = {
        "run": run.title,
        "deadline": run.deadline_at.isoformat() if run.deadline_at else "",
        "started": run.started_at.isoformat(),
        "steps": run.total,
        "steps_left": run.remaining,
    }
    by: dict[str, Json] = {
        "type": "string", "title": "Another deadline", "pattern": r"^[0-9]+(\.[0-9]+)? ?(s|m|h|d)$", "maxLength": 20,
        "description": "From now, such as 90m, 4h or 2d; only for another deadline.",
    }  # fmt: skip
    return GateRequest(
        task_id=None,
        run_id=run.pk,
        workflow_id=run.workflow_id,
        kind="deadline",
        title=f"Past its deadline: {run.title}"[:300],
        queue=queue or OPERATIONS_QUEUE,
        rule="the run is alive at its deadline",
        risk="high",
        proposal={},
        input=facts,
        action={},
        allowed=("extend", "go_on", "terminate"),
        deadline_s=_DEADLINE_DEADLINE,
        on_timeout="escalate",
        form={"type": "object", "properties": {"by": by}, "required": ["by"]},
        requested_by=run.started_by_id,
        consequence="The run goes on meanwhile, before all others. Give it another deadline, let it go on without one, "
        "or end it.",
    )


def _of(subject: Subject, step: PlanStep) -> dict[str, Any]:
    return {
        "task_id": subject.task_id,
        "run_id": subject.run_id,
        "workflow_id": subject.workflow_id,
        "requested_by": subject.requested_by,
        "input": subject.given,
        "confidence": subject.confidence,
        "agent": step.agent,
        "agent_version": subject.version,
        "revision": subject.revision,
    }


def agents_own(step: PlanStep) -> GateSpec:
    """The gate of an agent that asks by itself in a step whose definition has none."""
    return GateSpec(
        when="true", queue=OPERATIONS_QUEUE, title=f"{step.title}: the agent asks before it goes on", risk="high"
    )


def of_quality(step: PlanStep) -> GateSpec:
    """The gate of an output that fails its checks in a step whose definition has no gate."""
    asked = step.quality
    queue = asked.queue if asked and asked.queue else OPERATIONS_QUEUE
    return GateSpec(when="true", queue=queue, title=f"{_literal(step.title)}: held by its checks", risk="high")


def held(request: GateRequest, step: PlanStep, judgement: Judgement) -> GateRequest:
    """A question about an output that fails its checks: why, claim by claim, with the sides of a vote.

    With zero tolerance it is critical, so that whoever lets it pass has to say why.
    """
    asked = step.quality
    strict = asked is not None and asked.zero_tolerance
    risk = "critical" if strict or request.risk == "critical" else "high"
    reasons = "; ".join(judgement.report.reasons)
    return replace(
        request,
        rule=f"quality{', zero tolerance' if strict else ''}: {reasons}"[:2000],
        risk=risk,
        evidence=(*assuring.evidence(judgement.report), *request.evidence)[:100],
        alternatives=(*assuring.alternatives(judgement.sides), *request.alternatives),
        agent=judgement.producer.agent,
        agent_version=judgement.producer.version,
        consequence=request.consequence or f"What comes after {step.key} goes on with this output as it stands.",
    )


def _literal(text: str) -> str:
    return text.replace("${", "$${")


def risk_of(text: str, context: Mapping[str, Any]) -> str:
    """A level; what is not one is treated as the highest."""
    value = str(expressions.resolve(text, context)).lower()
    return value if value in _RISKS else "critical"


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {"value": value}


def _objects(expression: str, context: Mapping[str, Any]) -> tuple[dict[str, Json], ...]:
    if not expression:
        return ()
    value = expressions.evaluate(expression, context)
    return tuple(item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()
