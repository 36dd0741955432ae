"""What an agent may decide: a step of a category is done only by an agent with the authority for it.

Publishing refuses a definition that says otherwise; this is for agents that a person, a fallback or a later version has
put in the first one's place. The refusal is an event, and a person is asked.
"""

from django.db import transaction

from agents.models import Agent, AgentVersion
from agents.specs import AgentSpec
from agents.types import Json
from orchestrator import budgets, events
from orchestrator.catalogue import default as catalogue
from orchestrator.engine import gates, transitions
from orchestrator.engine.assignment import Assignment
from orchestrator.engine.attempts import end_attempt
from orchestrator.engine.gates import Subject
from orchestrator.states import AttemptStatus


def may_do(found: AgentSpec | AgentVersion, category: str) -> bool:
    """Whether an agent has the authority for a category of tasks; one that states none has it for what it can do.

    What people have set counts before what its registration states.
    """
    name = found.name if isinstance(found, AgentSpec) else found.agent.name
    by_people = Agent.objects.filter(name=name).values_list("authority", flat=True).first()
    stated = found.config.get("authority") if by_people is None else by_people
    return category in (stated if isinstance(stated, list) else found.capabilities)


def permits(job: Assignment, shift: int) -> bool:
    """Whether the step's agent may do it; if not, its task waits for a person."""
    found = catalogue.find(job.step.agent, job.step.agent_version)
    if found is None or may_do(found, job.step.category):  # an unknown agent is the call's to report
        return True
    _refuse(job, shift)
    return False


@transaction.atomic
def _refuse(job: Assignment, shift: int) -> None:
    run = transitions.lock_run(job.claimed.run_id)
    task = transitions.fenced(transitions.Fence(job.claimed.id, job.claimed.attempt, shift))
    if task is None:
        return
    agent, category = job.step.agent, job.step.category
    message = f"{agent} has no authority for {category}; name another agent, or give it the authority."
    error: dict[str, Json] = {"kind": "permanent", "code": "authority", "message": message}
    end_attempt(task, AttemptStatus.SUSPENDED, error=error, used=budgets.NOTHING)
    data: dict[str, Json] = {"rule": "authority", "agent": agent, "category": category, "attempt": task.attempt}
    events.append("policy.refused", actor="engine", run_id=run.pk, task_id=task.pk, data=data)
    subject = Subject(task_id=task.pk, run_id=run.pk, workflow_id=run.workflow_id, requested_by=run.started_by_id)
    rule = f"{agent} has no authority for {category}: stop and ask"
    transitions.open_gate(task, gates.for_trouble(job.step, subject, kind="exception", rule=rule, error=error))
