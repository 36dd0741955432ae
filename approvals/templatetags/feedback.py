"""Filters and tags of the pages of feedback."""

from typing import NamedTuple

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from approvals import wording
from approvals.feedback import words
from approvals.feedback.backtest import Backtest
from approvals.feedback.models import Proposal
from approvals.feedback.patterns import Wanted, Week
from approvals.models import Verdict

register = template.Library()


class Mood(NamedTuple):
    """How a guessed mood is shown."""

    tone: str
    icon: str
    word: str | Promise


_MOODS = {
    "positive": Mood("good", "circle-check", gettext_lazy("positive")),
    "negative": Mood("failed", "circle-alert", gettext_lazy("negative")),
}
_ACTS = {
    "give_output": gettext_lazy("Output given"),
    "edit_input": gettext_lazy("Input edited"),
    "redirect": gettext_lazy("Redirected"),
}


@register.filter
def word(key: str) -> str:
    """A reason, root cause or filter in words."""
    return words.word(str(key))


@register.filter
def sentiment_look(sentiment: str) -> Mood:
    """A mood's look."""
    return _MOODS.get(sentiment, Mood("idle", "minus", _("neutral")))


@register.filter
def act_word(verdict: str) -> str | Promise:
    """A verdict or an override in words."""
    if verdict in Verdict.values:
        return wording.verdict_look(verdict).done
    return _ACTS.get(verdict, verdict)


@register.filter
def parts(week: Week) -> list[tuple[str, int]]:
    """A week as a bar."""
    return [("good", week.stood), ("failed", week.n - week.stood)]


@register.simple_tag
def link_with(wanted: Wanted, **more: object) -> str:
    """The same page with more filters."""
    return wanted.link(**more)


@register.simple_tag
def link_without(wanted: Wanted, name: str) -> str:
    """The same page without one of its filters."""
    return wanted.link(**{name: ""})


@register.filter
def backtest_parts(found: Backtest) -> list[tuple[str, int]]:
    """What a rule would have changed, as a bar."""
    return [("good", found.saved), ("failed", found.slipped), ("idle", found.still)]


@register.filter
def proposal_words(proposal: Proposal) -> str:
    """What is proposed, in a few words."""
    facts = {**proposal.data, **{name: value for name, value in proposal.change.items() if name not in proposal.data}}
    match proposal.kind:
        case Proposal.Kind.AUTO_APPROVE:
            return _("Let it pass, and look at a tenth") % facts
        case Proposal.Kind.THRESHOLD:
            return _("Ask below %(to)s confidence instead of %(from)s") % facts
        case Proposal.Kind.ROUTING:
            return _("Ask %(queue)s at once") % facts
    return _("Ask about every output again") % facts


@register.filter
def because(proposal: Proposal) -> str:
    """The figures that speak for it, in a sentence."""
    facts = proposal.data
    told = {**facts, "share": f"{facts.get('share', 0):.1%}"}
    match proposal.kind:
        case Proposal.Kind.AUTO_APPROVE:
            return _("%(approved)s of %(n)s outputs were approved as they stood (%(share)s).") % told
        case Proposal.Kind.THRESHOLD:
            return _("Of %(n)s outputs between the two, %(approved)s were approved as they stood (%(share)s).") % told
        case Proposal.Kind.ROUTING:
            return _("%(moved)s of %(n)s questions ended up there after their deadline (%(share)s).") % told
    return _("%(wrong)s of %(n)s outputs of the sample were changed or refused (%(share)s).") % told


@register.filter
def seconds_words(seconds: float | None) -> str:
    """A stretch of time in its largest sensible unit; a dash where there is none."""
    if seconds is None:
        return "–"
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"
