"""Which changes of access take two people: what gives the right to give rights, to move gates, or to approve the grave.

Asked by `approvals.access` before it saves and by the acts before they say what will happen, so the two agree.
"""

from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import Group, User
from django.utils.translation import gettext as _

from agents.models import Agent
from agents.types import Json
from approvals import permissions
from approvals.errors import SecondPersonNeeded
from approvals.models import Gate, Queue
from approvals.roles import VERBS, WORKFLOW_GRANTS, verbs_of
from orchestrator.models import Workflow

GRAVE: Final = frozenset({"manage_access", "edit_queues", "publish_version", "decide_gate"})
_HIGH: Final = ("high", "critical")


@dataclass(frozen=True, slots=True)
class Why:
    """The reason that was given for a change, and who confirmed it where it takes two people."""

    reason: str = ""
    confirmed_by: User | None = None

    def facts(self) -> dict[str, Json]:
        """As the change's event tells it."""
        told: dict[str, Json] = {"reason": self.reason} if self.reason else {}
        return told | ({"confirmed_by": self.confirmed_by.username} if self.confirmed_by else {})


NO_REASON: Final = Why()


def guard(by: User | None, why: Why, risk: str) -> None:
    """Raise SecondPersonNeeded unless there is no risk, a second person, or the operator at the command line."""
    if risk and by is not None and why.confirmed_by is None:
        raise SecondPersonNeeded(why=risk)


def of_group(group: Group) -> str:
    """Why belonging to a role or team is risky; empty if it is not."""
    found = GRAVE & verbs_of(permissions.verbs_by_role([group.name]))
    return _words(found) or _of_granted(group)


def of_verb(verb: str) -> str:
    """Why a right that holds everywhere is risky."""
    return _words({verb} & GRAVE)


def of_grant(permission: str, on: Workflow | Queue | Agent) -> str:
    """Why a right on one object is risky: publishing the workflow, or deciding what is of high risk."""
    if isinstance(on, Workflow):
        return _words(WORKFLOW_GRANTS.get(permission, frozenset()) & GRAVE)
    if isinstance(on, Queue) and permission == "decide_gates" and is_high(on):
        return _("it lets somebody approve what is of high risk (queue %(queue)s)") % {"queue": on.title}
    return ""


def of_person(user: User) -> str:
    """Why getting hold of this account would be risky: what its owner may do."""
    rights = permissions.rights_of(user)
    words = _words(GRAVE & rights.everywhere) or _words(GRAVE & rights.workflows.keys())
    high = (queue for queue in Queue.objects.filter(pk__in=rights.queues.get("decide_gate", ())) if is_high(queue))
    return words or next((of_grant("decide_gates", queue) for queue in high), "")


def is_high(queue: Queue) -> bool:
    """Whether matters of high or critical risk come, or have come, to this queue: asked there, or passed on to it."""
    names = _passing_on_to(queue)
    if Gate.objects.filter(queue__name__in=names, risk__in=_HIGH).exists():
        return True
    plans = Workflow.objects.exclude(current_version=None).values_list("current_version__plan", flat=True)
    return any(_asks_gravely(step.get("gate"), names) for plan in plans for step in plan.get("steps", ()))


def _passing_on_to(queue: Queue) -> set[str]:
    """The queue, and those from which what nobody decides comes to it in the end."""
    chain = dict(Queue.objects.values_list("name", "escalates_to__name"))
    found: set[str] = set()
    coming = {queue.name}
    while coming:
        found |= coming
        coming = {name for name, further in chain.items() if further in found} - found
    return found


def _asks_gravely(gate: Json, queues: set[str]) -> bool:
    if not isinstance(gate, dict):
        return False
    if not _asked(gate) & queues:
        return False
    risk = str(gate.get("risk", "medium"))
    return risk in _HIGH or risk.startswith("$")  # worked out for each case: it may come out as high


def _asked(gate: dict[str, Json]) -> set[str]:
    """The queues that a gate names: whom it asks first, and who is asked after them."""
    terms = gate.get("terms")
    listed = terms.get("escalation") if isinstance(terms, dict) else None
    further = listed if isinstance(listed, list) else []
    return {str(name) for name in (gate.get("queue"), gate.get("escalate_to"), *further) if name}


def _of_granted(group: Group) -> str:
    """What is granted to the team on single objects."""
    for model, granted in permissions.granted_to(group):
        if found := of_grant(granted, model):
            return found
    return ""


def _words(verbs: frozenset[str] | set[str]) -> str:
    named = ", ".join(f"“{words}”" for verb, words in VERBS.items() if verb in verbs)
    return _("it gives the right to: %(rights)s") % {"rights": named} if named else ""
