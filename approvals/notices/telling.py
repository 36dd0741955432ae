"""Reads the sealed log and writes who is to know what. One reader at a time, each event once, in the log's order.

The cursor, the notices and their deliveries are one transaction: a crash repeats all of it or nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from agents.types import Json
from approvals import db, deciders, delegation, permissions
from approvals.models import Delivery, Gate, GateStatus, Notice, NoticeCursor
from approvals.notices import alerts, digests, parts, second_people
from approvals.notices.models import DeliveryStatus, NoticeKind
from approvals.notices.ways import RISKS, deliveries
from orchestrator import ledger
from orchestrator.ledger import SealedEvent
from orchestrator.models import Run

STRETCH: Final = 20_000  # places of the log that one transaction reads
MOST_AT_ONCE: Final = 20  # gates of one queue in one reading; more are told in one line
_WIDE: Final = ("everything", "workflow", "agent")  # stops of one run or step concern who steers it, and they see it
ASKING: Final = (
    *(NoticeKind.DECIDE, NoticeKind.PASSED_ON, NoticeKind.STILL_OPEN),
    *(NoticeKind.REMINDED, NoticeKind.AMENDED, NoticeKind.CALLED, NoticeKind.CONSULTED),
)
KINDS: Final = (
    *("gate.opened", "gate.escalated", "gate.decided", "gate.withdrawn", "gate.commented"),
    *("gate.assigned", "gate.reminded", "gate.voted", "gate.amended", "gate.stranded"),
    *("gate.approved", "gate.turned_down", "gate.taken_back", "gate.called", "queue.handed_over"),
    *("stop.set", "run.failed", "digest.made"),
    *("alert.raised", "alert.escalated", "alert.assigned", "alert.acknowledged", "alert.resolved"),
    *("access.proposed", "access.confirmed", "access.refused"),
    *("prompt.submitted", "prompt.returned", "prompt.published"),
    *("policy.proposed", "policy.activated", "policy.rejected"),
)


def tell() -> int:
    """Read on from where the last reading stopped to the log's end; return how many notices were written.

    A log that nobody has read yet is read from its end: what is long past is no news.
    """
    end = ledger.head()
    written, more = 0, True
    while more:
        told, more = _read_stretch(end)
        written += told
    return written


@transaction.atomic
def _read_stretch(end: int) -> tuple[int, bool]:
    cursor = _take_cursor()
    if cursor is None or cursor.pos >= end:  # another process is at it, or nothing is new
        return 0, False
    last = min(end, cursor.pos + STRETCH)
    news = ledger.of_kinds(KINDS, after=cursor.pos, until=last)
    written = _write(_Reading(news)) if news else 0
    cursor.pos = last
    cursor.save(update_fields=["pos"])
    return written, last < end


def _take_cursor() -> NoticeCursor | None:
    NoticeCursor.objects.bulk_create([NoticeCursor(pos=ledger.head())], ignore_conflicts=True)
    return NoticeCursor.objects.select_for_update(skip_locked=True).first()


@dataclass(slots=True)
class _Reading:
    """A stretch of the log with the gates and runs that it speaks of, and what comes of it."""

    news: Sequence[SealedEvent]
    gates: dict[int, Gate] = field(default_factory=dict)
    starters: dict[int, tuple[User | None, str]] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)
    over: set[int] = field(default_factory=set)  # gates about which there is nothing left to do here
    freed: set[str] = field(default_factory=set)  # pages of alerts that somebody looks after, or that are over
    spoken: set[tuple[int, str]] = field(default_factory=set)  # who has given a vote on which gate
    answered: Q = field(default_factory=Q)  # notices about what a second person has answered
    audience: parts.Audience = field(init=False)

    def __post_init__(self) -> None:
        ids = {gate for event in self.news if (gate := _gate_of(event)) is not None}
        about = Gate.objects.select_related("queue", "run", "run__started_by", "claimed_by").defer("subject")
        self.gates = about.in_bulk(list(ids))
        failed = {event.run_id for event in self.news if event.kind == "run.failed" and event.run_id is not None}
        for run in Run.objects.filter(pk__in=failed).select_related("started_by", "workflow"):
            self.starters[run.pk] = (run.started_by, run.title or run.workflow.title)

        self.audience = parts.Audience(delegation.away_now() if ids else {})


def _write(reading: _Reading) -> int:
    for event in reading.news:
        _READERS[event.kind](reading, event)
    _withdraw(reading.over)
    _withdraw_from_voters(reading.spoken)
    settled = (second_people.told_of(reading.answered), alerts.told_of(reading.freed))
    readers = {reader for told in settled for reader in told.values_list("recipient_id", flat=True)}
    told = Notice.objects.bulk_create(_gathered(reading.notices))
    Delivery.objects.bulk_create(deliveries(told))
    for over in settled:
        _take_back(over)  # after the writing: it may have been answered within this very reading
    readers |= _readers_of(reading.over) | {notice.recipient_id for notice in told if notice.recipient_id}
    db.nudge_notices(reader for reader in readers if reader is not None)
    return len(told)


def _opened(reading: _Reading, event: SealedEvent) -> None:
    _ask(reading, event, NoticeKind.DECIDE)


def _escalated(reading: _Reading, event: SealedEvent) -> None:
    gate = reading.gates.get(_gate_of(event) or 0)
    if gate is None:
        return
    stays = bool((event.data or {}).get("end_of_chain"))
    if not stays:  # the people of the queue before have had their time
        reading.over.add(gate.pk)
        reading.notices = [notice for notice in reading.notices if notice.gate_id != gate.pk]
    _ask(reading, event, NoticeKind.STILL_OPEN if stays else NoticeKind.PASSED_ON)


def _ask(reading: _Reading, event: SealedEvent, kind: NoticeKind) -> None:
    gate = reading.gates.get(_gate_of(event) or 0)
    if gate is None or gate.status != GateStatus.OPEN or gate.releases_at is not None:
        return
    facts: dict[str, Json] = {"queue": gate.queue.title, "deadline": gate.deadline_at.isoformat()}
    is_new = kind in (NoticeKind.DECIDE, NoticeKind.PASSED_ON)
    asked = reading.audience.first(gate, event.at) if is_new else reading.audience.deciders(gate)
    for person in asked:
        reading.notices.append(_about(gate, event, kind, facts, recipient=person))
    for person in parts.consulted(reading.audience, gate, asked) if is_new else ():
        reading.notices.append(_about(gate, event, NoticeKind.CONSULTED, facts, recipient=person))
    reading.notices.append(_about(gate, event, kind, facts, queue=gate.queue))


def _called(reading: _Reading, event: SealedEvent) -> None:
    gate = reading.gates.get(_gate_of(event) or 0)
    if gate is None or gate.status != GateStatus.OPEN or gate.releases_at is not None:
        return
    facts: dict[str, Json] = {"queue": gate.queue.title, "deadline": gate.deadline_at.isoformat()}
    for person in parts.called(event):
        reading.notices.append(_about(gate, event, NoticeKind.CALLED, facts, recipient=person))


def _reminded(reading: _Reading, event: SealedEvent) -> None:
    _ask(reading, event, NoticeKind.REMINDED)


def _amended(reading: _Reading, event: SealedEvent) -> None:
    _voted(reading, event)  # who changed it has no say in it any more
    _ask(reading, event, NoticeKind.AMENDED)


def _voted(reading: _Reading, event: SealedEvent) -> None:
    gate = reading.gates.get(_gate_of(event) or 0)
    if gate is not None:
        voter = event.actor.removeprefix("user:")
        reading.spoken.add((gate.pk, voter))
        reading.notices = [
            told for told in reading.notices
            if told.gate_id != gate.pk or told.recipient is None or told.recipient.username != voter
        ]  # fmt: skip


def _handed(reading: _Reading, event: SealedEvent) -> None:
    gate, facts = reading.gates.get(_gate_of(event) or 0), event.data or {}
    person = User.objects.filter(username=str(facts.get("to")), is_active=True).first()
    if gate is None or gate.status != GateStatus.OPEN or person is None or _is_by(event, person):
        return
    told: dict[str, Json] = {"by": event.actor.removeprefix("user:"), "reason": facts.get("reason", "")}
    reading.notices.append(_about(gate, event, NoticeKind.HANDED, told, recipient=person))


def _stranded(reading: _Reading, event: SealedEvent) -> None:
    gate = reading.gates.get(_gate_of(event) or 0)
    if gate is None or gate.status != GateStatus.OPEN:
        return
    told: dict[str, Json] = {"why": (event.data or {}).get("why", ""), "queue": gate.queue.title}
    for person in deciders.holders("manage_access"):
        reading.notices.append(_about(gate, event, NoticeKind.STRANDED, told, recipient=person))


def _settled(reading: _Reading, event: SealedEvent) -> None:
    gate = reading.gates.get(_gate_of(event) or 0)
    if gate is None:
        return
    reading.over.add(gate.pk)
    reading.notices = [notice for notice in reading.notices if notice.gate_id != gate.pk]
    if event.kind != "gate.decided":
        return
    told: dict[str, Json] = {"verdict": (event.data or {}).get("verdict"), "by": event.actor.removeprefix("user:")}
    for person in parts.informed(reading.audience, gate, event.actor):
        reading.notices.append(_about(gate, event, NoticeKind.INFORMED, told, recipient=person))
    asker = gate.run.started_by
    if asker is not None and not _is_by(event, asker):
        where = f"/runs/{gate.run_id}/"
        reading.notices.append(_about(gate, event, NoticeKind.DECIDED, told, recipient=asker, path=where))


def _commented(reading: _Reading, event: SealedEvent) -> None:
    gate = reading.gates.get(_gate_of(event) or 0)
    if gate is None:
        return
    told: dict[str, Json] = {"by": event.actor.removeprefix("user:")}
    talkers = User.objects.filter(is_active=True, pk__in=gate.comments.values("author"))
    people = {person.pk: person for person in (*talkers, gate.claimed_by) if person is not None}
    for person in people.values():
        if not _is_by(event, person) and permissions.can(person, "see_gate", gate):  # they could when they spoke
            reading.notices.append(_about(gate, event, NoticeKind.COMMENTED, told, recipient=person))


def _failed(reading: _Reading, event: SealedEvent) -> None:
    starter, title = reading.starters.get(event.run_id or 0, (None, ""))
    if starter is None or not starter.is_active:
        return
    reading.notices.append(
        Notice(
            recipient=starter, pos=event.pos, kind=NoticeKind.RUN_FAILED, risk="medium", title=title[:300],
            facts={"run": event.run_id}, path=f"/runs/{event.run_id}/",
        )
    )  # fmt: skip


def _stopped(reading: _Reading, event: SealedEvent) -> None:
    facts = event.data or {}
    if facts.get("scope") not in _WIDE:
        return
    is_all = facts.get("scope") == "everything"
    for person in deciders.holders("release_agent" if facts.get("guards") else "lift_stop"):
        if _is_by(event, person):
            continue
        reading.notices.append(
            Notice(
                recipient=person, pos=event.pos, kind=NoticeKind.STOPPED, risk="critical" if is_all else "high",
                title=str(facts.get("reason", ""))[:300], path="/stop/",
                facts={"scope": facts.get("scope"), "by": event.actor.removeprefix("user:")},
            )
        )  # fmt: skip


def _alerted(reading: _Reading, event: SealedEvent) -> None:
    reading.notices += alerts.notices_of(event)


def _answered(reading: _Reading, event: SealedEvent) -> None:
    reading.freed |= alerts.paths_answered(event)


def _handed_over(reading: _Reading, event: SealedEvent) -> None:
    reading.notices += parts.handed_over(event)


def _proposed(reading: _Reading, event: SealedEvent) -> None:
    reading.notices += parts.policy_proposed(event)


def _digested(reading: _Reading, event: SealedEvent) -> None:
    reading.notices += digests.notices_of(event)


_READERS: Final[dict[str, Callable[[_Reading, SealedEvent], None]]] = {
    "gate.opened": _opened,
    "gate.escalated": _escalated,
    "gate.approved": _settled,  # nobody is asked while it goes out
    "gate.turned_down": _settled,
    "gate.taken_back": _opened,
    "gate.decided": _settled,
    "gate.withdrawn": _settled,
    "gate.commented": _commented,
    "gate.assigned": _handed,
    "gate.reminded": _reminded,
    "gate.called": _called,
    "queue.handed_over": _handed_over,
    "gate.voted": _voted,
    "gate.amended": _amended,
    "gate.stranded": _stranded,
    "run.failed": _failed,
    "stop.set": _stopped,
    "alert.raised": _alerted,
    "alert.escalated": _alerted,
    "alert.assigned": _alerted,
    "alert.acknowledged": _answered,
    "alert.resolved": _answered,
    "access.proposed": second_people.access_proposed,
    "access.confirmed": second_people.access_settled,
    "access.refused": second_people.access_settled,
    "prompt.submitted": second_people.prompt_submitted,
    "prompt.returned": second_people.prompt_reviewed,
    "prompt.published": second_people.prompt_reviewed,
    "policy.proposed": _proposed,
    "policy.activated": second_people.policy_answered,
    "policy.rejected": second_people.policy_answered,
    "digest.made": _digested,
}


def _about(
    gate: Gate, event: SealedEvent, kind: NoticeKind, facts: dict[str, Json], *, path: str = "", **whom: object
) -> Notice:
    return Notice(
        pos=event.pos, kind=kind, risk=gate.risk, title=gate.title, facts=facts, gate=gate,
        path=path or f"/inbox/{gate.pk}/", **whom,
    )  # fmt: skip


def _gathered(notices: Iterable[Notice]) -> list[Notice]:
    """The same notices, but where one queue asks somebody very much at once: one line instead of each."""
    asked: dict[tuple[int | None, int | None, str], list[Notice]] = defaultdict(list)
    found: list[Notice] = []
    for notice in notices:
        if notice.kind in ASKING and notice.gate is not None:
            asked[notice.recipient_id, notice.queue_id, notice.gate.queue.name].append(notice)
        else:
            found.append(notice)
    for (_, _, queue), group in asked.items():
        found += group if len(group) <= MOST_AT_ONCE else [_one_line(group, queue)]
    return sorted(found, key=lambda notice: notice.pos)


def _one_line(group: Sequence[Notice], queue: str) -> Notice:
    last = group[-1]
    return Notice(
        recipient=last.recipient, queue=last.queue, pos=last.pos, kind=NoticeKind.MANY,
        risk=max((notice.risk for notice in group), key=RISKS.index), title="",
        facts={"queue": last.facts["queue"], "count": len(group)}, path=f"/inbox/?queue={queue}",
    )  # fmt: skip


def _withdraw(gates: set[int]) -> None:
    """There is nothing to do about these any more: not on the page, and not by messages that have not left."""
    if not gates:
        return
    _take_back(Notice.objects.filter(gate__in=gates, kind__in=(*ASKING, NoticeKind.HANDED, NoticeKind.STRANDED)))


def _withdraw_from_voters(spoken: set[tuple[int, str]]) -> None:
    """Who has given their vote has nothing left to do, while others are still asked."""
    for gate, voter in spoken:
        mine = Notice.objects.filter(gate=gate, recipient__username=voter, kind__in=(*ASKING, NoticeKind.HANDED))
        _take_back(mine)


def _take_back(told: QuerySet[Notice]) -> None:
    open_ones = told.filter(withdrawn_at=None)
    Delivery.objects.filter(notice__in=open_ones, status=DeliveryStatus.DUE).update(status=DeliveryStatus.WITHDRAWN)
    open_ones.update(withdrawn_at=Now())


def _readers_of(gates: set[int]) -> set[int]:
    told = Notice.objects.filter(gate__in=gates, recipient__isnull=False) if gates else Notice.objects.none()
    return set(told.values_list("recipient_id", flat=True))


def _gate_of(event: SealedEvent) -> int | None:
    gate = (event.data or {}).get("gate")
    return gate if isinstance(gate, int) else None


def _is_by(event: SealedEvent, person: User) -> bool:
    return event.actor == f"user:{person.username}"
