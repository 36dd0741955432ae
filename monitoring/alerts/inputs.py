"""What a rule may look at: the kinds of things there are, and the documented numbers of each. Pure: no database.

A rule's condition sees the numbers of one thing at a time, added up over the rule's window. They come from the counts
that `counting` keeps; another store of the same numbers only has to be read there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

type Value = int | float | str | bool
type Numbers = Mapping[str, float]
type Unit = Literal["", "share", "ms", "s", "tokens", "usd", "sigma"]
type Metric = Literal["tokens", "duration", "failures"]

MINUTE: Final = 60
HOUR: Final = 3600
LONGEST_WINDOW: Final = 24 * 60  # minutes


@dataclass(frozen=True, slots=True)
class Input:
    """One number of a thing, as a condition names it."""

    name: str
    words: str | Promise
    unit: Unit = ""


@dataclass(frozen=True, slots=True)
class Scope:
    """One kind of thing that rules look at. `values` makes the condition's numbers of what was counted."""

    name: str
    title: str | Promise
    inputs: tuple[Input, ...]
    values: Callable[[Numbers], Mapping[str, Value]]
    metrics: Mapping[str, str]  # each `*_sigma` input: what is counted of it; `a/b` is a mean

    @property
    def names(self) -> frozenset[str]:
        """What a condition may name."""
        return frozenset(one.name for one in self.inputs)

    def of(self, name: str) -> Input:
        """The input of that name."""
        return next(one for one in self.inputs if one.name == name)


def share(part: float, whole: float) -> float:
    """A part of a whole; nothing of nothing is none."""
    return part / whole if whole else 0.0


def _count(numbers: Numbers, name: str) -> int:
    return int(numbers.get(name, 0))


def _workflow(n: Numbers) -> Mapping[str, Value]:
    ended, decisions = n.get("ended", 0), n.get("decisions", 0)
    return {
        "runs_ended": _count(n, "ended"),
        "runs_failed": _count(n, "failed"),
        "run_failure_rate": share(n.get("failed", 0), ended),
        "mean_duration_ms": share(n.get("ms", 0), ended),
        "decisions": _count(n, "decisions"),
        "overrides": _count(n, "overrides"),
        "override_rate": share(n.get("overrides", 0), decisions),
        "stranded_runs": _count(n, "stranded"),
        "duration_sigma": float(n.get("duration_sigma", 0.0)),
    }


def _agent(n: Numbers) -> Mapping[str, Value]:
    calls = n.get("calls", 0)
    return {
        "calls": _count(n, "calls"),
        "failures": _count(n, "failures"),
        "failure_rate": share(n.get("failures", 0), calls),
        "mean_ms": share(n.get("ms", 0), calls),
        "tokens": _count(n, "tokens"),
        "cost": float(n.get("cost", 0.0)),
        "policy_violations": _count(n, "violations"),
        "silent": n.get("silent", 0) > 0,
        "out_of_service": n.get("broken", 0) > 0,
        "tokens_sigma": float(n.get("tokens_sigma", 0.0)),
        "duration_sigma": float(n.get("duration_sigma", 0.0)),
        "failures_sigma": float(n.get("failures_sigma", 0.0)),
        **_against_targets(n),
    }


def _against_targets(n: Numbers) -> Mapping[str, Value]:
    """What an agent came to beside what is asked of it; both are 0 where no target is set, or too little proves it."""
    accuracy, success = float(n.get("accuracy_target", 0.0)), float(n.get("success_target", 0.0))
    return {
        "targets_missed": _count(n, "missed"),
        "accuracy": 1.0 - n.get("inaccuracy", 0.0) if accuracy else 0.0,
        "accuracy_target": accuracy,
        "success_share": 1.0 - n.get("unsuccess", 0.0) if success else 0.0,
        "success_target": success,
        "p95_ms": float(n.get("p95_ms", 0.0)),
        "p95_target_ms": float(n.get("p95_target_ms", 0.0)),
    }


def _tool(n: Numbers) -> Mapping[str, Value]:
    return {
        "tool_calls": _count(n, "calls"),
        "tool_errors": _count(n, "errors"),
        "tool_error_rate": share(n.get("errors", 0), n.get("calls", 0)),
        "tool_refusals": _count(n, "refused"),
    }


def _queue(n: Numbers) -> Mapping[str, Value]:
    return {
        "gates_open": _count(n, "open"),
        "gates_overdue": _count(n, "overdue"),
        "gates_gravest": _count(n, "grave"),
        "oldest_wait_s": float(n.get("oldest_s", 0.0)),
    }


def _lane(n: Numbers) -> Mapping[str, Value]:
    return {"queue_depth": _count(n, "depth")}


def _budget(n: Numbers) -> Mapping[str, Value]:
    used = float(n.get("used", 0.0))
    return {"budget_used": used, "budget_remaining": max(0.0, 1.0 - used)}


def _promise(n: Numbers) -> Mapping[str, Value]:
    return {
        "error_budget_used": float(n.get("used", 0.0)),
        "asked": _count(n, "asked"),
        "burn_1h": float(n.get("burn_1h", 0.0)),
        "burn_6h": float(n.get("burn_6h", 0.0)),
        "burn_3d": float(n.get("burn_3d", 0.0)),
        "asked_6h": _count(n, "asked_6h"),
        "asked_3d": _count(n, "asked_3d"),
    }


def _system(n: Numbers) -> Mapping[str, Value]:
    return {
        "sequencer_lag_s": float(n.get("lag_s", 0.0)),
        "workers": _count(n, "workers"),
        "ready_tasks": _count(n, "ready"),
        "export_failing_s": float(n.get("export_failing_s", 0.0)),
    }


def _run(n: Numbers) -> Mapping[str, Value]:
    """Of a run's own row; what is text in it is added by `runs.values`."""
    ended, used = n.get("ended", 0), float(n.get("used", 0.0))
    return {
        "workflow_duration": _count(n, "ms"),
        "task_failure_rate": share(n.get("failed", 0), ended),
        "tasks_total": _count(n, "total"),
        "tasks_ended": int(ended),
        "tasks_failed": _count(n, "failed"),
        "budget_used": used,
        "budget_remaining": max(0.0, 1.0 - used),
    }


_SIGMA: Final = _("distance from what is usual at this hour of the day, in robust standard deviations")

SCOPES: Final[Mapping[str, Scope]] = {
    scope.name: scope
    for scope in (
        Scope(
            "run",
            _("Each run"),
            (
                Input("workflow_duration", _("how long it takes or took"), "ms"),
                Input("workflow_status", _("PENDING, RUNNING, PAUSED, SUCCEEDED, PARTIAL, FAILED or CANCELLED")),
                Input("task_failure_rate", _("failed tasks among those that have ended"), "share"),
                Input("tasks_total", _("its tasks")),
                Input("tasks_ended", _("its tasks that have ended")),
                Input("tasks_failed", _("its tasks that have failed")),
                Input(
                    "budget_used",
                    _("the part of its own budget that is spent, of the resource nearest its end"),
                    "share",
                ),
                Input("budget_remaining", _("the part of its own budget that is left; all of it without one"), "share"),
                Input("workflow", _("the name of its workflow")),
            ),
            _run,
            {},
        ),
        Scope(
            "workflow",
            _("Each workflow"),
            (
                Input("runs_ended", _("runs that ended in the window")),
                Input("runs_failed", _("of these, how many failed")),
                Input("run_failure_rate", _("failed runs among those that ended"), "share"),
                Input("mean_duration_ms", _("how long the runs that ended took, on average"), "ms"),
                Input("decisions", _("what people decided on its gates")),
                Input("overrides", _("of these, how many did not simply approve")),
                Input("override_rate", _("overrides among decisions"), "share"),
                Input("stranded_runs", _("runs that nothing would have moved any more")),
                Input("duration_sigma", _SIGMA, "sigma"),
            ),
            _workflow,
            {"duration_sigma": "ms/ended"},
        ),
        Scope(
            "agent",
            _("Each agent"),
            (
                Input("calls", _("calls in the window")),
                Input("failures", _("of these, how many failed")),
                Input("failure_rate", _("failed calls among all"), "share"),
                Input("mean_ms", _("how long a call took, on average"), "ms"),
                Input("tokens", _("tokens, in and out"), "tokens"),
                Input("cost", _("what its calls cost"), "usd"),
                Input("policy_violations", _("rules that it tried to break, or broke")),
                Input("silent", _("nobody who does its work was heard of")),
                Input("out_of_service", _("its circuit breaker is open")),
                Input("tokens_sigma", _SIGMA, "sigma"),
                Input("duration_sigma", _SIGMA, "sigma"),
                Input("failures_sigma", _SIGMA, "sigma"),
                Input("targets_missed", _("its quality targets that are missed, as far as enough work proves it")),
                Input(
                    "accuracy",
                    _("the share of its outputs that stood; 0 while no target is set or too few were decided"),
                    "share",
                ),
                Input("accuracy_target", _("the accuracy that is asked of it; 0 with the one before"), "share"),
                Input(
                    "success_share",
                    _("the share of its calls that did not fail, over its target's hours; 0 as above"),
                    "share",
                ),
                Input("success_target", _("the share of calls without failure that is asked of it"), "share"),
                Input(
                    "p95_ms", _("within this 95 of 100 of its calls ended, over its target's hours; 0 as above"), "ms"
                ),
                Input("p95_target_ms", _("within this 95 of 100 of its calls are to end"), "ms"),
            ),
            _agent,
            {"tokens_sigma": "tokens", "duration_sigma": "ms/calls", "failures_sigma": "failures"},
        ),
        Scope(
            "tool",
            _("Each tool"),
            (
                Input("tool_calls", _("calls in the window")),
                Input("tool_errors", _("of these, how many failed")),
                Input("tool_error_rate", _("failed calls among all"), "share"),
                Input("tool_refusals", _("calls that a policy refused")),
            ),
            _tool,
            {},
        ),
        Scope(
            "queue",
            _("Each queue of people"),
            (
                Input("gates_open", _("decisions that wait")),
                Input("gates_overdue", _("of these, how many are past their deadline")),
                Input("gates_gravest", _("of these, how many are of critical risk and need several people")),
                Input("oldest_wait_s", _("how long the oldest has waited"), "s"),
            ),
            _queue,
            {},
        ),
        Scope(
            "lane",
            _("Each lane of work"),
            (Input("queue_depth", _("tasks that are ready and wait for a worker, counted to 10,000")),),
            _lane,
            {},
        ),
        Scope(
            "budget",
            _("Each budget"),
            (
                Input("budget_used", _("the part that is spent"), "share"),
                Input("budget_remaining", _("the part that is left"), "share"),
            ),
            _budget,
            {},
        ),
        Scope(
            "promise",
            _("Each promise of a workflow or queue"),
            (
                Input("error_budget_used", _("the part of what may go wrong that has; 1 is all of it"), "share"),
                Input("asked", _("how many it was asked of, over the span it is given for")),
                Input("burn_1h", _("how many times faster than allowed the error budget is used, over the last hour")),
                Input("burn_6h", _("the same over six hours")),
                Input("burn_3d", _("the same over three days")),
                Input("asked_6h", _("how many it was asked of in six hours")),
                Input("asked_3d", _("how many it was asked of in three days")),
            ),
            _promise,
            {},
        ),
        Scope(
            "system",
            _("The system itself"),
            (
                Input("sequencer_lag_s", _("how old the oldest event is that is not sealed"), "s"),
                Input("workers", _("shifts at work")),
                Input(
                    "ready_tasks",
                    _("tasks that have waited for a worker for longer than LEASE_SECONDS, counted to 10,000"),
                ),
                Input(
                    "export_failing_s", _("for how long sending to another system has failed, the longest of them"), "s"
                ),
            ),
            _system,
            {},
        ),
    )
}
_TARGETS: Final = ("inaccuracy", "accuracy_target", "unsuccess", "success_target", "p95_ms", "p95_target_ms")
# Measured at a moment, where all else is added up: a window shows the newest.
GAUGES: Final[Mapping[str, frozenset[str]]] = {
    "agent": frozenset({"silent", "broken", "missed", *_TARGETS}),
    "queue": frozenset({"open", "overdue", "grave", "oldest_s"}),
    "lane": frozenset({"depth"}),
    "budget": frozenset({"used"}),
    "promise": frozenset({"used", "asked", "burn_1h", "burn_6h", "burn_3d", "asked_6h", "asked_3d"}),
    "system": frozenset({"lag_s", "workers", "ready", "export_failing_s"}),
}
MEASURED_ONLY: Final = frozenset({"queue", "lane", "budget", "promise", "system"})  # of these nothing is added up
BY_MINUTE: Final = frozenset({"promise"})  # measured, and looked at, once a minute: days are counted for it
COUNTED: Final = tuple(name for name in SCOPES if name != "run")
