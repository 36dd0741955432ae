"""REST v1: what the caller was told, and that they have read it."""

from datetime import datetime
from typing import Annotated

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from approvals.notices import queries, services
from orchestrator.api_errors import ERRORS, caller

notice_routes = Router(tags=["Notices"])


class NoticeOut(Schema):
    """One thing that somebody was told. `path` is a place in the product; it opens nothing by itself."""

    id: int
    kind: str
    risk: str
    title: str
    says: str
    action: str
    path: str
    gate: int | None
    at: datetime
    read_at: datetime | None
    settled_at: datetime | None = Field(description="Since when there is nothing to do about it any more.")


class NoticesOut(Schema):
    """A page, the newest first. Ask again with `before` for older ones; null when there are none."""

    unread: int = Field(description="Counted to 100.")
    notices: list[NoticeOut]
    before: int | None


class ReadIn(Schema):
    """Which of one's own to mark as read; all of them without `ids`."""

    ids: list[int] | None = Field(None, max_length=1000)


class ReadOut(Schema):
    """How many were not read before."""

    read: int


@notice_routes.get("", response={200: NoticesOut, **ERRORS}, summary="List what you were told")
def list_notices(
    request: HttpRequest,
    everything: Annotated[bool, Query(alias="all", description="With what was read or is settled.")] = False,
    before: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
) -> NoticesOut:
    """What waits to be read."""
    user = caller(request)
    told, further = queries.page(user, everything=everything, before=before)
    return NoticesOut(unread=queries.unread(user), notices=[_out(one) for one in told], before=further or None)


@notice_routes.post("/read", response={200: ReadOut, **ERRORS}, summary="Mark as read")
def read_notices(request: HttpRequest, body: ReadIn) -> ReadOut:
    """Mark one's own notices as read; others' are left alone."""
    return ReadOut(read=services.mark_read(by=caller(request), ids=body.ids))


def _out(one: queries.Told) -> NoticeOut:
    notice = one.notice
    return NoticeOut(
        id=notice.pk, kind=notice.kind, risk=notice.risk, title=one.title, says=one.sentence, action=one.action,
        path=notice.path, gate=notice.gate_id or notice.facts.get("item"), at=notice.created_at, read_at=notice.read_at,
        settled_at=notice.withdrawn_at,
    )  # fmt: skip
