"""The list beside the card: what of the inbox somebody looks at, and its rows, badges and chips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, NamedTuple

from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.http import urlencode

from approvals import permissions, queries, runways, saved_views, sittings
from approvals.models import Queue, Risk, Runway
from approvals.queries import Counts, Row
from approvals.saved_views import View

LIST_LENGTH: Final = 40  # what fits a few screens; the foot of the list asks for more
LONGER: Final = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of the inbox a person looks at: shareable, it is the address of the page."""

    queue: str = ""
    search: str = ""
    everything: bool = False
    risk: str = ""
    order: str = ""
    aside: bool = False  # what this person has put aside
    length: int = 0  # how many rows, if more than usual
    till: int = 0  # when their time is over, in seconds since 1970; 0: no such end

    @staticmethod
    def of(given: Mapping[str, str]) -> "Wanted":
        """Read it from an address."""
        risk, order, till = given.get("risk", ""), given.get("order", ""), given.get("till", "")
        return Wanted(
            given.get("queue", "")[:50],
            given.get("q", "")[:200].strip(),
            given.get("all") == "1",
            risk if risk in Risk.values else "",
            order if order in queries.ORDERS else "",
            given.get("aside") == "1",
            LONGER if given.get("n") == str(LONGER) else 0,
            int(till) if till.isascii() and till.isdigit() and len(till) < 12 else 0,
        )

    @property
    def query(self) -> str:
        """The same as an address says it; empty for the whole inbox."""
        said = {"queue": self.queue, "q": self.search, "all": "1" if self.everything else "", "risk": self.risk}
        said |= {"order": self.order, "aside": "1" if self.aside else "", "till": str(self.till or "")}
        said["n"] = str(self.length or "")
        kept = urlencode({name: value for name, value in said.items() if value})
        return f"?{kept}" if kept else ""


@dataclass(frozen=True, slots=True)
class Sitting:
    """A stretch of time for cards: how many fit into it, and how long they should take."""

    until: datetime
    cards: int
    minutes: int
    left: int  # minutes


class Line(NamedTuple):
    """What a row of the list says, as values: while these are the same, so is what is written of them."""

    pk: int
    title: str
    risk: str
    about: str  # its run or its workflow
    queue: str
    deadline: datetime
    is_look_only: bool
    who: str  # "looking", "handed" to this person, taken as their "own", "taken" by somebody else, or nobody
    names: tuple[str, ...]  # of those who are looking, or of who took it


@dataclass(frozen=True, slots=True)
class Inbox:
    """The list: its rows, the badges, and the queues it can be narrowed to."""

    user: User
    wanted: Wanted
    rows: list[Row]
    counts: Counts
    queues: list[Queue]
    decides: bool  # somewhere; who only looks sees everything at once
    views: tuple[View, ...] = ()
    aside: int = 0  # how many cards this person has put aside
    wakes_at: datetime | None = None  # when the next of them comes back
    sitting: Sitting | None = None
    going_out: tuple[Runway, ...] = ()  # this person's verdicts that can be taken back
    every: Sequence[Queue] = ()  # queue there is

    @property
    def lines(self) -> list[Line]:
        """The rows as this person reads them."""
        return [self._line(row) for row in self.rows]

    @property
    def is_cut(self) -> bool:
        """Whether more may wait than the list has room for."""
        return len(self.rows) >= (self.wanted.length or LIST_LENGTH)

    @property
    def longer(self) -> str:
        """The address of a longer list; empty where there is none."""
        return replace(self.wanted, length=LONGER).query if self.is_cut and not self.wanted.length else ""

    def next_after(self, pk: int) -> Row | None:
        """The most urgent row but this one; one that this person may decide, if there is any."""
        others = [row for row in self.rows if row.gate.pk != pk]
        return next((row for row in others if row.may_decide), others[0] if others else None)

    def _line(self, row: Row) -> Line:
        gate = row.gate
        about = gate.run.title if gate.run.title and gate.run.title not in gate.title else gate.workflow.title
        who, names = self._who(row)
        look_only = self.decides and not row.may_decide
        return Line(
            gate.pk, gate.title, gate.risk, about, gate.queue.title, gate.deadline_at, look_only, who, names
        )  # fmt: skip

    def _who(self, row: Row) -> tuple[str, tuple[str, ...]]:
        taker = row.claimed_by
        if row.looking:
            return "looking", row.looking
        if row.gate.assigned_to == self.user:
            return "handed", ()
        if taker is None:
            return "", ()
        return ("own", ()) if taker == self.user else ("taken", (taker.get_full_name() or taker.username,))


def inbox(user: User, wanted: Wanted) -> Inbox:
    """The rows and badges of one person's inbox."""
    decides = permissions.can_somewhere(user, "decide_gate")
    wanted = replace(wanted, everything=wanted.everything or not decides)
    within = queries.reach(user)
    queues = list(within.visible.values())
    queue = next((queue for queue in queues if queue.name == wanted.queue), None)
    rows: list[Row] = []
    if queue is not None or not wanted.queue:
        narrowed = queries.Narrowed(wanted.risk, wanted.order, wanted.aside)
        rows = queries.inbox(
            user, queue=queue, search=wanted.search, limit=_length(wanted), everything=wanted.everything,
            narrowed=narrowed, within=within,
        )  # fmt: skip
    rows, sitting = _sitting(rows, wanted) if wanted.till else (rows, None)
    return Inbox(
        user, wanted, rows, queries.counts(user, within=within), queues, decides,
        tuple(saved_views.of(user, wanted.query)) if "views" in within.has else (),
        len(within.asleep), min(within.asleep.values(), default=None), sitting,
        tuple(runways.of(user)) if "runways" in within.has else (), within.every,
    )  # fmt: skip


def _length(wanted: Wanted) -> int:
    """Whoever has so many minutes is given what fits of a longer list."""
    return LONGER if wanted.till else wanted.length or LIST_LENGTH


def _sitting(rows: list[Row], wanted: Wanted) -> tuple[list[Row], Sitting]:
    until = datetime.fromtimestamp(wanted.till, tz=UTC)
    chosen, seconds = sittings.chosen(rows, until)
    left = max(0, round((until - timezone.now()).total_seconds() / 60))
    return chosen, Sitting(until, len(chosen), round(seconds / 60), left)
