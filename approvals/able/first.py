"""Own judgement first: at high risk nobody is shown what the machine thinks of its work before they have judged it.

Judging before seeing advice keeps people right where the advice is wrong (Agudo et al. 2024,
doi:10.1186/s41235-023-00529-3); explanations alone do not (Buçinca et al. 2021, doi:10.1145/3449287).
"""

from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now

from approvals import permissions, policy
from approvals.able import checks
from approvals.errors import GateAlreadySettled, GateNotFound, NotPermitted, SeparationOfDuties, VerdictNotAllowed
from approvals.models import FirstVerdict, Gate, GateKind, GateStatus
from approvals.permissions import Person

OFFERED: Final = ("approve", "request_changes", "reject")


def concerns(gate: Gate) -> bool:
    """Whether this gate is one at which people judge for themselves first."""
    judged = gate.kind in (GateKind.APPROVAL, GateKind.TOOL) and bool(gate.agent)
    return judged and gate.risk in settings.OWN_VERDICT_FIRST and gate.status == GateStatus.OPEN


def is_asked(gate: Gate, user: Person) -> bool:
    """Whether this person has still to judge it for themselves; who only looks on is shown everything."""
    return isinstance(user, User) and asks(gate, user) and of(gate, user) is None


def asks(gate: Gate, user: Person) -> bool:
    """Whether it asks this person for their own judgement first, given already or not."""
    return concerns(gate) and permissions.can(user, "decide_gate", gate)


def of(gate: Gate, user: User) -> FirstVerdict | None:
    """What this person has judged of exactly this."""
    return FirstVerdict.objects.filter(item=gate.pk, reviewer=user, seal=gate.seal).first()


def offered(gate: Gate) -> tuple[str, ...]:
    """The judgements that may be given."""
    return tuple(verdict for verdict in OFFERED if verdict in gate.allowed)


@transaction.atomic
def record(*, item: int, by: User, verdict: str, note: str = "") -> FirstVerdict:
    """Keep what somebody judges; the first judgement of the same subject stands.

    Raises GateNotFound, SeparationOfDuties, NotPermitted, GateAlreadySettled, VerdictNotAllowed.
    """
    gate = Gate.objects.select_related("run", "queue").filter(pk=item).first() or checks.shown(item, by)
    if gate is None or not permissions.can(by, "see_gate", gate):
        raise GateNotFound(gate_id=item)
    if permissions.is_own_request(by, gate):
        raise SeparationOfDuties(gate_id=item, why="You had a hand in it")
    if not permissions.can(by, "decide_gate", gate):
        raise NotPermitted(verb="decide")
    if gate.status != GateStatus.OPEN:
        raise GateAlreadySettled(gate_id=item, by="somebody", at=gate.settled_at, verdict=gate.status)
    if verdict not in offered(gate):
        raise VerdictNotAllowed(gate_id=item, verdict=verdict[:50], allowed=", ".join(offered(gate)))
    text = policy.clean_text(note)[: policy.NOTE_LIMIT]
    given = {"verdict": verdict, "note": text, "queue": gate.queue}
    return FirstVerdict.objects.get_or_create(item=item, reviewer=by, seal=gate.seal, defaults=given)[0]


def settle(item: int, by: User, verdict: str) -> None:
    """Note what somebody who judged first has decided in the end, and whether they changed their mind."""
    for one in FirstVerdict.objects.filter(item=item, reviewer=by, final=""):
        changed = checks.category(one.verdict) != checks.category(verdict)
        FirstVerdict.objects.filter(pk=one.pk).update(final=verdict, final_at=Now(), changed=changed)
