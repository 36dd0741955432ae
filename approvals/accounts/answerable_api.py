"""REST v1: who answers for what, with its gaps, and who is on call. Changed by acts: give-part, set-owner, set-rota."""

from datetime import datetime

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema
from pydantic import Field

from approvals import permissions
from approvals.answerable import raci, rotas
from approvals.answerable.models import Rota
from approvals.errors import NotPermitted
from orchestrator.api_errors import ERRORS, caller

answerable_routes = Router(tags=["Access"])


class ResponsibilityOut(Schema):
    """One matter: which teams have which part in it, and what is missing."""

    matter: str = Field(description="prompts, tools, incidents, queue or workflow.")
    name: str = Field(description="Of the queue or workflow.")
    title: str
    responsible: list[str]
    accountable: list[str] = Field(description="One team at most.")
    consulted: list[str]
    informed: list[str]
    gaps: list[str]


class OnCallOut(Schema):
    """Whose turn it is in a queue."""

    queue: str
    person: str | None = Field(description="None: nobody of the rota may decide there any more.")
    until: datetime | None
    then: list[str]
    minutes: int = Field(description="When the next is called.")


@answerable_routes.get("", response={200: list[ResponsibilityOut], **ERRORS}, summary="List who answers for what")
def list_responsibilities(request: HttpRequest) -> list[ResponsibilityOut]:
    """Every matter with its parts (RACI) and gaps."""
    _reader(request)
    names = ("responsible", "accountable", "consulted", "informed")
    return [
        ResponsibilityOut(
            matter=row.matter, name=row.name, title=row.title, gaps=list(row.gaps),
            **{name: [team.name for team in teams] for name, (_letter, teams) in zip(names, row.cells, strict=True)},
        )
        for row in raci.table()
    ]  # fmt: skip


@answerable_routes.get("/on-call", response={200: list[OnCallOut], **ERRORS}, summary="List who is on call")
def list_on_call(request: HttpRequest) -> list[OnCallOut]:
    """Each queue with a rota, and whose turn it is there now."""
    _reader(request)
    now, found = timezone.now(), []
    for rota in Rota.objects.select_related("queue").order_by("queue__name"):
        turns = rotas.coming(rota, now)
        found.append(
            OnCallOut(
                queue=rota.queue.name, person=turns[0].person.username if turns else None,
                until=turns[0].ends_at if turns else None, then=[turn.person.username for turn in turns[1:]],
                minutes=rota.minutes,
            )
        )  # fmt: skip
    return found


def _reader(request: HttpRequest) -> None:
    """As the page: whoever may change access or queues, or may see the audit trail."""
    if not any(permissions.can(caller(request), verb) for verb in ("manage_access", "edit_queues", "see_audit")):
        raise NotPermitted(verb="see who answers for what")
