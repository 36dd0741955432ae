"""What is kept from somebody who is yet to judge, beside their card: on the run's page and in the API.

Cards themselves are blinded in `cards`. Whoever only looks on, and may not decide, is shown everything.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.contrib.auth.models import User

from approvals import permissions, settling, voting
from approvals.able import first
from approvals.models import Gate, GateStatus

OPINIONS: Final = ("quality.", "guardian.")  # events that say what the machine thinks of an output
FACTS: Final = ("confidence", "score", "calibrated", "reasons", "assessment")
HIDDEN: Final[Mapping[str, Any]] = {"hidden": "until you have said what you think of it"}


def tasks(user: User, run_ids: Iterable[int]) -> frozenset[int]:
    """The tasks of these runs of whose output this person is to judge before they see what others and machines say."""
    gates = Gate.objects.filter(run__in=list(run_ids), status=GateStatus.OPEN, task__isnull=False)
    found: set[int] = set()
    for gate in gates.select_related("run", "task", "queue"):
        if permissions.can(user, "decide_gate", gate) and _is_hidden(gate, user):
            found |= {pk for pk in (gate.task_id, settling.reviewed_task(gate)) if pk is not None}
    return frozenset(found)


def told(kind: str, data: dict[str, Any] | None) -> dict[str, Any] | None:
    """An event's facts without opinions."""
    if kind.startswith(OPINIONS):
        return dict(HIDDEN)
    return {name: value for name, value in data.items() if name not in FACTS} if data else data


def _is_hidden(gate: Gate, user: User) -> bool:
    return voting.hidden_from(gate, user) or first.is_asked(gate, user)
