"""How verdicts, and what agents name, are said to people. Pure words: no database."""

from typing import Final, NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop


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
    "request_changes": VerdictLook("undo-2", _("Request changes"), _("Sent back"), "c", "", "waiting"),
    "reject": VerdictLook("x", _("Reject"), _("Rejected"), "r", "danger", "failed"),
    "terminate": VerdictLook("ban", _("End the run"), _("Run ended"), "", "danger", "failed"),
    "expire": VerdictLook("timer", _("Let it expire"), _("Expired: nobody decided"), "", "", "failed"),
}
BAR: Final = (
    *("complete", "approve", "retry", "edit", "skip", "extend", "go_on"),
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
