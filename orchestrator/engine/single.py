"""One agent in place of several: a run of a workflow in that mode, and what coordinating steps start in it.

A step's own agent is written into its task when the run begins. What a coordinating step starts is known only when it
starts it: its task's spec names the agent (`SPEC`), and each call that it starts goes to that agent if it keeps the
contract. Verifiers keep their own: one who verifies must not be the one who produced.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from agents.models import Agent
from agents.types import Json
from orchestrator import db, events, fitting
from orchestrator.catalogue import default as catalogue
from orchestrator.catalogue import lane_of
from orchestrator.definitions.agents import name_and_version
from orchestrator.definitions.plan import Plan, PlanStep
from orchestrator.engine.lanes import pool_of
from orchestrator.engine.plans import plan_of
from orchestrator.models import Task, Workflow, task_id
from orchestrator.patterns import registry

SPEC: Final = "single_agent"  # in a coordinating task's spec: who does what it starts
STARTING: Final = frozenset({"map", "loop", "pattern"})  # kinds of steps whose calls can go to one agent


@dataclass(frozen=True, slots=True)
class Division:
    """The steps that one agent takes over, whole or in part, and the first reason for each that it cannot."""

    taken: tuple[PlanStep, ...]
    left: tuple[tuple[str, str], ...]


def division(plan: Plan, agent: str) -> Division:
    """Which steps of a plan `agent` would do, and the calls inside coordinating ones that it would not."""
    if catalogue.find(agent) is None:
        return Division((), ())
    taken: list[PlanStep] = []
    left: list[tuple[str, str]] = []
    for step in plan.steps:
        calls = list(calls_of(step))
        whys = [(call, why_not(call, agent)) for call in calls if call.agent != agent]
        if any(not why for _, why in whys):
            taken.append(step)
        left += [(_named(step, call), why) for call, why in whys if why]
    return Division(tuple(taken), tuple(left))


def calls_of(step: PlanStep) -> Iterator[PlanStep]:
    """The calls of agents that a step makes: its own, its body's, or those that its pattern's options name."""
    if step.kind == "automated":
        yield step
    elif step.kind in ("map", "loop") and step.body is not None:
        yield from calls_of(step.body)
    elif step.kind == "pattern" and (pattern := registry.find(step.pattern)) is not None:
        for named in dict.fromkeys(pattern.agents(step.options)):
            name, version = name_and_version(named)
            yield replace(step, kind="automated", agent=name, agent_version=version)


def why_not(step: PlanStep, agent: str, given: Mapping[str, Any] | None = None) -> str:
    """The first reason why the agent cannot do an agent's step; empty if it can. `given`: its input, if it is known."""
    # The definition vouches for a step's own fallback, as it does when people choose "One agent..." on a run.
    if step.fallback.partition("@")[0] == agent:
        return ""
    new = catalogue.find(agent)
    reasons = fitting.misfits(given, fitting.contract_of(step), new) if new else [f"{agent} has no version"]
    return reasons[0] if reasons else ""


def given_over(step: PlanStep, agent: str, given: Mapping[str, Any] | None) -> PlanStep:
    """A step that is about to be started, done by the agent if it is a call that it can do; else as it is."""
    if not agent or step.kind != "automated" or step.agent == agent or why_not(step, agent, given):
        return step
    return replace(step, agent=agent, agent_version=None, fallback="", select=None)


def take_over(run_id: int, workflow: int, version: int) -> None:
    """If the workflow is in single-agent mode, give the run's steps to its agent. In the transaction that began it."""
    name = Workflow.objects.values_list("single_agent__name", flat=True).get(pk=workflow)
    if not name:  # nearly always
        return
    agent = Agent.objects.get(name=name)
    taken = division(plan_of(version), agent.name).taken
    starting = [step for step in taken if step.kind in STARTING]
    _give(run_id, [step for step in taken if step.kind not in STARTING], agent)
    Task.objects.filter(pk__in=_ids(run_id, starting)).update(spec={SPEC: agent.name})
    keys: list[Json] = [step.key for step in taken]
    events.append("run.single_agent", actor="engine", run_id=run_id, data={"agent": agent.name, "steps": keys})


def _give(run_id: int, steps: Sequence[PlanStep], agent: Agent) -> None:
    """None of the run's tasks can have been claimed, for nobody else sees them yet."""
    db.share_limits()
    limited = agent.max_concurrency is not None or agent.rate_per_minute is not None
    for pool in {pool_of(step.lane) for step in steps}:
        Task.objects.filter(pk__in=_ids(run_id, [step for step in steps if pool_of(step.lane) == pool])).update(
            agent=agent,
            lane=lane_of(agent.name, None, pool),
            limited=limited,
            spec={"step": {"agent": agent.name, "agent_version": None, "fallback": ""}},
        )


def _ids(run_id: int, steps: Sequence[PlanStep]) -> list[int]:
    return [task_id(run_id, step.index) for step in steps]


def _named(step: PlanStep, call: PlanStep) -> str:
    return step.key if call is step else f"{step.key} ({call.agent})"
