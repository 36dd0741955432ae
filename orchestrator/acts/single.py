"""The act that lets one agent do the rest of a run: the fallback when several together do not get on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from orchestrator import catalogue
from orchestrator.acts import contracts
from orchestrator.acts.core import Performing, Plan, Target, counted, register
from orchestrator.acts.refusals import ActImpossible
from orchestrator.acts.runs import RunAct
from orchestrator.acts.steps import SHOWN, given_to, redirection, why_decided
from orchestrator.engine import overriding, steering
from orchestrator.engine.plans import step_in_trouble
from orchestrator.models import Run, Task
from orchestrator.states import RunStatus, TaskStatus

MOST: Final = 2_000  # steps of a run that can be switched at once
_WAITING: Final = frozenset({"retry", "breaker", "budget"})


@dataclass(frozen=True, slots=True)
class Split:
    """Steps that the agent takes over, those that it cannot with the first reason each, and those that run now."""

    taken: tuple[Task, ...]
    left: tuple[tuple[str, str], ...]
    running: int


class SingleAgent(RunAct):
    """Redirect every agent's step that has yet to start."""

    name = "single-agent"
    rank = 44
    icon = "user-round"
    title = gettext_lazy("Let one agent do the rest")
    action = gettext_lazy("Let it do the rest")
    menu = gettext_lazy("One agent…")
    hint = gettext_lazy("Steps whose contract the agent does not keep stay with their own agents.")
    locks_tasks = True
    statuses = frozenset({RunStatus.RUNNING, RunStatus.PAUSED, RunStatus.FAILED})

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which agent."""
        field = {"type": "string", "enum": list(catalogue.default.names()), "title": _("Agent")}
        return {"properties": {"agent": field}, "required": ["agent"]}

    def answers(self, target: Target) -> Mapping[str, Json]:
        """The agent that does most of the run already."""
        agents = Task.objects.of_run(target.run.pk).exclude(agent=None).values_list("agent__name", flat=True)
        names = sorted(agents, key=lambda name: (-list(agents).count(name), name))
        return {"agent": names[0]} if names else {}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Exactly these steps."""
        agent = str(answers["agent"])
        found = _split(target.run, agent)
        if not found.taken:
            raise ActImpossible(why=_("There is no step that %(agent)s could take over.") % {"agent": agent})
        revived = target.run.status == RunStatus.FAILED
        again = _("The run lives again: what failed, and what was cancelled with it, is tried anew.")
        lines = (
            *((again,) if revived else ()),
            *counted(
                len(found.taken), "%(count)s step that has yet to start goes to the agent.",
                "%(count)s steps that have yet to start go to the agent.",
            ),
            *counted(
                found.running, "%(count)s step that runs now may finish as it is.",
                "%(count)s steps that run now may finish as they are.",
            ),
        )  # fmt: skip
        left = [_("%(key)s stays as it is: %(why)s.") % {"key": key, "why": why} for key, why in found.left[:SHOWN]]
        more = len(found.left) - len(left)
        rest = counted(more, "%(count)s more stays as it is.", "%(count)s more stay as they are.")
        bound: dict[str, Json] = {"steps": [task.key for task in found.taken], "status": target.run.status}
        return Plan(lines, bound, [task.pk for task in found.taken], (*left, *rest))

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Each step is redirected as a person would redirect it."""
        run, agent = act.target.run, str(act.answers["agent"])
        if run.status == RunStatus.FAILED:
            steering.retry(run)
            act.record("run.retried")
        for pk in act.plan.work:
            task = Task.objects.select_for_update(no_key=True).get(pk=pk)
            before = step_in_trouble(task).agent
            again = overriding.let_run(task, reason=act.reason, **redirection(task, agent))
            on_task = Performing(Target("task", task), act.answers, act.plan, act.by, act.reason)
            on_task.record("task.redirected", attempt=task.attempt, again=again, **{"from": before, "to": agent})
        return {"redirected": len(act.plan.work)}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Run #%(pk)d goes on with one agent.") % {"pk": target.ref}


def _split(run: Run, agent: str) -> Split:
    new = catalogue.default.find(agent)
    if new is None:
        raise ActImpossible(why=_("%(agent)s has no version.") % {"agent": agent})
    rows = Task.objects.of_run(run.pk).filter(kind="automated").order_by("pk").select_related("run")
    tasks = list(rows[: MOST + 1])
    if len(tasks) > MOST:
        raise ActImpossible(why=_("The run has more than %(most)d steps; redirect them one by one.") % {"most": MOST})
    taken, left = [], []
    decided: dict[int, str] = {}  # by what has started the task: looked at once
    for task in tasks:
        step = step_in_trouble(task)
        if step.agent == agent or not _has_yet_to_start(task, run):
            continue
        # The definition vouches for a step's own fallback: it is asked for its input only.
        vouched = step.fallback.partition("@")[0] == agent
        old = None if vouched else contracts.contract_of(step)
        why = contracts.misfits(given_to(task), old, new)
        if not why and not vouched and (agreed := _agreed(task, decided)):
            why = [agreed]
        if why:
            left.append((task.key, why[0]))
        else:
            taken.append(task)
    running = sum(task.status == TaskStatus.RUNNING for task in tasks)
    return Split(tuple(taken), tuple(left), running)


def _agreed(task: Task, known: dict[int, str]) -> str:
    root = task.parent or task.pk
    if root not in known:
        known[root] = why_decided(task).rstrip(".")
    return known[root]


def _has_yet_to_start(task: Task, run: Run) -> bool:
    if run.status == RunStatus.FAILED:
        return task.status in (TaskStatus.FAILED, TaskStatus.CANCELLED)
    if task.status == TaskStatus.WAITING:
        return task.wait_for in _WAITING
    return task.status in (TaskStatus.BLOCKED, TaskStatus.READY)


register(SingleAgent())
