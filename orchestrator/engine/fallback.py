"""A task given to the agent that its step names for when the first one cannot."""

from collections.abc import Mapping
from typing import Any

from agents.models import Agent
from orchestrator import db, events
from orchestrator.catalogue import lane_of
from orchestrator.definitions.agents import name_and_version
from orchestrator.definitions.plan import PlanStep
from orchestrator.engine.lanes import pool_of
from orchestrator.engine.policy import name_of
from orchestrator.engine.transitions import make_ready
from orchestrator.models import Task
from orchestrator.states import TaskStatus


def fall_back(task: Task, step: PlanStep, error: Mapping[str, Any]) -> None:
    """Hand a task to its fallback agent, with failures counted anew; it is ready at once.

    The task is running (its agent failed for good) or ready (its agent is out of service).
    """
    name, version = name_and_version(step.fallback)
    agent = Agent.objects.get(name=name)
    spec = dict(task.spec or {})
    spec["step"] = {**spec.get("step", {}), "agent": name, "agent_version": version, "fallback": ""}
    spec["fell_back"] = {"from": step.agent, "code": name_of(error)}
    columns: dict[str, Any] = {
        "spec": spec,
        "agent_id": agent.pk,
        "lane": lane_of(name, version, pool_of(task.lane)),
        "limited": agent.max_concurrency is not None or agent.rate_per_minute is not None,
        "failures": 0,
    }
    if task.status == TaskStatus.READY:
        Task.objects.filter(pk=task.pk).update(**columns)
        db.wake_idle()
    else:
        make_ready(task, **columns)
    events.append(
        "task.fell_back",
        actor="engine",
        run_id=task.run_id,
        task_id=task.pk,
        data={"attempt": task.attempt, "from": step.agent, "to": name, "code": name_of(error)},
    )
