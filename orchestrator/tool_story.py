"""Sentences of a run's story about what agents called, and what was kept of what they know. Pure."""

from collections.abc import Callable, Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from orchestrator.happenings import Happening


def _called(event: Happening) -> str:
    told = _named(event.facts)
    outcome = str(event.facts.get("outcome", "done"))
    if outcome != "done":
        return _("called the tool %(tool)s, which failed: %(code)s") % {**told, "code": outcome}
    if event.facts.get("approved"):
        return _("called the tool %(tool)s, as people had approved") % told
    return _("called the tool %(tool)s") % told


def _asked(event: Happening) -> str:
    return _("asks people before it calls the tool %(tool)s") % _named(event.facts)


def _refused(event: Happening) -> str:
    facts = event.facts
    return _("was refused the tool %(tool)s: %(why)s") % {
        **_named(facts),
        "why": facts.get("message") or facts.get("code", "?"),
    }


def _named(facts: Mapping[str, Json]) -> dict[str, Json]:
    version = facts.get("version")
    return {"tool": f"{facts.get('tool', '?')} v{version}" if version else facts.get("tool", "?")}


def _fixed(text: Promise) -> Callable[[Happening], str]:
    return lambda event: str(text)


TELLERS: Final[Mapping[str, Callable[[Happening], str]]] = {
    "tool.called": _called,
    "tool.asked": _asked,
    "tool.refused": _refused,
    "memory.kept": _fixed(gettext_lazy("kept something in the memory")),
    "memory.refused": _fixed(gettext_lazy("tried to keep something in the memory and was refused")),
    "memory.quarantined": _fixed(gettext_lazy("something it wrote into the memory is held for people to look at")),
    "data.revealed": _fixed(gettext_lazy("looked at sealed data of this run")),
}
