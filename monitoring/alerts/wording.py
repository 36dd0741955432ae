"""One sentence that says what is wrong, in the reader's language: from the numbers that an alert keeps."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from monitoring.alerts.inputs import SCOPES, Unit, Value
from monitoring.models import Alert, AlertRule
from orchestrator import rendering

LONGEST: Final = 500
type Data = Mapping[str, Any]  # Alert.data: values, usual, about, window, named


def sentence(alert: Alert) -> str:
    """For the page. Names in it are other people's words: escape it."""
    return _sentence(alert.rule, alert.scope, alert.data)


def message(rule: AlertRule, data: Data) -> str:
    """The same in English, as it is kept and leaves the product."""
    with override("en"):
        return _sentence(rule, rule.scope, data)[:LONGEST]


def _sentence(rule: AlertRule, scope: str, data: Data) -> str:
    say = _SENTENCES.get(rule.name)
    known = say(Said(data)) if say is not None and rule.shipped else _any(rule, scope, Said(data))
    return known[:1].upper() + known[1:]


class Said:
    """An alert's numbers as words."""

    def __init__(self, data: Data) -> None:
        self._values: Mapping[str, Value] = data.get("values", {})
        self._usual: Mapping[str, float] = data.get("usual", {})
        self.named: list[str] = list(data.get("named", []))
        self.about = rendering.plain(str(data.get("about", "")))
        self.more = int(data.get("more", 0))
        self.window = span(int(data.get("window", 60)) * 60)

    def number(self, name: str) -> float:
        """One of its numbers."""
        value = self._values.get(name, 0)
        return float(value) if isinstance(value, int | float) else 0.0

    def text(self, name: str, unit: Unit = "") -> str:
        """The same, to be read."""
        return written(self._values.get(name, 0), unit)

    def exactly(self, name: str) -> str:
        """A share to be held against another: 99.95 % is not 99 %."""
        value = round(self.number(name) * 100, 2)
        places = len(f"{value:.2f}".rstrip("0").partition(".")[2])
        return _("%(n)s %%") % {"n": number_format(value, places)}

    def usual(self, name: str, unit: Unit = "") -> str:
        """`; usual: 1`, where it is known what is usual."""
        if name not in self._usual:
            return ""
        return _("; usual: %(usual)s") % {"usual": written(self._usual[name], unit)}


def _any(rule: AlertRule, scope: str, said: Said) -> str:
    inputs = SCOPES[scope]
    numbers = ", ".join(
        f"{name} {said.text(name, inputs.of(name).unit)}" for name in said.named if name in inputs.names
    )
    about = f" {said.about}" if said.about else ""
    return f"{rule.said}:{about} ({numbers})" if numbers else f"{rule.said}:{about}"


def _tool_errors(said: Said) -> str:
    words = _("tool %(name)s failed %(errors)s of %(calls)s calls in %(window)s%(usual)s")
    return words % {
        "name": said.about, "errors": said.text("tool_errors"), "calls": said.text("tool_calls"),
        "window": said.window, "usual": said.usual("errors"),
    }  # fmt: skip


def _failed_run(said: Said) -> str:
    words = _("run “%(name)s” failed: %(failed)s of its %(total)s tasks failed")
    return _many(said) or words % {
        "name": said.about, "failed": said.text("tasks_failed"), "total": said.text("tasks_total"),
    }  # fmt: skip


def _failing_tasks(said: Said) -> str:
    words = _("run “%(name)s”: %(failed)s of %(ended)s tasks that have ended failed (%(share)s)")
    return _many(said) or words % {
        "name": said.about, "failed": said.text("tasks_failed"), "ended": said.text("tasks_ended"),
        "share": said.text("task_failure_rate", "share"),
    }  # fmt: skip


def _long_run(said: Said) -> str:
    words = _("run “%(name)s” has taken %(span)s")
    return _many(said) or words % {"name": said.about, "span": said.text("workflow_duration", "ms")}


def _many(said: Said) -> str:
    """Where one alert stands for many runs."""
    if not said.more:
        return ""
    words = ngettext(
        "%(name)s: %(count)d more run of the same kind", "%(name)s: %(count)d more runs of the same kind", said.more
    )
    return words % {"name": said.about, "count": said.more}


def _surge(said: Said) -> str:
    words = _("agent %(name)s used %(tokens)s tokens in %(window)s%(usual)s (%(sigma)s)")
    return words % {
        "name": said.about, "tokens": said.text("tokens", "tokens"), "window": said.window,
        "usual": said.usual("tokens", "tokens"), "sigma": said.text("tokens_sigma", "sigma"),
    }  # fmt: skip


def _slow_agent(said: Said) -> str:
    words = _("agent %(name)s takes %(span)s for a call%(usual)s (%(sigma)s)")
    return words % {
        "name": said.about, "span": said.text("mean_ms", "ms"), "usual": said.usual("duration", "ms"),
        "sigma": said.text("duration_sigma", "sigma"),
    }  # fmt: skip


def _slow_workflow(said: Said) -> str:
    words = _("runs of %(name)s take %(span)s on average%(usual)s (%(sigma)s)")
    return words % {
        "name": said.about, "span": said.text("mean_duration_ms", "ms"), "usual": said.usual("duration", "ms"),
        "sigma": said.text("duration_sigma", "sigma"),
    }  # fmt: skip


def _failing_agent(said: Said) -> str:
    words = _("agent %(name)s failed %(failures)s of %(calls)s calls in %(window)s%(usual)s")
    return words % {
        "name": said.about, "failures": said.text("failures"), "calls": said.text("calls"), "window": said.window,
        "usual": said.usual("failures"),
    }  # fmt: skip


def _overrides(said: Said) -> str:
    words = _("people overrode %(overrides)s of %(decisions)s decisions in %(name)s within %(window)s")
    return words % {
        "name": said.about, "overrides": said.text("overrides"), "decisions": said.text("decisions"),
        "window": said.window,
    }  # fmt: skip


def _violations(said: Said) -> str:
    words = _("agent %(name)s tried %(count)s times in %(window)s what it may not do")
    return words % {"name": said.about, "count": said.text("policy_violations"), "window": said.window}


def _overdue(said: Said) -> str:
    late = int(said.number("gates_overdue"))
    words = ngettext(
        "%(count)d decision in %(name)s is past its deadline; the oldest has waited %(span)s",
        "%(count)d decisions in %(name)s are past their deadline; the oldest has waited %(span)s",
        late,
    )
    return words % {"name": said.about, "count": late, "span": said.text("oldest_wait_s", "s")}


def _gravest(said: Said) -> str:
    count = int(said.number("gates_gravest"))
    words = ngettext(
        "%(count)d matter of critical risk waits for several people in %(name)s",
        "%(count)d matters of critical risk wait for several people in %(name)s",
        count,
    )
    return words % {"name": said.about, "count": count}


def _stranded(said: Said) -> str:
    count = int(said.number("stranded_runs"))
    words = ngettext(
        "%(count)d run of %(name)s is stranded: nothing would move it any more",
        "%(count)d runs of %(name)s are stranded: nothing would move them any more",
        count,
    )
    return words % {"name": said.about, "count": count}


def _budget(said: Said) -> str:
    words = _("%(share)s of %(name)s is used")
    return words % {"name": said.about, "share": said.text("budget_used", "share")}


def _run_budget(said: Said) -> str:
    words = _("run “%(name)s” has used %(share)s of its budget")
    return _many(said) or words % {"name": said.about, "share": said.text("budget_used", "share")}


def _missed(said: Said) -> str:
    """Which targets, each with what it came to."""
    parts = [words % {"actual": actual, "target": target} for words, actual, target in _targets(said)]
    words = _("agent %(name)s misses what is asked of it: %(targets)s")
    return words % {"name": said.about, "targets": ", ".join(parts)}


def _targets(said: Said) -> Iterator[tuple[str, str, str]]:
    """Of each that is missed: what is said of it, what it came to, and what was asked."""
    number, exactly = said.number, said.exactly
    if number("accuracy") < number("accuracy_target"):
        yield _("accuracy %(actual)s instead of %(target)s"), exactly("accuracy"), exactly("accuracy_target")
    if number("success_share") < number("success_target"):
        words = _("%(actual)s of calls without failure instead of %(target)s")
        yield words, exactly("success_share"), exactly("success_target")
    if number("p95_ms") > number("p95_target_ms") > 0:
        words = _("95 of 100 calls within %(actual)s instead of %(target)s")
        yield words, said.text("p95_ms", "ms"), said.text("p95_target_ms", "ms")


def _burning(said: Said) -> str:
    words = _(
        "promise “%(name)s” is missed %(hour)s times as often as allowed over an hour, %(six)s times over six hours, "
        "%(days)s times over three days"
    )
    return words % {
        "name": said.about, "hour": said.text("burn_1h"), "six": said.text("burn_6h"), "days": said.text("burn_3d"),
    }  # fmt: skip


def _broken(said: Said) -> str:
    words = _("promise “%(name)s” is broken: %(used)s of what may go wrong has, of %(asked)s in all")
    return words % {
        "name": said.about, "used": said.text("error_budget_used", "share"), "asked": said.text("asked"),
    }  # fmt: skip


def _depth(said: Said) -> str:
    words = _("%(count)s tasks are ready in lane %(name)s and wait for a worker")
    return words % {"name": said.about, "count": said.text("queue_depth")}


def _lag(said: Said) -> str:
    words = _("the oldest event that is not sealed is %(span)s old: pages show what was before it")
    return words % {"span": said.text("sequencer_lag_s", "s")}


def _nobody(said: Said) -> str:
    words = ngettext(
        "no worker is at work, and %(count)s task is ready",
        "no worker is at work, and %(count)s tasks are ready",
        int(said.number("ready_tasks")),
    )
    return words % {"count": said.text("ready_tasks")}


def _untold(said: Said) -> str:
    words = _("another system has not been told anything for %(span)s; what waits is kept, and tried again")
    return words % {"span": said.text("export_failing_s", "s")}


_SENTENCES: Final[Mapping[str, Callable[[Said], str]]] = {
    "long-run": _long_run,
    "failing-tasks": _failing_tasks,
    "failed-run": _failed_run,
    "stranded-run": _stranded,
    "budget-80": _budget,
    "budget-10-left": _budget,
    "budget-used-up": _budget,
    "run-budget-80": _run_budget,
    "run-budget-10-left": _run_budget,
    "run-budget-used-up": _run_budget,
    "missed-targets": _missed,
    "promise-burns-fast": _burning,
    "promise-burns": _burning,
    "promise-broken": _broken,
    "tool-errors": _tool_errors,
    "overrides": _overrides,
    "policy-violations": _violations,
    "overdue-gates": _overdue,
    "gravest-waits": _gravest,
    "silent-agent": lambda said: (
        _("agent %(name)s is silent: nobody who does its work was heard of") % {"name": said.about}
    ),
    "out-of-service": lambda said: (
        _("agent %(name)s is out of service: it failed too often in a row") % {"name": said.about}
    ),
    "queue-depth": _depth,
    "sequencer-lag": _lag,
    "no-workers": _nobody,
    "export-fails": _untold,
    "token-surge": _surge,
    "slow-agent": _slow_agent,
    "failing-agent": _failing_agent,
    "slow-workflow": _slow_workflow,
}


def written(value: object, unit: Unit = "") -> str:
    """A number as people read it."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if not isinstance(value, int | float):
        return str(value)
    match unit:
        case "share":
            return _("%(n)s %%") % {"n": number_format(value * 100, 0 if value == 0 or value >= 0.1 else 1)}
        case "ms":
            return span(value / 1000)
        case "s":
            return span(value)
        case "usd":
            return f"${number_format(value, 2, force_grouping=True)}"
        case "sigma":
            return _("%(n)s times the usual spread") % {"n": number_format(value, 1)}
    return number_format(value, 0 if float(value).is_integer() or abs(value) >= 10 else 1, force_grouping=True)


def span(seconds: float) -> str:
    """A length of time in its two largest units."""
    if seconds < 1:
        return _("%(n)d ms") % {"n": round(seconds * 1000)}
    if seconds < 60:
        return _("%(n)s s") % {"n": number_format(seconds, 0 if seconds >= 10 or float(seconds).is_integer() else 1)}
    minutes = int(seconds // 60)
    if minutes < 60:
        return _("%(n)d min") % {"n": minutes}
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return _("%(n)d h") % {"n": hours} if not rest else _("%(h)d h %(m)d min") % {"h": hours, "m": rest}
    return ngettext("%(n)d day", "%(n)d days", hours // 24) % {"n": hours // 24}
