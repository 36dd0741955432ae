"""Gold cases: drafted from what was decided in the past, used once a person has confirmed that the answer is right.

Three sources: what came of a case (approved, and its run succeeded; rejected, with the reason), a fault planted in an
approved one, and cases on which two people disagreed and a third ruled. A planted fault contradicts what the card
itself shows the agent was given, so that whoever looks can find it.
"""

import copy
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from agents.types import Json
from approvals import permissions
from approvals.able import draws
from approvals.able.models import Basis, Truth
from approvals.errors import CaseNotFound, NotPermitted
from approvals.models import Decision, Gate, GateStatus, GoldCase, Queue
from orchestrator import events
from orchestrator import services as engine
from orchestrator.states import RunStatus

WANTED: Final = 20  # of a queue, drafts among them
SETTLED_FOR: Final = timedelta(hours=1)  # what went wrong afterwards has shown by then
_LOOKED_AT: Final = 200
_MOST_LEAVES: Final = 500


def draft(queue: Queue) -> int:
    """Draft cases from a queue's past until there are enough; return how many."""
    missing = WANTED - GoldCase.objects.filter(queue=queue, retired_at=None).count()
    made = 0
    for gate in _past(queue) if missing > 0 else ():
        if made >= missing:
            break
        for case in _cases_of(gate):
            made += GoldCase.objects.get_or_create(gate=gate, basis=case.pop("basis"), defaults=case)[1]
    return made


def draft_everywhere() -> int:
    """Draft cases for each queue."""
    return sum(draft(queue) for queue in Queue.objects.all())


@transaction.atomic
def confirm(*, case_id: int, by: User, use: bool) -> GoldCase:
    """Say that a case's answer is right and use it, or take it out of use. Raises NotPermitted, CaseNotFound."""
    case = _of(case_id, by)
    if use and case.confirmed_at is None:
        GoldCase.objects.filter(pk=case.pk).update(confirmed_by=by, confirmed_at=Now())
    elif not use and case.retired_at is None:
        GoldCase.objects.filter(pk=case.pk).update(retired_at=Now())
    kind = "oversight.case_confirmed" if use else "oversight.case_retired"
    events.append(kind, actor=engine.actor_of(by), data={"case": case.pk, "queue": case.queue.name})
    return case


def visible_to(user: User) -> QuerySet[GoldCase]:
    """The cases that somebody who keeps them may see: those of queues whose gates they may see."""
    if not permissions.can(user, "edit_quality"):
        return GoldCase.objects.none()
    found = GoldCase.objects.filter(queue__in=permissions.visible_queues(user), retired_at=None)
    shown = Count("checks", filter=Q(checks__is_right__isnull=False, checks__is_void=False))
    right = Count("checks", filter=Q(checks__is_right=True, checks__is_void=False))
    return found.annotate(shown=shown, right=right).select_related("gate", "queue", "confirmed_by")


def plant(subject: dict[str, Any], seed: object) -> tuple[dict[str, Json], str] | None:
    """The subject with one value of the proposal changed that is also in what the agent was given, and what to say.

    None where no value can be checked against anything on the card.
    """
    known = [value for _path, value in _leaves({"given": subject.get("input"), "told": subject.get("evidence")})]
    wrong = {(type(value), value): other for value in known if (other := _wrong(value)) is not None}
    found = [
        (path, stated, other)
        for path, value in _leaves(subject.get("proposal"))
        for (_type, stated), other in wrong.items()
        if _says(value, stated)
    ]
    if not found:
        return None
    path, stated, other = min(found, key=lambda one: draws.rank("fault", seed, one[0], one[1]))
    changed = copy.deepcopy(subject)
    for part in ("proposal", "action"):
        changed[part] = _replaced(changed.get(part) or {}, stated, other)
    words = f"“{path}” says {other}, but the agent was given {stated}: a fault that was planted to be found."
    return changed, words


def _cases_of(gate: Gate) -> Iterator[dict[str, Any]]:
    decision: Decision = gate.decisions.get()
    common = {"queue": gate.queue, "subject": gate.subject}
    if gate.status == GateStatus.REJECTED and decision.verdict == "reject" and decision.note:
        why = f"It was rejected then: “{decision.note[:500]}”"
        yield {**common, "basis": Basis.OUTCOME.value, "truth": Truth.REFUSE.value, "why": why}
    if decision.verdict == "approve" and gate.run.status == RunStatus.SUCCEEDED:
        why = "It was approved then, and its run succeeded."
        yield {**common, "basis": Basis.OUTCOME.value, "truth": Truth.ACCEPT.value, "why": why}
        if planted := plant(gate.subject, gate.pk):
            fault = {"subject": planted[0], "why": planted[1]}
            yield {**common, **fault, "basis": Basis.PLANTED.value, "truth": Truth.REFUSE.value}


def _past(queue: Queue) -> list[Gate]:
    settled = Gate.objects.filter(
        queue=queue, kind="approval", approvals=1, revision=0, settled_at__lt=timezone.now() - SETTLED_FOR,
        status__in=(GateStatus.APPROVED, GateStatus.REJECTED), decisions__decided_by__isnull=False, second_look=None,
    )  # fmt: skip
    rows = settled.select_related("run", "queue").order_by("-settled_at")[:_LOOKED_AT]
    return sorted(rows, key=lambda gate: draws.rank("source", gate.pk))


def _leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in pairs:
        where = f"{path}.{name}" if path else str(name)
        if isinstance(item, dict | list):
            found += _leaves(item, where)
        else:
            found.append((where, item))
    return found[:_MOST_LEAVES]


def _wrong(value: Any) -> Any:
    """A value that is wrong in a way that happens: another order of magnitude, another number in a name."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return value * 10 if value else None
    digits = list(re.finditer(r"\d", value)) if isinstance(value, str) and 3 <= len(value) <= 60 else []
    if not digits:
        return None
    last = digits[-1].start()
    return f"{value[:last]}{(int(value[last]) + 1) % 10}{value[last + 1 :]}"


def _says(value: Any, stated: Any) -> bool:
    if isinstance(value, str) and isinstance(stated, str):
        return stated in value
    return type(value) is type(stated) and bool(value == stated)


def _replaced(value: Any, old: Any, new: Any) -> Any:
    if isinstance(value, dict):
        return {name: _replaced(item, old, new) for name, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, old, new) for item in value]
    if isinstance(value, str) and isinstance(old, str):
        return value.replace(old, str(new))
    return new if type(value) is type(old) and value == old else value


def _of(case_id: int, by: User) -> GoldCase:
    if not permissions.can(by, "edit_quality"):
        raise NotPermitted(verb="keep gold cases")
    case = GoldCase.objects.select_for_update(of=("self",)).select_related("queue").filter(pk=case_id).first()
    if case is None or not permissions.can(by, "see_gate", case.queue):
        raise CaseNotFound(case_id=case_id)
    return case
