"""Builders for tests about people: users with rights, runs that wait, and gates as the engine opens them."""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from agents.models import Agent, AgentVersion
from approvals import access
from approvals.models import Gate, Queue
from orchestrator import events, services
from orchestrator.definitions.plan import GateSpec, Plan, PlanStep
from orchestrator.definitions.serialise import plan_to_json
from orchestrator.engine import transitions
from orchestrator.engine.transitions import Fence
from orchestrator.models import Run, Step, Task, Workflow, WorkflowVersion, task_id
from orchestrator.ports import GateRequest, gatekeeper
from orchestrator.states import TaskStatus

CONTRACT = {
    "type": "object",
    "properties": {"summary": {"type": "string"}, "amount": {"type": "number", "maximum": 1000}},
    "required": ["summary"],
    "additionalProperties": False,
}
FORM = {"type": "object", "properties": {"finding": {"type": "string", "minLength": 3}}, "required": ["finding"]}
PROPOSAL = {"summary": "Isolate host fin-db-02", "amount": 12.5}
GIVEN = {"host": "fin-db-02"}
ALL = ("approve", "edit", "request_changes", "reject", "terminate")


def person(name: str, *roles: str, decides: Queue | None = None, sees: Queue | None = None, **columns: Any) -> User:
    """A user with roles and, on one queue each, the right to decide or to see."""
    user = User.objects.create(username=name, first_name=name.title(), **columns)
    for role in roles:
        access.set_role(user_id=user.pk, role=role, by=None)
    if decides:
        access.grant(to=user, permission="decide_gates", on=decides, by=None)
    if sees:
        access.grant(to=user, permission="see_gates", on=sees, by=None)
    return User.objects.get(pk=user.pk)


def queue(name: str = "oncall", *, escalates_to: Queue | None = None) -> Queue:
    """A queue that is made once."""
    return access.ensure_queue(name=name, title=name.title(), escalates_to=escalates_to)


def workflow(name: str = "incident") -> Workflow:
    """A published workflow: an agent's assessment under a gate, its approval, a manual note."""
    found = Workflow.objects.filter(name=name).first()
    if found is not None:
        return found
    agent, _ = Agent.objects.get_or_create(name="assessor", defaults={"title": "Assessor"})
    AgentVersion.objects.get_or_create(
        agent=agent, number=1, defaults={"kind": "python", "isolation": "loop", "output_schema": CONTRACT}
    )
    made = Workflow.objects.create(name=name, title=name.title())
    plan = Plan(name=name, steps=_steps())
    version = WorkflowVersion.objects.create(
        workflow=made, number=1, source="", definition={}, plan=plan_to_json(plan), digest=name
    )
    for step in plan.steps:
        Step.objects.create(
            version=version, index=step.index, key=step.key, kind=step.kind, agent=agent if step.agent else None,
            dependencies=len(step.dependencies), successors=list(step.successors),
        )  # fmt: skip
    made.current_version = version
    made.save(update_fields=["current_version"])
    return made


def run(*, by: User | None = None, of: Workflow | None = None) -> Run:
    """A started run."""
    return services.start_run(workflow=(of or workflow()).name, input=GIVEN, by=by)


def gate(*, started_by: User | None = None, of: Run | None = None, step: int = 0, **facts: Any) -> Gate:
    """An open gate on a waiting task, opened by the engine's own transition. `facts` replace the request's."""
    of = of or run(by=started_by)
    pk = task_id(of.pk, step)
    facts.setdefault("queue", queue().name)
    with transaction.atomic():
        services.lock_run(of.pk)
        task = Task.objects.get(pk=pk)
        attempt = task.attempt + 1
        Task.objects.filter(pk=pk).update(status=TaskStatus.RUNNING, attempt=attempt, shift=1, pending=0)
        events.append("task.started", actor="shift:1", run_id=of.pk, task_id=pk, data={"attempt": attempt})
        assert transitions.wait_for_people(Fence(pk, attempt, 1), request(of, pk, **facts))
    return Gate.objects.get(task_id=pk, status="open")


def request(of: Run, pk: int, **facts: Any) -> GateRequest:
    """What the engine asks; `facts` replace the usual ones."""
    usual: dict[str, Any] = {
        "task_id": pk, "run_id": of.pk, "workflow_id": of.workflow_id, "kind": "approval", "title": "Isolate host",
        "queue": "oncall", "rule": 'risk == "critical"', "risk": "medium", "proposal": PROPOSAL, "input": GIVEN,
        "action": {"isolate": "fin-db-02"}, "allowed": ALL, "deadline_s": 600.0, "on_timeout": "escalate",
        "confidence": 0.61, "agent": "assessor", "agent_version": 1, "requested_by": of.started_by_id,
        "consequence": "The host loses its network.",
    }  # fmt: skip
    return GateRequest(**{**usual, **facts})


def deadline(found: Gate) -> None:
    """Let the gate's deadline pass, and tell the gatekeeper as the timer would."""
    Gate.objects.filter(pk=found.pk).update(deadline_at=found.opened_at)
    gatekeeper().deadline_reached(found.pk)


def _steps() -> tuple[PlanStep, ...]:
    ask = GateSpec(when="true", queue="oncall", title="Isolate host")
    return (
        PlanStep(0, "assess", "Assess", "automated", successors=(1,), agent="assessor", gate=ask),
        PlanStep(1, "approve", "Approve", "approval", dependencies=(0,), successors=(2,), subject=0, gate=ask),
        PlanStep(2, "note", "Note", "manual", dependencies=(1,), form=FORM, gate=ask),
    )
