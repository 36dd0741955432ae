"""Planners: a goal into a graph of tasks. One follows rules, one asks a language model; both keep one contract."""

import os
import re
from typing import Any

from pydantic import Field

from agents.context import AgentContext
from agents.library.incident_contracts import Strict
from agents.library.teamwork import Capable
from agents.library.text import content_words
from agents.registry import Registry, agent
from agents.registry import default as known_agents

VARIABLE = "WATCHKEEPER_LLM"
_NEXT = re.compile(r"[,;.]?\s+(?:and\s+)?then\s+", re.IGNORECASE)


class PlanRequest(Strict):
    """What the pattern planner gives to a planner. `flaws` are those of its last plan, `said` is what people want."""

    goal: str
    agents: list[Capable]
    most: int = 50
    flaws: list[str] = []
    said: str = ""
    context: dict[str, Any] = {}


class PlannedTask(Strict):
    """One task; it starts when those in `after` and `uses` have ended, and is given the outputs of `uses`."""

    key: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)
    title: str = Field(default="", max_length=200)
    agent: str
    input: dict[str, Any] = {}
    after: list[str] = []
    uses: list[str] = []


class TaskPlan(Strict):
    """A graph of tasks."""

    tasks: list[PlannedTask] = Field(min_length=1, max_length=50)


@agent(
    "rule-planner",
    title="Rule-based planner",
    input=PlanRequest,
    output=TaskPlan,
    capabilities=["work.plan"],
    tags=["planning"],
    timeout=20,
)
def plan_by_rules(given: PlanRequest, ctx: AgentContext) -> TaskPlan:
    """One task for each agent whose description shares words with a part of the goal; "then" begins the next part."""
    text = str(given.context.get("text", given.goal))
    parts = [set(content_words(part)) for part in _NEXT.split(f"{given.goal} {given.said}".strip())]
    tasks: list[PlannedTask] = []
    before: list[str] = []
    for words in parts:
        new = [_task(one, text, before) for one in given.agents if words & set(content_words(one.does))]
        new = [task for task in new if task.key not in {known.key for known in tasks}]
        tasks += new
        before = [task.key for task in new] or before
    chosen = tasks or [_task(one, text, []) for one in given.agents]
    return TaskPlan(tasks=chosen[: given.most])


def _task(one: Capable, text: str, before: list[str]) -> PlannedTask:
    key = re.sub(r"[^a-z0-9_]", "_", one.agent.partition("@")[0])
    return PlannedTask(key=key, title=one.does[:200], agent=one.agent, input={"text": text}, after=[*before])


def register_llm_planner(registry: Registry = known_agents, *, variable: str = VARIABLE) -> None:
    """Register the planner that asks a model; importing what it needs costs a second, so only where one is named."""
    from agents.llm import llm_agent  # noqa: PLC0415 - see above

    llm_agent(
        "llm-planner",
        registry=registry,
        title="Planner in a model's words",
        model=f"openai-compatible:@{variable}",
        instructions=(
            "You turn a goal into a plan: tasks with a key, an agent from the list, an input, and the keys of the "
            "tasks that each comes after. No task may wait for itself. Answer in JSON."
        ),
        prompt=(
            "Goal: {goal}\nAgents: {agents}\nMaterial: {context}\nAt most {most} tasks.\n"
            "People want: {said}\nWrong with your last plan: {flaws}"
        ),
        input=PlanRequest,
        output=TaskPlan,
        capabilities=["work.plan"],
        tags=["planning"],
        timeout=90,
        max_concurrency=2,
        settings={"temperature": 0.1, "max_tokens": 800},
    )


if os.environ.get(VARIABLE):
    register_llm_planner()
