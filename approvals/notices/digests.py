"""Notices of digests, as their events tell: whoever made one has said for whom."""

from django.contrib.auth.models import User

from approvals.models import Notice
from approvals.notices.models import NoticeKind
from orchestrator.ledger import SealedEvent


def notices_of(event: SealedEvent) -> list[Notice]:
    """What the person is told for whom the digest is; unsaved."""
    facts = event.data or {}
    to, digest = facts.get("to"), facts.get("digest")
    if not isinstance(to, int) or not isinstance(digest, int):
        return []
    told = {"kind": facts.get("kind"), "since": facts.get("since")}
    people = User.objects.filter(pk=to, is_active=True)
    return [
        Notice(
            recipient=person, pos=event.pos, kind=NoticeKind.DIGEST, facts=told, path=f"/analytics/digests/{digest}/",
            risk="low", title="",
        )
        for person in people
    ]  # fmt: skip
