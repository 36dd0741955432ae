"""The act that lets one agent do the rest of a run: the fallback when several together do not get on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from orchestrator import catalogue
from orchestrator.acts.core import Performing, Plan, Target, counted, register
from orchestrator.acts.refusals import ActImpossible
from orchestrator.acts.runs import RunAct
from orchestrator.acts.steps import SHOWN, given_to, redirection, why_decided
from orchestrator.definitions.plan import PlanStep
from orchestrator.engine import overriding, single, steering
from orchestrator.engine.plans import step_in_trouble
from orchestrator.models import Run, Task
from orchestrator.states import RunStatus, TaskStatus

MOST: Final = 2_000  # steps of a run that can be switched at once
_WAITING: Final = frozenset({"retry", "breaker", "budget"})


@dataclass(frozen=True, slots=True)
class Split:
    """Steps that the agent takes over, those that it cannot with the first reason each, and those that run now."""

    taken: tuple[Task, ...]
    starting: tuple[Task, ...]  # what these start from now on, it does where it keeps the contract
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
        if not found.taken and not found.starting:
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
                len(found.starting), "%(count)s step that starts others gives it what it has yet to start.",
                "%(count)s steps that start others give it what they have yet to start.",
            ),
            *counted(
                found.running, "%(count)s step that runs now may finish as it is.",
                "%(count)s steps that run now may finish as they are.",
            ),
        )  # fmt: skip
        left = [_("%(key)s stays as it is: %(why)s.") % {"key": key, "why": why} for key, why in found.left[:SHOWN]]
        more = len(found.left) - len(left)
        rest = counted(more, "%(count)s more stays as it is.", "%(count)s more stay as they are.")
        keys: list[Json] = [task.key for task in (*found.taken, *found.starting)]
        bound: dict[str, Json] = {"steps": keys, "status": target.run.status}
        return Plan(lines, bound, found, (*left, *rest))

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Each step is redirected as a person would redirect it."""
        run, agent = act.target.run, str(act.answers["agent"])
        if run.status == RunStatus.FAILED:
            steering.retry(run)
            act.record("run.retried")
        found: Split = act.plan.work
        for pk in (task.pk for task in found.taken):
            task = Task.objects.select_for_update(no_key=True).get(pk=pk)
            before = step_in_trouble(task).agent
            again = overriding.let_run(task, reason=act.reason, **redirection(task, agent))
            self._record(act, task, again=again, before=before)
        for task in found.starting:
            Task.objects.filter(pk=task.pk).update(spec={**(task.spec or {}), single.SPEC: agent})
            self._record(act, task, again=False, before=_agents_of(task))
        return {"redirected": len(found.taken) + len(found.starting)}

    def _record(self, act: Performing, task: Task, *, again: bool, before: str) -> None:
        on_task = Performing(Target("task", task), act.answers, act.plan, act.by, act.reason)
        facts: dict[str, Json] = {"from": before, "to": str(act.answers["agent"])}
        on_task.record("task.redirected", attempt=task.attempt, again=again, **facts)

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Run #%(pk)d goes on with one agent.") % {"pk": target.ref}


def _split(run: Run, agent: str) -> Split:
    if catalogue.default.find(agent) is None:
        raise ActImpossible(why=_("%(agent)s has no version.") % {"agent": agent})
    rows = Task.objects.of_run(run.pk).filter(kind__in=("automated", *single.STARTING))
    tasks = list(rows.order_by("pk").select_related("run")[: MOST + 1])
    if len(tasks) > MOST:
        raise ActImpossible(why=_("The run has more than %(most)d steps; redirect them one by one.") % {"most": MOST})
    taken: list[Task] = []
    starting: list[Task] = []
    left: list[tuple[str, str]] = []
    decided: dict[int, str] = {}  # by what has started the task: looked at once
    verified = set(Task.objects.of_run(run.pk).filter(kind="assured").values_list("pk", flat=True))
    for task in tasks:
        if task.parent in verified or not _has_yet_to_start(task, run):
            continue
        step = step_in_trouble(task)
        calls = [call for call in single.calls_of(step) if call.agent != agent]
        whys = [_why_not(task, step, call, agent, decided) for call in calls]
        if not all(whys):
            (taken if task.kind == "automated" else starting).append(task)
        left += [(task.key, why) for why in whys if why]
    running = sum(task.status == TaskStatus.RUNNING for task in tasks)
    return Split(tuple(taken), tuple(starting), tuple(left), running)


def _why_not(task: Task, step: PlanStep, call: PlanStep, agent: str, decided: dict[int, str]) -> str:
    vouched = step.fallback.partition("@")[0] == agent
    why = single.why_not(call, agent, given_to(task) if call is step else None)
    return why or ("" if vouched else _agreed(task, decided))


def _agents_of(task: Task) -> str:
    return ", ".join(call.agent for call in single.calls_of(step_in_trouble(task)))


def _agreed(task: Task, known: dict[int, str]) -> str:
    root = task.parent or task.pk
    if root not in known:
        known[root] = why_decided(task).rstrip(".")
    return known[root]


def _has_yet_to_start(task: Task, run: Run) -> bool:
    """For what starts others, as long as it lives: it may start more."""
    if run.status == RunStatus.FAILED:
        return task.status in (TaskStatus.FAILED, TaskStatus.CANCELLED)
    if task.status == TaskStatus.WAITING:
        return task.wait_for in _WAITING
    return task.status in (TaskStatus.BLOCKED, TaskStatus.READY)


register(SingleAgent())
