"""What the pages of policies show: the capability matrix, and entitlements that nobody has used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Max, Sum
from django.http import Http404
from django.utils import timezone

from agents.errors import PolicyInvalid
from agents.models import Policy, PolicyVersion, ToolUse, ToolVersion
from agents.policies import documents, store
from agents.policies.documents import Document, Entitlement

UNUSED_DAYS: Final = 90
MOST: Final = 2000


@dataclass(frozen=True, slots=True)
class Cell:
    """One entitlement: whose, of which tool, on which data, and when it was last used."""

    policy: str
    number: int
    entitlement: Entitlement
    risk: str
    queue: str
    is_revoked: bool
    is_expired: bool
    since: datetime | None
    last_used: datetime | None
    calls: int  # allowed or asked, in 90 days

    @property
    def is_unused(self) -> bool:
        """In force for 90 days, and not used in that time."""
        old = timezone.now() - timedelta(days=UNUSED_DAYS)
        return not self.is_revoked and self.since is not None and self.since <= old and (self.last_used or old) <= old

    @property
    def answers(self) -> str:
        """What the act on it is answered with, as its link carries it."""
        return f'{{"policy": "{self.policy}", "entitlement": "{self.entitlement.id}"}}'


def matrix() -> list[Cell]:
    """Every entitlement in force, by agent and tool."""
    rules = store.load()
    risks, _scopes = store.registered()
    used = _used()
    since = _since([document.name for document in rules.documents])
    cells = [
        _cell(document, held, risks.get(held.tool, ""), (document.name, held.id) in rules.revoked, used, since)
        for document in rules.documents
        for held in document.entitlements
    ]
    return sorted(cells, key=lambda cell: (cell.entitlement.agent, cell.entitlement.tool, cell.entitlement.id))[:MOST]


def _cell(
    document: Document,
    held: Entitlement,
    risk: str,
    is_revoked: bool,
    used: dict[tuple[str, str], tuple[datetime, int]],
    since: dict[str, list[tuple[datetime, str]]],
) -> Cell:
    last, calls = used.get((document.name, held.id), (None, 0))
    began = [at for at, source in since.get(document.name, ()) if held.id in source]
    return Cell(
        policy=document.name,
        number=document.number,
        entitlement=held,
        risk=risk,
        queue=held.queue or document.approval.get(risk or "critical", ""),
        is_revoked=is_revoked,
        is_expired=held.expires is not None and held.expires <= timezone.now(),
        since=min(began, default=None),
        last_used=last,
        calls=calls,
    )


def _used() -> dict[tuple[str, str], tuple[datetime, int]]:
    recent = timezone.now() - timedelta(days=UNUSED_DAYS)
    uses = ToolUse.objects.filter(hour__gte=recent, decision__in=("allowed", "asked", "failed")).exclude(entitlement="")
    rows = uses.order_by().values_list("policy", "entitlement").annotate(last=Max("last_at"), calls=Sum("calls"))
    return {(policy, entitlement): (last, calls) for policy, entitlement, last, calls in rows}


def _since(policies: Sequence[str]) -> dict[str, list[tuple[datetime, str]]]:
    found: dict[str, list[tuple[datetime, str]]] = {}
    versions = PolicyVersion.objects.filter(policy__name__in=policies, decided_at__isnull=False)
    for name, at, source in versions.values_list("policy__name", "decided_at", "source"):
        if at is not None:
            found.setdefault(name, []).append((at, source))
    return found


def unused() -> list[Cell]:
    """Entitlements that were in force for 90 days and not used in them: what an agent can do without."""
    return [cell for cell in matrix() if cell.is_unused]


def policies() -> list[Policy]:
    """Every policy with what is in force."""
    return list(Policy.objects.select_related("current__author", "current__decided_by").prefetch_related("versions"))


def get_policy_or_404(name: str) -> Policy:
    """The policy with this name."""
    found = Policy.objects.select_related("current").filter(name=name).first()
    if found is None:
        raise Http404
    return found


def versions_of(policy: Policy) -> list[PolicyVersion]:
    """The newest first."""
    return list(policy.versions.select_related("author", "decided_by").order_by("-number")[:100])


def document_of(version: PolicyVersion | None) -> Document | None:
    """A version's text, read; None if it can no longer be."""
    if version is None:
        return None
    try:
        return documents.read(version.source, number=version.number)
    except PolicyInvalid:
        return None


def scopes_of() -> dict[str, list[str]]:
    """The data scopes of each tool's newest version."""
    newest = ToolVersion.objects.order_by("tool_id", "-number").distinct("tool_id")
    return dict(newest.values_list("tool__name", "data_scopes"))
