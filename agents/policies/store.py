"""Policies in the database: versions that are proposed, approved or refused, entitlements taken away and given back.

Events, rights and reasons are the acts' (`orchestrator.acts.policies`).
"""

import difflib
import hashlib
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from agents.errors import PolicyInvalid
from agents.models import Policy, PolicyEpoch, PolicyVersion, Revocation, Tool, ToolVersion
from agents.policies import documents, rules
from agents.policies.documents import Document
from agents.policies.rules import Rules

ACTIVE, PROPOSED = PolicyVersion.State.ACTIVE, PolicyVersion.State.PROPOSED


@dataclass(frozen=True, slots=True)
class Proposal:
    """A text that has been read, whose tests have passed, beside what is in force."""

    document: Document
    current: PolicyVersion | None
    needs_second: bool
    diff: tuple[str, ...]


def examine(source: str) -> Proposal:
    """Read a text and run its tests. Raises PolicyInvalid."""
    document = documents.read(source)
    risks, scopes = registered()
    rules.require_checks(document, risks, scopes)
    current = PolicyVersion.objects.filter(policy__name=document.name, state=ACTIVE).select_related("policy").first()
    strict = documents.read(current.source).two_people if current else False
    # Who could drop the second person in a change of their own would need none.
    return Proposal(
        document, current, strict or document.two_people, diff_of(current.source if current else "", source)
    )


def registered() -> tuple[dict[str, str], dict[str, list[str]]]:
    """Risk and data scopes of every registered tool's newest version."""
    newest = ToolVersion.objects.order_by("tool_id", "-number").distinct("tool_id")
    found = list(newest.values_list("tool__name", "risk", "data_scopes"))
    return {name: risk for name, risk, _ in found}, {name: scopes for name, _, scopes in found}


def diff_of(before: str, after: str) -> tuple[str, ...]:
    """A unified diff without its head, at most 400 lines."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=3)
    return tuple(list(lines)[2:402])


@transaction.atomic
def propose(source: str, *, by: User | None, reason: str, commit: str = "") -> PolicyVersion:
    """Store a text as the next version; in force at once where no second person is needed."""
    found = examine(source)
    policy, _ = Policy.objects.get_or_create(name=found.document.name)
    policy = Policy.objects.select_for_update(no_key=True).get(pk=policy.pk)
    last = policy.versions.order_by("-number").values_list("number", flat=True).first() or 0
    version = PolicyVersion.objects.create(
        policy=policy,
        number=last + 1,
        source=source,
        digest=hashlib.sha256(source.encode()).hexdigest(),
        commit=commit[:100],
        author=by,
        reason=reason,
    )
    if not found.needs_second:
        activate(version, by=by)
    return version


@transaction.atomic
def activate(version: PolicyVersion, *, by: User | None) -> None:
    """Put a version in force in the place of what is."""
    PolicyVersion.objects.filter(policy_id=version.policy_id, state=ACTIVE).exclude(pk=version.pk).update(
        state=PolicyVersion.State.REPLACED
    )
    PolicyVersion.objects.filter(pk=version.pk).update(state=ACTIVE, decided_by=by, decided_at=Now())
    Policy.objects.filter(pk=version.policy_id).update(current=version)
    version.refresh_from_db()
    bump()


@transaction.atomic
def reject(version: PolicyVersion, *, by: User | None) -> None:
    """Refuse a proposal."""
    PolicyVersion.objects.filter(pk=version.pk).update(
        state=PolicyVersion.State.REJECTED, decided_by=by, decided_at=Now()
    )
    version.refresh_from_db()


@transaction.atomic
def revoke(policy: Policy, entitlement: str, *, by: str, reason: str) -> None:
    """Take an entitlement away."""
    Revocation.objects.get_or_create(policy=policy, entitlement=entitlement, defaults={"by": by, "reason": reason})
    bump()


@transaction.atomic
def restore(policy: Policy, entitlement: str) -> None:
    """Give it back."""
    Revocation.objects.filter(policy=policy, entitlement=entitlement).delete()
    bump()


def bump() -> None:
    """Tell every process that policies have changed."""
    PolicyEpoch.objects.get_or_create(pk=1)
    PolicyEpoch.objects.filter(pk=1).update(value=F("value") + 1)


def epoch() -> int:
    """How often policies have changed."""
    return PolicyEpoch.objects.filter(pk=1).values_list("value", flat=True).first() or 0


def load() -> Rules:
    """What is in force now. A stored text that can no longer be read allows nothing."""
    found = []
    for version in PolicyVersion.objects.filter(state=ACTIVE).select_related("policy").order_by("policy__name"):
        try:
            found.append(documents.read(version.source, number=version.number))
        except PolicyInvalid:
            continue
    return Rules(found, Revocation.objects.values_list("policy__name", "entitlement"))


def limits() -> dict[str, tuple[bool, bool]]:
    """Of each tool: whether it has a rate, and whether its breaker has anything to say."""
    rows = Tool.objects.values_list("name", "rate_per_minute", "state", "failures")
    return {
        name: (rate is not None, state != Tool.State.CLOSED or failures > 0) for name, rate, state, failures in rows
    }
