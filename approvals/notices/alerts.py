"""Notices of alerts, as their events tell: whoever raised one has said whose turn it is."""

from typing import Final

from django.contrib.auth.models import User
from django.db.models import QuerySet

from agents.types import Json
from approvals.models import Notice
from approvals.notices.models import NoticeKind
from orchestrator.ledger import SealedEvent

_RISKS: Final = {"critical": "critical", "warning": "medium", "info": "low"}  # of severities: when channels tell it


def notices_of(event: SealedEvent) -> list[Notice]:
    """What those are told whom the event names; unsaved."""
    facts = event.data or {}
    told: dict[str, Json] = {name: facts.get(name) for name in ("severity", "level", "drill")}
    if event.kind == "alert.assigned":
        told["handed"] = event.actor.removeprefix("user:")
    people = User.objects.filter(pk__in=_ids(facts.get("to")), is_active=True)
    return [
        Notice(
            recipient=person, pos=event.pos, kind=NoticeKind.ALERT, facts=told, path=_path(facts),
            risk=_RISKS.get(str(facts.get("severity")), "low"), title=str(facts.get("message", ""))[:300],
        )
        for person in people.order_by("pk")
    ]  # fmt: skip


def paths_answered(event: SealedEvent) -> set[str]:
    """The alert's page, if nobody has to look at it any more: somebody does, or it is over."""
    facts = event.data or {}
    is_answered = event.kind == "alert.acknowledged" or bool(facts.get("closed"))
    return {_path(facts)} if is_answered else set()


def told_of(paths: set[str]) -> QuerySet[Notice]:
    """What people were told of these alerts, and nobody has taken back."""
    return Notice.objects.filter(kind=NoticeKind.ALERT, path__in=paths, withdrawn_at=None)


def _path(facts: dict[str, Json]) -> str:
    return f"/alerts/{facts.get('alert')}/"


def _ids(found: Json) -> list[int]:
    return [pk for pk in found if isinstance(pk, int)] if isinstance(found, list) else []
