"""What pausing, resuming, cancelling or retrying a run would do, said before it is done. Pure over task counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from orchestrator.ports import GateFact
from orchestrator.states import RUN_TERMINAL, RunStatus

_FROM: Final[Mapping[str, frozenset[str]]] = {
    "pause": frozenset({RunStatus.RUNNING}),
    "resume": frozenset({RunStatus.PAUSED}),
    "cancel": frozenset({RunStatus.RUNNING, RunStatus.PAUSED}),
    "retry": frozenset({RunStatus.FAILED}),
}


@dataclass(frozen=True, slots=True)
class Override:
    """One way to steer a run, in the words of its dialog."""

    verb: str
    title: str | Promise
    action: str | Promise  # on the button that does it
    icon: str
    is_grave: bool


OVERRIDES: Final[Mapping[str, Override]] = {
    "pause": Override("pause", gettext_lazy("Pause this run"), gettext_lazy("Pause run"), "pause", False),
    "resume": Override("resume", gettext_lazy("Resume this run"), gettext_lazy("Resume run"), "play", False),
    "retry": Override("retry", gettext_lazy("Retry this run"), gettext_lazy("Retry run"), "rotate-ccw", False),
    "cancel": Override("cancel", gettext_lazy("Cancel this run"), gettext_lazy("Cancel run for good"), "ban", True),
}


def possible(status: str) -> list[Override]:
    """The ways in which a run of this status can be steered."""
    return [override for verb, override in OVERRIDES.items() if status in _FROM[verb]]


def is_possible(verb: str, status: str) -> bool:
    """Whether a run of this status can be steered so."""
    return status in _FROM[verb]


def preview(verb: str, counts: Mapping[str, int], gates: Sequence[GateFact]) -> list[str]:
    """What will happen, line by line, from how many tasks are in which status now."""
    return {"pause": _pause, "resume": _resume, "cancel": _cancel, "retry": _retry}[verb](counts, gates)


def why_not(verb: str, status: str) -> str:
    """Why a run of this status cannot be steered so, and what to do."""
    if status in RUN_TERMINAL and verb != "retry":
        return _("The run has ended meanwhile; there is nothing left to steer.")
    if verb == "retry":
        return _("Only a failed run can be retried, and this one has not failed.")
    return _("The run has changed meanwhile: look at it again before you steer it.")


def _pause(counts: Mapping[str, int], gates: Sequence[GateFact]) -> list[str]:
    held, running = counts.get("ready", 0), counts.get("running", 0)
    lines = [_("Nothing new starts in this run until somebody resumes it.")]
    lines += _counted(held, "%(count)d ready step is held back.", "%(count)d ready steps are held back.")
    lines += _counted(
        running,
        "%(count)d step that runs now may finish; its result is kept.",
        "%(count)d steps that run now may finish.",
    )
    if gates:
        lines.append(_("Open decisions stay open, and their deadlines go on."))
    return lines


def _resume(counts: Mapping[str, int], gates: Sequence[GateFact]) -> list[str]:
    held = counts.get("ready", 0)
    go_on = _counted(held, "%(count)d held step may start at once.", "%(count)d held steps may start at once.")
    return go_on or [_("Nothing is ready now; steps start as soon as what they wait for has ended.")]


def _cancel(counts: Mapping[str, int], gates: Sequence[GateFact]) -> list[str]:
    running = counts.get("running", 0)
    rest = sum(counts.get(status, 0) for status in ("blocked", "ready", "waiting"))
    lines = [_("The run ends now and cannot be resumed or retried.")]
    lines += _counted(
        running, "%(count)d running step is interrupted; its result is lost.",
        "%(count)d running steps are interrupted; their results are lost.",
    )  # fmt: skip
    lines += _counted(
        rest, "%(count)d step that has not started never will.", "%(count)d steps that have not started never will."
    )
    lines += _counted(len(gates), "%(count)d open decision is withdrawn.", "%(count)d open decisions are withdrawn.")
    lines.append(_("Steps that have succeeded, and files delivered so far, are kept."))
    return lines


def _retry(counts: Mapping[str, int], gates: Sequence[GateFact]) -> list[str]:
    lines = _counted(
        counts.get("failed", 0), "%(count)d failed step is tried again from the start, with its tries counted anew.",
        "%(count)d failed steps are tried again from the start, with their tries counted anew.",
    )  # fmt: skip
    lines += _counted(
        counts.get("cancelled", 0), "%(count)d step that was cancelled with it goes on after that.",
        "%(count)d steps that were cancelled with it go on after that.",
    )  # fmt: skip
    lines += _counted(
        counts.get("succeeded", 0), "%(count)d step that succeeded is kept and not run again.",
        "%(count)d steps that succeeded are kept and not run again.",
    )  # fmt: skip
    return lines


def _counted(count: int, one: str, many: str) -> list[str]:
    return [ngettext(one, many, count) % {"count": count}] if count else []
