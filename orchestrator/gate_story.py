"""Sentences of a run's story about gates: who was asked, what people said, and what became of it. Pure."""

from collections.abc import Callable, Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orchestrator.happenings import Happening
from orchestrator.timed_story import moment

_VERDICTS: Final[Mapping[str, str | Promise]] = {
    "approve": gettext_lazy("approved"),
    "edit": gettext_lazy("edited and approved"),
    "request_changes": gettext_lazy("sent back"),
    "complete": gettext_lazy("completed"),
    "choose": gettext_lazy("chose another way at"),
    "retry": gettext_lazy("let it try again:"),
    "skip": gettext_lazy("let the run go on without"),
    "extend": gettext_lazy("gave the run another deadline:"),
    "go_on": gettext_lazy("let the run go on past its deadline:"),
    "reject": gettext_lazy("rejected"),
    "terminate": gettext_lazy("ended the run at"),
}


def _gate_opened(event: Happening) -> str:
    return _("asked %(queue)s to decide") % {"queue": event.facts.get("queue", _("people"))}


def _escalated(event: Happening) -> str:
    if event.facts.get("end_of_chain"):
        return _("nobody decided in time; %(queue)s is asked again") % {"queue": event.facts.get("queue")}
    return _("nobody decided in time; passed on to %(queue)s") % {"queue": event.facts.get("queue")}


def _decided(event: Happening) -> str:
    verdict = str(event.facts.get("verdict", ""))
    if verdict == "expire":
        return _("nobody decided before the deadline; rejected")
    return str(_VERDICTS.get(verdict, verdict)) or _("decided")


def _approved(event: Happening) -> str:
    if not event.facts.get("due"):
        return _("approved; it is not out yet:")
    return _("approved; it goes out at %(due)s unless it is taken back:") % {"due": moment(event.facts["due"])}


def _held(event: Happening) -> str:
    return _("an approval is held back: %(reason)s") % {"reason": event.facts.get("reason", "")}


def _fixed(text: Promise) -> Callable[[Happening], str]:
    return lambda event: str(text)


TELLERS: Final[Mapping[str, Callable[[Happening], str]]] = {
    "gate.opened": _gate_opened,
    "gate.claimed": _fixed(gettext_lazy("took")),
    "gate.released": _fixed(gettext_lazy("gave back")),
    "gate.commented": _fixed(gettext_lazy("commented on")),
    "gate.escalated": _escalated,
    "gate.voted": _fixed(gettext_lazy("voted on")),
    "gate.amended": _fixed(gettext_lazy("changed what is decided, so votes start anew, on")),
    "gate.assigned": _fixed(gettext_lazy("handed to a person by name")),
    "gate.stranded": _fixed(gettext_lazy("found nobody left to decide")),
    "gate.mended": _fixed(gettext_lazy("has somebody to decide again")),
    "gate.reminded": _fixed(gettext_lazy("asked once more, as it is due soon")),
    "gate.called": _fixed(gettext_lazy("called the next on call for")),
    "gate.decided": _decided,
    "gate.withdrawn": _fixed(gettext_lazy("nobody needs to decide any more")),
    "gate.refused": _fixed(gettext_lazy("tried to decide and was refused")),
    "gate.approved": _approved,
    "gate.held": _held,
    "gate.taken_back": _fixed(gettext_lazy("took back the approval of")),
    "gate.asked": _fixed(gettext_lazy("asked the agent about")),
    "gate.answered": _fixed(gettext_lazy("answered a reviewer's question about")),
}
