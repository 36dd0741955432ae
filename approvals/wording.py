"""How verdicts, and what agents name, are said to people. Pure words: no database."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from agents.types import Json


class VerdictLook(NamedTuple):
    """One verdict: its button, its key, and how it is told afterwards."""

    icon: str
    word: str | Promise
    done: str | Promise
    key: str
    style: str  # class of its button
    tone: str


UNKNOWN: Final = VerdictLook("circle-help", _("Decide"), _("Decided"), "", "", "idle")
VERDICTS: Final[dict[str, VerdictLook]] = {
    "approve": VerdictLook("check", _("Approve"), _("Approved"), "a", "primary", "good"),
    "edit": VerdictLook("pencil", _("Edit"), _("Approved with changes"), "e", "", "good"),
    "complete": VerdictLook("check", _("Done"), _("Done"), "a", "primary", "good"),
    "retry": VerdictLook("rotate-ccw", _("Try again"), _("Sent to try again"), "a", "primary", "good"),
    "skip": VerdictLook("skip-forward", _("Go on without it"), _("Went on without it"), "s", "", "waiting"),
    "extend": VerdictLook("timer", _("Set another deadline"), _("Given another deadline"), "a", "primary", "good"),
    "go_on": VerdictLook("play", _("Let it go on"), _("Let go on past its deadline"), "s", "", "waiting"),
    "choose": VerdictLook("git-branch", _("Choose"), _("Another way chosen"), "", "", "good"),
    "request_changes": VerdictLook("undo-2", _("Request changes"), _("Sent back"), "c", "", "waiting"),
    "reject": VerdictLook("x", _("Reject"), _("Rejected"), "r", "danger", "failed"),
    "terminate": VerdictLook("ban", _("End the run"), _("Run ended"), "", "danger", "failed"),
    "expire": VerdictLook("timer", _("Let it expire"), _("Expired: nobody decided"), "", "", "failed"),
}
BAR: Final = (
    *("complete", "approve", "retry", "edit", "choose", "skip", "extend", "go_on"),
    *("request_changes", "reject", "terminate"),
)

# What `policy.confidence_words` answers: named here for the translators.
CONFIDENCE: Final = (
    gettext_noop("no confidence claimed"),
    gettext_noop("very sure"),
    gettext_noop("fairly sure"),
    gettext_noop("unsure"),
    gettext_noop("very unsure"),
    gettext_noop("close to guessing"),
)


def verdict_look(verdict: str) -> VerdictLook:
    """The look of a verdict."""
    return VERDICTS.get(verdict, UNKNOWN)


def spoken(name: str) -> str:
    """A stored name as people say it: `amount_cents` is "Amount cents"."""
    return name.replace("_", " ").strip().capitalize() or name


_BY_SIGN: Final[Mapping[str, str | Promise]] = {
    "==": _("%(name)s is %(value)s"),
    "in": _("%(name)s is %(value)s"),
    "!=": _("%(name)s is %(value)s, not %(bound)s"),
    "<": _("%(name)s is %(value)s, below %(bound)s"),
    "<=": _("%(name)s is %(value)s, at most %(bound)s"),
    ">": _("%(name)s is %(value)s, above %(bound)s"),
    ">=": _("%(name)s is %(value)s, at least %(bound)s"),
}


def clause_words(clause: Mapping[str, Json]) -> str:
    """A clause that held, with the value that made it hold: `confidence is 0.31, below 0.42`.

    Empty if only CEL says it.
    """
    words = _BY_SIGN.get(str(clause.get("sign", "")))
    if words is None or "value" not in clause:
        return ""
    known = {"name": str(clause.get("name", "")).replace("_", " ")}
    return str(words) % {**known, "value": _value(clause["value"]), "bound": _value(clause.get("bound"))}


def _value(value: Json) -> str:
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
