"""An agent's service: terminate it, bring it into service again, let what it has not finished start anew.

A terminated agent is held by a `Stop` that retires it: claims, fetches by external workers and the choice of agents
obey that as they obey any other stop; only `start` lifts it.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from orchestrator import db, forms, ports
from orchestrator.acts import hands
from orchestrator.acts.core import Act, Performing, Person, Plan, Target, Undo, counted, register
from orchestrator.acts.hands import ANEW, ASK, HELD, InHand, Unfinished
from orchestrator.acts.holding import in_force, is_frozen, lift, may_hold, name_of
from orchestrator.acts.refusals import ActImpossible
from orchestrator.models import TASK_BITS, Run, Stop, Task

STOPPED: Final = "put before people"
MOVED: Final = "moved to other agents"


class Terminate(Act):
    """Nothing new is given to an agent, and what it has in hand is put before people or moved to others."""

    name = "terminate"
    rank = 82
    scopes = ("agent",)
    icon = "octagon-x"
    is_grave = True
    title = gettext_lazy("Terminate this agent")
    action = gettext_lazy("Terminate agent")
    menu = gettext_lazy("Terminate…")
    hint = gettext_lazy("It is out of service until somebody starts it. To hold it for a while, pause or stop it.")

    def permits(self, user: Person, target: Target) -> bool:
        """Who may stop it, and steer the runs of every workflow: their steps change hands."""
        return may_hold(user, target) and ports.rights().can(user, "steer_run")

    def why_not(self, target: Target) -> str:
        """Once is enough."""
        held = in_force(target)
        return _("It is terminated already; there is nothing left to end.") if held and held.retires else ""

    def schema(self, target: Target) -> Mapping[str, Any]:
        """What becomes of what it has in hand."""
        ways = {STOPPED: _("put before people"), MOVED: _("moved to other agents")}
        field = forms.choice(_("What it has in hand is"), ways)
        return {"properties": {"in_hand": field}, "required": ["in_hand"]}

    def answers(self, target: Target) -> Mapping[str, Json]:
        """People decide."""
        return {"in_hand": STOPPED}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Counts move by the second: what is agreed to is the end of its service, and how its work goes on."""
        held = in_force(target)
        moves = answers["in_hand"] == MOVED
        found = hands.in_hand(target.ref or 0, moves=moves)
        goes = Counter(one.to for one in found)
        lines = [_("Nothing new is given to it until somebody starts it again.")]
        lines += counted(
            goes.pop(ASK, 0),
            "%(count)s step that it works on is interrupted, with a checkpoint, and put before people.",
            "%(count)s steps that it works on are interrupted, with a checkpoint each, and put before people.",
        )
        lines += counted(
            goes.pop(ANEW, 0),
            "For %(count)s step another agent is chosen.",
            "For %(count)s steps another agent is chosen.",
        )
        waits = goes.pop(HELD, 0)
        for to, count in sorted(goes.items()):
            moved = counted(count, "%(count)s step goes to", "%(count)s steps go to")
            lines += [f"{moved[0]} {to}."]
        warnings = counted(
            waits,
            "%(count)s step that has yet to start stays its own and waits for it.",
            "%(count)s steps that have yet to start stay its own and wait for it.",
        )
        more = (_("There is more than one act can take; the rest is returned and waits."),)
        warnings += more if len(found) >= hands.MOST else ()
        return Plan(tuple(lines), {"held": held.pk if held else None}, (held, found), warnings)

    def lock(self, target: Target) -> Target:
        """Its runs, then claims: a shift locks runs, to settle, before it claims. No claim commits after this has."""
        for pk in hands.runs_of(target.ref or 0):
            Run.objects.select_for_update(no_key=True).filter(pk=pk).first()
        db.lock_claims_out()
        return target

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """The stop first: whatever is returned stays where it is."""
        held, found = act.plan.work
        if held is not None:
            Stop.objects.filter(pk=held.pk).update(lifted_at=Now(), lifted_by=act.by)
        made = Stop.objects.create(
            scope="agent", ref=act.target.ref, reason=act.reason, stopped_by=act.by, stopped_at=db.clock(),
            lets_finish=False, retires=True, guards=held is not None and held.guards,
        )  # fmt: skip
        goes = _take_over(act, found)
        facts: dict[str, Json] = {"asked": goes[ASK], "held": goes[HELD]}
        facts["moved"] = sum(goes.values()) - goes[ASK] - goes[HELD]
        act.record("agent.terminated", agent=act.target.address, stop=made.pk, in_hand=act.answers["in_hand"], **facts)
        db.notify_shifts(f"stop:{made.pk}")
        return facts

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("%(agent)s is terminated.") % {"agent": name_of(target)}

    def undo(self, target: Target, plan: Plan) -> Undo:
        """Bring it back; what has changed hands stays there."""
        return Undo("start")


def _take_over(act: Performing, found: list[InHand]) -> Counter[str]:
    """Run by run. A run that somebody else has locked since is left alone: its steps are returned by the stop."""
    goes: Counter[str] = Counter()
    for run_id in sorted({one.task >> TASK_BITS for one in found}):
        run = Run.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=run_id).first()
        own = [one for one in found if one.task >> TASK_BITS == run_id]
        goes.update(hands.take(act, one) if run else HELD for one in own)
    return goes


class Start(Act):
    """Bring a terminated agent into service."""

    name = "start"
    rank = 1
    scopes = ("agent",)
    icon = "circle-play"
    title = gettext_lazy("Bring this agent into service")
    action = gettext_lazy("Start agent")
    menu = gettext_lazy("Start…")

    def permits(self, user: Person, target: Target) -> bool:
        """Who may lift stops; for one that guardrails had frozen, who may release it."""
        return ports.rights().can(user, "release_agent" if is_frozen(target) else "lift_stop")

    def why_not(self, target: Target) -> str:
        """Only what was terminated; what is paused or stopped is resumed."""
        held = in_force(target)
        if held is None:
            return _("It is in service; there is nothing to start.")
        return "" if held.retires else _("It is held, not terminated; resume it instead.")

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """This very termination."""
        held = in_force(target)
        assert held is not None  # why_not has looked
        by = held.stopped_by.get_username() if held.stopped_by else "engine"
        ready = len(hands.ready_of(target.ref or 0))
        lines = (
            _("Terminated by %(by)s: “%(reason)s”") % {"by": by, "reason": held.reason},
            _("It is given work again from now on."),
            *counted(ready, "%(count)s ready step may start at once.", "%(count)s ready steps may start at once."),
        )
        return Plan(lines, {"held": held.pk}, work=held)

    def lock(self, target: Target) -> Target:
        """Two people who start it are served one after the other."""
        list(Stop.objects.select_for_update().filter(scope="agent", ref=target.ref, lifted_at=None))
        return target

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Lift what holds it."""
        lift(act)
        act.record("agent.started", agent=act.target.address, stop=act.plan.work.pk)
        return {}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("%(agent)s is in service.") % {"agent": name_of(target)}

    def undo(self, target: Target, plan: Plan) -> Undo:
        """Terminate it again."""
        return Undo("terminate", {"in_hand": STOPPED})


class Restart(Act):
    """Let an agent's unfinished and failed steps start again, each from its last checkpoint."""

    name = "restart"
    rank = 58
    scopes = ("agent",)
    icon = "rotate-ccw"
    is_grave = True
    title = gettext_lazy("Restart this agent's steps from their checkpoints")
    action = gettext_lazy("Restart its steps")
    menu = gettext_lazy("Restart from checkpoints…")
    hint = gettext_lazy("Steps that have succeeded stay done; to go back behind those, roll the run back.")

    def permits(self, user: Person, target: Target) -> bool:
        """It restarts steps of any workflow: `steer_run` everywhere."""
        return ports.rights().can(user, "steer_run")

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Exactly these tries of these steps, from these checkpoints."""
        found = hands.unfinished(target.ref or 0)
        if not found:
            raise ActImpossible(why=_("None of its steps is unfinished or has failed; there is nothing to restart."))
        failed = sum(one.failed for one in found)
        lines = [
            *counted(
                len(found) - failed,
                "%(count)s step that it works on, or has trouble with, is interrupted and starts again.",
                "%(count)s steps that it works on, or has trouble with, are interrupted and start again.",
            ),
            *counted(
                failed,
                "%(count)s step that has failed starts again, and its run lives again.",
                "%(count)s steps that have failed start again, and their runs live again.",
            ),
            *(_from(one) for one in found[: hands.SHOWN]),
        ]
        left = max(0, len(found) - hands.SHOWN)
        lines += counted(left, "So does %(count)s more step.", "So do %(count)s more steps.")
        held = in_force(target)
        warnings = (_("It is held: they start once it is let go on."),) if held else ()
        more = (_("There are more: do it again for the rest."),) if len(found) >= hands.MOST_RESTARTED else ()
        return Plan(tuple(lines), {"steps": [one.bound for one in found]}, found, (*warnings, *more))

    def lock(self, target: Target) -> Target:
        """Run by run, in the order of locks, each with its steps."""
        for pk in sorted({one.task >> TASK_BITS for one in hands.unfinished(target.ref or 0)}):
            Run.objects.select_for_update(no_key=True).filter(pk=pk).first()
            list(Task.objects.of_run(pk).select_for_update(no_key=True).order_by("id").values_list("pk"))
        return target

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Each as the act on that step would; the plan has asked whether it could."""
        count = sum(hands.restart(act, one) for one in act.plan.work)
        act.record("agent.restarted", agent=act.target.address, steps=count)
        return {"restarted": count}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The steps of %(agent)s start again.") % {"agent": name_of(target)}


def _from(one: Unfinished) -> str:
    told = {"step": one.key, "run": one.task >> TASK_BITS, "number": one.checkpoint, "name": one.named}
    if one.checkpoint:
        return _("Step %(step)s of run #%(run)d goes on from checkpoint %(number)d, “%(name)s”.") % told
    return _("Step %(step)s of run #%(run)d has no checkpoint: it starts from its beginning.") % told


for _act in (Start(), Terminate(), Restart()):
    register(_act)
