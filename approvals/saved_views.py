"""Inboxes that people keep under a name: filter and order, for themselves or for everybody who sees gates."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urlencode

from django.contrib.auth.models import User
from django.db.models import Q

from approvals.errors import ViewRefused
from approvals.models import SavedView

MOST: Final = 30  # of one person
SHOWN: Final = 40
_KEPT: Final[tuple[str, ...]] = (
    "queue",
    "q",
    "risk",
    "order",
    "all",
)  # of an inbox's address; a view holds nothing else


@dataclass(frozen=True, slots=True)
class View:
    """One saved view as its chip shows it."""

    row: SavedView
    is_own: bool
    is_open: bool


def of(user: User, query: str) -> list[View]:
    """This person's own views, then those that others share; `query`: of the inbox that is open."""
    rows = SavedView.objects.filter(Q(owner=user) | Q(shared=True)).select_related("owner")
    found = [View(row, row.owner_id == user.pk, row.query == query.lstrip("?")) for row in rows[:SHOWN]]
    return sorted(found, key=lambda view: not view.is_own)


def keep(*, by: User, name: str, query: str, shared: bool) -> SavedView:
    """Keep what is open under a name; the same name again changes it. ViewRefused."""
    name = " ".join(name.split())[:60]
    if not name:
        raise ViewRefused(why="give it a name")
    others = SavedView.objects.filter(owner=by).exclude(name=name)
    if others.count() >= MOST:
        raise ViewRefused(why=f"you have {MOST} already; remove one first")
    kept = {"query": _cleaned(query), "shared": shared}
    row, _made = SavedView.objects.update_or_create(owner=by, name=name, defaults=kept)
    return row


def remove(*, by: User, pk: int) -> bool:
    """Remove one's own; whether there was one."""
    return bool(SavedView.objects.filter(owner=by, pk=pk).delete()[0])


def _cleaned(query: str) -> str:
    """Only what an inbox's address may say: a saved view is followed by others."""
    given = parse_qs(query.lstrip("?")[:500], keep_blank_values=False)
    return urlencode({name: given[name][0][:200] for name in _KEPT if name in given})[:500]
