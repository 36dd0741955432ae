"""The words that can be counted: reasons as chips, criteria of the rubric, root causes. Stored by their keys."""

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orchestrator.causes import CAUSES as CAUSES

FOR: Final[Mapping[str, Promise]] = {
    "accurate": _("Accurate"),
    "well_sourced": _("Well sourced"),
    "clear": _("Clear"),
    "saves_time": _("Saves time"),
}
AGAINST: Final[Mapping[str, Promise]] = {
    "inaccurate": _("Inaccurate"),
    "incomplete": _("Incomplete"),
    "unsourced": _("Without a source"),
    "unsafe": _("Unsafe"),
    "out_of_policy": _("Against policy"),
    "wrong_tone": _("Wrong tone"),
    "too_costly": _("Too costly"),
    "not_needed": _("Not needed"),
}
REASONS: Final[Mapping[str, Promise]] = {**FOR, **AGAINST}
RUBRIC: Final[Mapping[str, Promise]] = {
    "correctness": _("Correct"),
    "completeness": _("Complete"),
    "evidence": _("Backed by evidence"),
    "clarity": _("Clear"),
}


def word(key: str) -> str:
    """What people call a reason, a cause or a criterion; an unknown one as it is stored."""
    for known in (REASONS, CAUSES, RUBRIC):
        if key in known:
            return str(known[key])
    return key.replace("_", " ")
