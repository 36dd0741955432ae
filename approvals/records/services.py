"""Confirm the record of a decision: a person says that what was drafted, or what they made of it, is how it was."""

import hashlib

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from approvals import permissions, policy
from approvals.errors import ApprovalsError, NotPermitted, TextMissing
from approvals.models import Decision, DecisionRecord
from approvals.settling import record
from orchestrator.events import EventKind

LONGEST = 20_000


class RecordTooLong(ApprovalsError):
    """A record has at most {most} characters, and this one {count}; shorten it."""

    code = "record_too_long"
    status = 422


def may_confirm(user: User, decision: Decision) -> bool:
    """Whoever decided it, or may decide in its queue and had no hand in what was asked."""
    return decision.decided_by_id == user.pk or permissions.can(user, "decide_gate", decision.gate)


@transaction.atomic
def confirm(*, decision_id: int, by: User, draft: str, text: str) -> DecisionRecord:
    """Keep the record. The event holds its SHA-256: the log proves the words without copying them."""
    decision = Decision.objects.select_related("gate__run", "gate__workflow", "gate__queue").get(pk=decision_id)
    if not may_confirm(by, decision):
        raise NotPermitted(verb=_("confirm this record"))
    said = policy.clean_text(text)
    if not said:
        raise TextMissing
    if len(said) > LONGEST:
        raise RecordTooLong(most=f"{LONGEST:,}", count=f"{len(said):,}")
    made = DecisionRecord.objects.create(decision=decision, draft=policy.clean_text(draft), text=said, confirmed_by=by)
    sha256 = hashlib.sha256(said.encode()).hexdigest()
    record(EventKind.GATE_RECORDED, decision.gate, by, record=made.pk, sha256=sha256, edited=made.is_edited)
    return made
