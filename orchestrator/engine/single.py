"""A workflow in single-agent mode: a run that begins gives one agent every step whose contract it keeps."""

from collections.abc import Sequence
from dataclasses import dataclass

from agents.models import Agent
from orchestrator import db, events, fitting
from orchestrator.catalogue import default as catalogue
from orchestrator.catalogue import lane_of
from orchestrator.definitions.plan import Plan, PlanStep
from orchestrator.engine.lanes import DEFAULT
from orchestrator.engine.plans import plan_of
from orchestrator.models import Task, Workflow, task_id


@dataclass(frozen=True, slots=True)
class Division:
    """The steps that one agent takes over, and the first reason for each that it cannot."""

    taken: tuple[PlanStep, ...]
    left: tuple[tuple[str, str], ...]


def division(plan: Plan, agent: str) -> Division:
    """Which automated steps of a plan `agent` would do; other kinds of steps keep the agents inside them."""
    new = catalogue.find(agent)
    if new is None:
        return Division((), ())
    taken: list[PlanStep] = []
    left: list[tuple[str, str]] = []
    for step in plan.steps:
        if step.kind != "automated" or step.agent == agent:
            continue
        # The definition vouches for a step's own fallback, as it does when people choose "One agent..." on a run.
        if step.fallback.partition("@")[0] == agent:
            taken.append(step)
        elif why := fitting.misfits(None, fitting.contract_of(step), new):
            left.append((step.key, why[0]))
        else:
            taken.append(step)
    return Division(tuple(taken), tuple(left))


def take_over(run_id: int, workflow: int, version: int) -> None:
    """If the workflow is in single-agent mode, give the run's steps to its agent. In the transaction that began it."""
    row = Workflow.objects.filter(pk=workflow).exclude(single_agent=None).select_related("single_agent").first()
    if row is None or row.single_agent is None:
        return
    agent = row.single_agent
    taken = division(plan_of(version), agent.name).taken
    _give(run_id, taken, agent)
    keys = [step.key for step in taken]
    events.append("run.single_agent", actor="engine", run_id=run_id, data={"agent": agent.name, "steps": [*keys]})


def _give(run_id: int, steps: Sequence[PlanStep], agent: Agent) -> None:
    """One statement: none of the run's tasks can have been claimed, for nobody else sees them yet."""
    db.share_limits()
    limited = agent.max_concurrency is not None or agent.rate_per_minute is not None
    Task.objects.filter(pk__in=[task_id(run_id, step.index) for step in steps]).update(
        agent=agent,
        lane=lane_of(agent.name, None, DEFAULT),
        limited=limited,
        spec={"step": {"agent": agent.name, "agent_version": None, "fallback": ""}},
    )
