"""What people call stored words: kinds, levels, verdicts. Templates show them by the filter `stored_word`."""

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from orchestrator.drawing import kind_word

WORDS: Final[Mapping[str, Mapping[str, str | Promise]]] = {
    "agent": {
        "python": _("Python function"),
        "llm": _("language model"),
        "http": _("HTTP service"),
        "external": _("external worker"),
    },
    "isolation": {
        "loop": pgettext_lazy("isolation", "event loop"),
        "thread": pgettext_lazy("isolation", "threads"),
        "process": pgettext_lazy("isolation", "own process"),
    },
    "suite": {
        "functional": pgettext_lazy("suite", "functional"),
        "safety": pgettext_lazy("suite", "safety"),
        "experience": pgettext_lazy("suite", "experience"),
        "economic": pgettext_lazy("suite", "economic"),
    },
    "trigger": {
        "command": _("by command"),
        "nightly": _("every night"),
        "monthly": _("every month"),
    },
    "authority": {
        "regulatory": pgettext_lazy("authority", "Regulation"),
        "sop": pgettext_lazy("authority", "Standard procedure"),
        "general": pgettext_lazy("authority", "General knowledge"),
    },
    "check": {
        "completeness": pgettext_lazy("check", "Completeness"),
        "format": pgettext_lazy("check", "Form"),
        "accuracy": pgettext_lazy("check", "Accuracy"),
        "consistency": pgettext_lazy("check", "Consistency"),
        "verifier": pgettext_lazy("check", "Verifier"),
        "consensus": pgettext_lazy("check", "Consensus"),
        "guardian": pgettext_lazy("check", "Guardian"),
    },
    "claim": {
        "verified": pgettext_lazy("claim", "verified"),
        "unsupported": pgettext_lazy("claim", "not borne out"),
        "unsourced": pgettext_lazy("claim", "without a source"),
        "fabricated": pgettext_lazy("claim", "source made up"),
        "contradicted": pgettext_lazy("claim", "contradicted"),
    },
    "guardian": {
        "pass": pgettext_lazy("guardian", "lets it pass"),
        "raise": pgettext_lazy("guardian", "tells people"),
        "hold": pgettext_lazy("guardian", "holds it"),
        "pause": pgettext_lazy("guardian", "pauses the run"),
    },
}


def word(stored: str, of: str) -> str:
    """A stored word as people say it; one that is not known as it is stored."""
    if of == "step":
        return kind_word(stored)
    return str(WORDS[of].get(stored, stored))
