"""Acts on many runs or steps at once: cancel what a workflow, an agent or everybody runs."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from orchestrator import ports
from orchestrator.acts.core import Act, Performing, Person, Plan, Scope, Target, counted, register
from orchestrator.acts.holding import name_of
from orchestrator.acts.refusals import ActImpossible
from orchestrator.acts.steps import consequences
from orchestrator.engine import asking, overriding, steering, transitions
from orchestrator.engine.asking import asks_people
from orchestrator.engine.plans import plan_of
from orchestrator.models import TASK_BITS, Run, Task
from orchestrator.states import TASK_TERMINAL, RunStatus

MOST: Final = 1_000  # at a time: the locks of all are held until the last is done


class CancelRuns(Act):
    """End every live run of a workflow, or of all, up to a number: those that start meanwhile are left alone."""

    name = "cancel"
    rank = 90
    scopes: ClassVar[tuple[Scope, ...]] = ("workflow", "everything")
    icon = "ban"
    is_grave = True
    title = gettext_lazy("Cancel all runs")
    action = gettext_lazy("Cancel runs for good")
    menu = gettext_lazy("Cancel runs…")
    hint = gettext_lazy("To hold them for a while instead, pause or stop.")

    def permits(self, user: Person, target: Target) -> bool:
        """`steer_run` on the workflow; everywhere, and `stop_everything`, for all."""
        rights = ports.rights()
        if target.scope == "workflow":
            return rights.can(user, "steer_run", target.row)
        return rights.can(user, "steer_run") and rights.can(user, "stop_everything")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """The newest run that is meant."""
        words = {"title": _("Up to run"), "description": _("Runs with a higher number are left alone.")}
        return {"properties": {"up_to": {"type": "integer", "minimum": 1, **words}}, "required": ["up_to"]}

    def answers(self, target: Target) -> Mapping[str, Json]:
        """The newest one."""
        return {"up_to": _live(target).order_by("-pk").values_list("pk", flat=True).first() or 1}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """What is meant is every live run up to that number."""
        found = _live(target).filter(pk__lte=int(str(answers["up_to"]))).order_by("pk")
        runs = list(found.values_list("pk", flat=True)[: MOST + 1])
        if not runs:
            raise ActImpossible(why=_("No run up to this number is alive; there is nothing to cancel."))
        lines = (
            *counted(
                min(len(runs), MOST), "%(count)s run ends now and cannot be resumed.",
                "%(count)s runs end now and cannot be resumed.",
            ),
            _("Their running steps are interrupted and their open decisions withdrawn."),
            _("Steps that have succeeded, and files delivered so far, are kept."),
        )  # fmt: skip
        more = (_("There are more: do it again for the rest."),) if len(runs) > MOST else ()
        return Plan(lines, {}, runs[:MOST], more)

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """In the order of their numbers, as locks are taken; one that has ended meanwhile is passed over."""
        count = 0
        for pk in act.plan.work:
            run = transitions.lock_run(pk)
            if run.status in (RunStatus.RUNNING, RunStatus.PAUSED):
                steering.cancel(run, reason=act.reason, actor=act.actor)
                Performing(Target("run", run), act.answers, act.plan, act.by, act.reason).record("run.cancelled")
                count += 1
        return {"cancelled": count}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("%(what)s: its runs are cancelled.") % {"what": name_of(target)}


class CancelCalls(Act):
    """End every live step of an agent that nobody is asked about; their runs go on without them."""

    name = "cancel"
    rank = 90
    scopes: ClassVar[tuple[Scope, ...]] = ("agent",)
    icon = "ban"
    is_grave = True
    title = gettext_lazy("Cancel this agent's steps")
    action = gettext_lazy("Cancel steps for good")
    menu = gettext_lazy("Cancel its steps…")
    hint = gettext_lazy("To hold them for a while instead, pause or stop the agent.")

    def permits(self, user: Person, target: Target) -> bool:
        """It ends steps of any workflow: `steer_run` everywhere."""
        return ports.rights().can(user, "steer_run")

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Exactly these steps."""
        live = Task.objects.filter(agent_id=target.ref or 0).exclude(status__in=TASK_TERMINAL).order_by("pk")
        found = list(live.select_related("run")[: MOST + 1])
        meant = _passing_nobody_by([task for task in found[:MOST] if not asks_people(task)])
        asked = len(found[:MOST]) - len(meant)
        if not meant:
            raise ActImpossible(why=_("It has no step that could be cancelled; there is nothing to do."))
        lines = (
            *counted(
                len(meant), "%(count)s step ends now and cannot be resumed.",
                "%(count)s steps end now and cannot be resumed.",
            ),
            *counted(
                len({task.run_id for task in meant}), "%(count)s run goes on without it.",
                "%(count)s runs go on without them.",
            ),
        )  # fmt: skip
        left = counted(
            asked, "%(count)s step that people are asked about is left alone.",
            "%(count)s steps that people are asked about are left alone.",
        )  # fmt: skip
        more = (_("There are more: do it again for the rest."),) if len(found) > MOST else ()
        return Plan(lines, {"steps": [task.pk for task in meant]}, [task.pk for task in meant], (*left, *more))

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Run by run, in the order of locks."""
        count = 0
        for run_id in sorted({pk >> TASK_BITS for pk in act.plan.work}):
            transitions.lock_run(run_id)
            own = [pk for pk in act.plan.work if pk >> TASK_BITS == run_id]
            live = Task.objects.filter(pk__in=own).exclude(status__in=TASK_TERMINAL)
            tasks = list(live.select_for_update(no_key=True).order_by("pk"))
            count += overriding.cancel(tasks, reason=act.reason, actor=act.actor)
        return {"cancelled": count}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("%(what)s: its steps are cancelled.") % {"what": name_of(target)}


def _passing_nobody_by(tasks: Sequence[Task]) -> list[Task]:
    """Without those of runs that would then go on past steps about which people are to be asked."""
    of_runs: dict[int, list[Task]] = defaultdict(list)
    for task in tasks:
        of_runs[task.run_id].append(task)
    for run_id, own in of_runs.items():
        if asking.keys_that_ask(plan_of(own[0].version_id)) and consequences(own, feeds=False).passed_by:
            of_runs[run_id] = []
    return [task for own in of_runs.values() for task in own]


def _live(target: Target) -> QuerySet[Run]:
    runs = Run.objects.filter(status__in=[RunStatus.RUNNING, RunStatus.PAUSED])
    return runs.filter(workflow_id=target.ref or 0) if target.scope == "workflow" else runs


for _act in (CancelRuns(), CancelCalls()):
    register(_act)
