"""What a run's story says of schedules and of waits that people ended. Pure: a kind and its facts in, words out."""

from collections.abc import Mapping

from django.utils.translation import gettext as _

from agents.types import Json


def timed(kind: str, facts: Mapping[str, Json]) -> str:
    """The event's words; of any other kind its name, as nothing that happened is ever left out."""
    match kind:
        case "schedule.fired":
            return _fired(facts)
    return kind.replace(".", " ").replace("_", " ")


def _fired(facts: Mapping[str, Json]) -> str:
    known = {"name": facts.get("schedule", "?"), "slot": moment(facts.get("slot")), "by": facts.get("late_s")}
    if facts.get("by_hand"):
        return _("ran the schedule %(name)s by hand") % known
    if facts.get("late"):
        return _("the schedule %(name)s was due at %(slot)s; its run starts %(by)s s late") % known
    return _("the schedule %(name)s was due at %(slot)s") % known


def by_hand(facts: Mapping[str, Json]) -> str:
    """How somebody ended a step's wait; empty if it ended by itself."""
    match facts.get("by_hand"):
        case "timer":
            return _("was let go on before its time, which was %(due)s") % {"due": moment(facts.get("due"))}
        case "event":
            return _("was given its signal by hand")
        case "callback":
            return _("was answered by hand")
    return ""


def moment(value: Json) -> str:
    """A stored moment as people read it."""
    return str(value or "").replace("T", " ")[:16] + " UTC"
