"""REST v1: the event log along the ledger's gap-free `pos`, filtered to what the caller may see."""

from datetime import datetime
from typing import Annotated, Any, Final

from django.contrib.auth.models import User
from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from approvals import blinding, permissions
from orchestrator import domain_events, ledger
from orchestrator.api_errors import ERRORS, MAX_RUN_ID, Cursor, Forbidden, caller
from orchestrator.ledger import SealedEvent
from orchestrator.models import Run

events = Router(tags=["Events"])

WINDOW: Final = 1_000  # positions read at a time
WINDOWS: Final = 5  # read to fill one answer; a caller who may see little gets a short answer and a new cursor
PUBLIC: Final = ("stop.", "agent.", "workflow.")  # facts about the whole floor


class EventOut(Schema):
    """One fact, in the past tense."""

    pos: int
    kind: str
    type: str | None = Field(
        description="Of events about how agents work together: agent_orchestration.TASK_STARTED; of people's work"
        " that is done: assignment.completed.7, with the number of its gate."
    )
    at: datetime
    actor: str
    run: int | None
    task: int | None
    data: dict[str, Any] | None


class EventsOut(Schema):
    """Events in order. Ask again with `after` set to `next`, also when `items` is empty."""

    items: list[EventOut]
    next: int = Field(description="The cursor to go on with.")
    head: int = Field(description="The last position there is; you are up to date when next equals it.")


@events.get("", response={200: EventsOut, **ERRORS}, summary="Read events")
def list_events(
    request: HttpRequest,
    after: Cursor = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    run: Annotated[int | None, Query(ge=1, le=MAX_RUN_ID)] = None,
) -> EventsOut:
    """Events that you may see after a position: none is skipped or repeated, whoever writes meanwhile."""
    user = caller(request)
    if not permissions.can_somewhere(user, "see_runs"):
        raise Forbidden(verb="see runs")
    head = ledger.head()
    items: list[EventOut] = []
    for _ in range(WINDOWS):
        page = ledger.after(after, limit=WINDOW)
        visible = _visible(user, page, run)
        hidden = blinding.tasks(user, {event.run_id for event in visible if event.run_id})
        for event in visible:
            items.append(_event(event, hidden=event.task_id in hidden))
            if len(items) == limit:
                return EventsOut(items=items, next=event.pos, head=max(head, event.pos))
        if not page:
            break
        after = page[-1].pos
    return EventsOut(items=items, next=after, head=max(head, after))


def _visible(user: User, page: list[SealedEvent], run: int | None) -> list[SealedEvent]:
    sees_all = permissions.can(user, "see_audit")
    wanted = [event for event in page if run is None or event.run_id == run]
    run_ids = {event.run_id for event in wanted if event.run_id}
    workflows = list(permissions.visible_workflows(user).values_list("pk", flat=True))
    seen = set(Run.objects.filter(pk__in=run_ids, workflow_id__in=workflows).values_list("pk", flat=True))
    return [
        event
        for event in wanted
        if (event.run_id in seen if event.run_id else sees_all or event.kind.startswith(PUBLIC))
    ]


def _event(event: SealedEvent, *, hidden: bool) -> EventOut:
    return EventOut(
        pos=event.pos,
        kind=event.kind,
        type=domain_events.name_of(event.kind, event.data),
        at=event.at,
        actor=event.actor,
        run=event.run_id,
        task=event.task_id,
        data=blinding.told(event.kind, event.data) if hidden else event.data,
    )
