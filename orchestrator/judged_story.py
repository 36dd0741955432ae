"""Sentences of a run's story about judgements of outputs: scores and guardians."""

from django.utils.translation import gettext as _

from orchestrator.happenings import Happening


def assessed(event: Happening) -> str:
    """What score an output was given, and why it was held if it was."""
    score = event.facts.get("score")
    if event.facts.get("passed"):
        return _("was given a quality score of %(score)s") % {"score": score}
    reasons = event.facts.get("reasons")
    told = "; ".join(map(str, reasons)) if isinstance(reasons, list) else ""
    return _("was held with a quality score of %(score)s: %(reasons)s") % {"score": score, "reasons": told}


def guardian_said(event: Happening) -> str:
    """What a guardian did about a step, and why."""
    words = (
        _("held the output of this step") if event.kind == "guardian.held" else _("raised a concern about this step")
    )
    return f"{words}: {event.facts.get('reason') or _('no reason given')}"
