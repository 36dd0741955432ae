"""What happened to a run's shared state, as sentences that people read. Pure."""

from django.utils.translation import gettext as _

from orchestrator.happenings import Happening


def written(event: Happening) -> str:
    """A version of a key was written, or its end."""
    facts = {"key": event.facts.get("key", "?"), "version": event.facts.get("version", "?")}
    text = _("removed %(key)s") if event.facts.get("deleted") else _("wrote %(key)s, version %(version)s")
    return text % facts


def found(event: Happening) -> str:
    """An agent has found something; the words are in its step's state."""
    told = _("found something, number %(number)s of its findings") % {"number": event.facts.get("number", "?")}
    sure = event.facts.get("confidence")
    return told + (_(", confidence %(sure)s") % {"sure": sure} if sure is not None else "")


def conflict_resolved(event: Happening) -> str:
    """Somebody, or a rule, said which side is right."""
    facts = {"key": event.facts.get("key", "?"), "by": event.facts.get("by", "?")}
    return _("settled the conflict about %(key)s (%(by)s)") % facts
