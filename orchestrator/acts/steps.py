"""What a step's acts need to know of it: its decisions and effects, its input, who could do it, what follows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _

from agents.models import Agent
from agents.types import Json
from orchestrator import catalogue, db
from orchestrator.acts import contracts, following
from orchestrator.acts.core import Performing, counted
from orchestrator.definitions import expressions
from orchestrator.definitions.agents import name_and_version
from orchestrator.definitions.plan import COORDINATING, PlanStep
from orchestrator.engine import asking, delivery
from orchestrator.engine.asking import asks_people
from orchestrator.engine.lanes import pool_of
from orchestrator.engine.plans import INDEX, step_in_trouble
from orchestrator.models import Effect, Task, task_id
from orchestrator.ports import gatekeeper
from orchestrator.states import TASK_TERMINAL, TaskStatus

SHOWN: Final = 5  # names in a line


@dataclass(frozen=True, slots=True)
class Facts:
    """What a preview says of one step."""

    step: PlanStep
    gates: tuple[int, ...]  # open now
    effects: int  # confirmed: never repeated

    def bound(self, task: Task) -> dict[str, Json]:
        """What a person agrees to: this try of this step, with these decisions open."""
        return {
            "status": task.status, "attempt": task.attempt, "revision": task.revision, "wait": task.wait_for,
            "spec": task.spec, "gates": [*self.gates],
        }  # fmt: skip


def facts_of(task: Task) -> Facts:
    """Read now."""
    gates = gatekeeper().gates_of([task.run_id], only_open=True) if task.status == TaskStatus.WAITING else []
    return Facts(
        step_in_trouble(task),
        tuple(sorted(gate.id for gate in gates if gate.task_id == task.pk)),
        Effect.objects.filter(task_id=task.pk, status="confirmed").count(),
    )


def kept_effects(facts: Facts) -> tuple[str, ...]:
    """A warning about side effects that have happened."""
    return counted(
        facts.effects,
        "%(count)s side effect of it has happened already; it is not repeated and not undone.",
        "%(count)s side effects of it have happened already; they are not repeated and not undone.",
    )


def redirection(task: Task, agent: str) -> dict[str, Any]:
    """The columns of a task that this agent is to do. Limits are read after those who change them have committed."""
    db.share_limits()
    row = Agent.objects.get(name=agent)
    spec = dict(task.spec or {})
    spec["step"] = {**spec.get("step", {}), "agent": agent, "agent_version": None}
    lane = catalogue.lane_of(agent, None, pool_of(task.lane))
    limited = row.max_concurrency is not None or row.rate_per_minute is not None
    return {"agent_id": row.pk, "lane": lane, "limited": limited, "spec": spec, "state": None}


def candidates(task: Task) -> list[str]:
    """Agents that could do this step, by name, without the one that does."""
    step, given = step_in_trouble(task), given_to(task)
    old = contracts.contract_of(step)
    written_down = set(Agent.objects.values_list("name", flat=True))  # a release still starting knows more of them
    found = []
    for name in catalogue.default.names():
        new = catalogue.default.find(name) if name in written_down and name != step.agent else None
        if new is not None and not contracts.misfits(given, old, new):
            found.append(name)
    return found


def given_to(task: Task) -> dict[str, Json] | None:
    """What the step's agent was given, or would be now; None while a step before it has yet to deliver."""
    if task.spec and isinstance(task.spec.get("given"), dict):
        given: dict[str, Json] = task.spec["given"]
        return given
    if isinstance(task.input, dict):
        return task.input
    step = step_in_trouble(task)
    wanted = [task_id(task.run_id, index) for index in step.needs]
    before = Task.objects.filter(pk__in=wanted, status=TaskStatus.SUCCEEDED)
    outputs = {other.key: delivery.unpack(other.output) for other in before}
    context = {"input": task.run.input, "steps": outputs, **((task.spec or {}).get("bind") or {})}
    try:
        resolved = expressions.resolve(step.inputs, context)
    except expressions.ExpressionError:
        return None
    return resolved if isinstance(resolved, dict) else None


def why_people(task: Task) -> str:
    """Why nobody may end a step that people are asked about; empty for any other."""
    if not asks_people(task):
        return ""
    return _("People are asked about this step: decide there, or cancel the run. Nobody decides for them here.")


def why_passed_by(keys: Sequence[str]) -> str:
    """Why a step may not end when people would then not be asked about these, and the run would go on."""
    named = ", ".join(keys[:SHOWN]) + (" …" if len(keys) > SHOWN else "")
    return _("Without it nobody would be asked about %(keys)s, and the run would go on. Cancel the run.") % {
        "keys": named
    }


def why_decided(task: Task) -> str:
    """Why nobody gives it another input or an output; empty if people decide about nothing that leads to it."""
    keys = asking.decided_before(task)
    if not keys:
        return ""
    return _("People decide about %(keys)s: what follows is done as they see it. Roll the run back, or fork it.") % {
        "keys": ", ".join(keys[:SHOWN])
    }


def why_redirected(task: Task, agent: str) -> str:
    """Why this agent may not do it instead: people agreed to another. The definition vouches for a step's fallback."""
    named = step_in_trouble(task).fallback
    return "" if named and agent in ("", name_and_version(named)[0]) else why_decided(task)


def refuse_own_after_decision(act: Performing, *, verb: str) -> None:
    """What goes on after people have decided is not told how by whoever asked them. Raises OwnRequest."""
    if keys := asking.decided_before(act.target.task):
        act.refuse_own(verb=verb, why=_("people decide about %(keys)s before it") % {"keys": ", ".join(keys[:SHOWN])})


def why_no_agent(task: Task) -> str:
    """Why it has no input to edit and no agent to change; empty if it has."""
    return "" if task.kind == "automated" else _("No agent does this step.")


@dataclass(frozen=True, slots=True)
class Ahead:
    """What follows an end, in words, and the keys of the steps that are skipped."""

    lines: tuple[str, ...]
    skipped: tuple[str, ...]
    passed_by: tuple[str, ...] = ()  # of these, steps that ask people, and what waits for them goes on


def consequences(ended: Sequence[Task], *, feeds: bool, titles: bool = True) -> Ahead:
    """What follows when these steps of one run end."""
    if not titles:
        return Ahead((), ())
    run_id = ended[0].run_id
    columns = ("id", "key", "status", "pending", "fed", "need", "successors")
    rows = list(Task.objects.of_run(run_id).order_by("id").values_list(*columns))
    keys = {row[0] & INDEX: row[1] for row in rows}
    nodes = {row[0] & INDEX: following.Node(row[2], row[3], row[4], row[5], tuple(row[6])) for row in rows}
    found = following.follow(nodes, [(task.pk & INDEX, feeds) for task in ended])
    skipped = tuple(keys[index] for index in found.skipped)
    lines = counted(
        len(found.ready), "%(count)s step after it becomes ready.", "%(count)s steps after it become ready."
    ) + counted(
        len(skipped),
        "%(count)s step that only it leads to is skipped",
        "%(count)s steps that only it leads to are skipped",
    )
    if skipped:
        named = ", ".join(skipped[:SHOWN]) + (" …" if len(skipped) > SHOWN else "")
        lines = (*lines[:-1], f"{lines[-1]}: {named}.")
    return Ahead(lines, skipped, asking.passed_by(ended[0].run, found.skipped))


def children_of(task: Task) -> list[int]:
    """The live tasks that a coordinating step has started, by id."""
    if task.kind not in COORDINATING:
        return []
    own = Task.objects.of_run(task.run_id).filter(parent=task.pk).exclude(status__in=TASK_TERMINAL)
    return list(own.values_list("pk", flat=True))
