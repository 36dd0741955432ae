"""Which gates somebody may see, asked for one link at a time; what was found out is kept with the user object."""

from approvals import permissions
from approvals.models import Gate
from approvals.permissions import Person

_KNOWN = "_queues_of_gates"


def may_see(user: Person, gate_id: int) -> bool:
    """Whether the card of this gate opens for the user: no query for who sees all gates, or none."""
    if permissions.can(user, "see_gate"):
        return True
    if not permissions.can_somewhere(user, "see_gate"):
        return False
    known: dict[int, bool] = user.__dict__.setdefault(_KNOWN, {})
    if gate_id not in known:
        queues = permissions.visible_queues(user).values("pk")
        known[gate_id] = Gate.objects.filter(pk=gate_id, queue__in=queues).exists()
    return known[gate_id]
