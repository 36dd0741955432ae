"""What the inbox, the badges and the history show. Every list is bounded, and a badge counts the list it stands for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import and_, attrgetter
from typing import Final

from django.contrib.auth.models import User
from django.contrib.postgres.search import SearchQuery
from django.db import models
from django.db.models import Case, F, FloatField, Q, QuerySet, Value, When
from django.db.models.functions import Cast, Extract, Greatest, Now
from django.http import Http404
from django.utils import timezone

from approvals import desk_db, duties, permissions, policy, snoozing, voting
from approvals.able import checks
from approvals.cards import Card as Card
from approvals.cards import card as card
from approvals.cards import who_is_looking as who_is_looking
from approvals.errors import NotPermitted, SeparationOfDuties
from approvals.joined import Joined
from approvals.models import Decision, Gate, GateStatus, Queue, subject_text, subject_words
from approvals.permissions import Person

MAX_ROWS = 200
MAX_WORDS = 10
WITHIN = 3  # characters: shorter words have no trigram, and are found by their beginnings alone


# What a row shows of a gate: the rest of it, and its run's input, may be long.
_SHOWN: Final = (
    *("id", "kind", "status", "version", "title", "risk", "confidence", "agent", "step", "blind", "barred", "task"),
    *("opened_at", "deadline_at", "claimed_until", "requested_by", "queue", "run__title", "run__started_by"),
    *("workflow__name", "workflow__title", "claimed_by", "assigned_to"),
)


# People on it are read where there are any: most gates have none.
_WHOLE: Final = Joined(Gate, "run", "workflow", "queue", "task", where="t0.id = %(pk)s")
_LISTED: Final = Joined(Gate, "run", "workflow", where="t0.id = ANY(%(ids)s::bigint[])", only=_SHOWN)


@dataclass(frozen=True, slots=True)
class Reach:
    """How far one person's inbox reaches, read once for a page: its list and its badges rest on the same facts."""

    user: Person
    visible: Mapping[int, Queue]
    decidable: Mapping[int, Queue]
    asleep: Mapping[int, datetime]  # gates that they have put aside, and until when
    voted: Sequence[int]  # gates on which their vote stands
    checks: Sequence[Gate]  # checks that are before them
    every: Sequence[Queue] = ()  # queue there is
    has: frozenset[str] = frozenset()  # of what else the list shows: see `desk_db.apart`

    @property
    def queues(self) -> dict[int, Queue]:
        """All queues of theirs."""
        return {**self.visible, **self.decidable}


@dataclass(frozen=True, slots=True)
class Row:
    """One gate in a list, with who else has it open right now."""

    gate: Gate
    may_decide: bool
    looking: tuple[str, ...]

    @property
    def claimed_by(self) -> User | None:
        """Who has taken it for now."""
        until = self.gate.claimed_until
        return self.gate.claimed_by if until is not None and until > timezone.now() else None


@dataclass(frozen=True, slots=True)
class QueueCount:
    """One queue's badge."""

    queue: Queue
    waiting: int
    next_deadline_at: datetime


@dataclass(frozen=True, slots=True)
class Counts:
    """The badges: what waits for this person, queue by queue, and what they may only watch."""

    waiting: int
    queues: tuple[QueueCount, ...]
    watching: int


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What else of the inbox is wanted: one risk, an order (see `ORDERS`), or what one has put aside."""

    risk: str = ""
    order: str = ""
    aside: bool = False


EVERY: Final = Narrowed()
ORDERS: Final[Mapping[str, str]] = {"deadline": "deadline_at", "oldest": "opened_at", "newest": "-opened_at"}


def reach(user: Person) -> Reach:
    """How far this person's inbox reaches now."""
    queues = list(Queue.objects.all())
    visible, decidable = (
        {queue.pk: queue for queue in queues if permissions.can(user, verb, queue)}
        for verb in ("see_gate", "decide_gate")
    )
    if not isinstance(user, User):
        return Reach(user, visible, decidable, {}, (), (), queues)
    apart = desk_db.apart(user.pk, duties.person_of(user))
    return Reach(
        user,
        visible,
        decidable,
        snoozing.asleep(user) if "asleep" in apart else {},
        voting.voted_by(user) if "voted" in apart else (),
        checks.open_before(user) if "checks" in apart else (),
        queues,
        apart,
    )


def inbox(  # noqa: PLR0913 - what a list can be narrowed by
    user: Person,
    *,
    queue: Queue | None = None,
    search: str = "",
    limit: int = 50,
    everything: bool = False,
    narrowed: Narrowed = EVERY,
    within: Reach | None = None,
) -> list[Row]:
    """Open gates, the most urgent first (harm times how little time is left), or in another of `ORDERS`.

    `search` finds words by their beginnings in title and payload, or a gate by its number.
    Those that the user may decide; with `everything` also those they may only see, their own requests among them.
    """
    within = within or reach(user)
    limit = min(limit, MAX_ROWS)
    if search.strip() or narrowed.order in ORDERS:
        found = _narrowed(_open_gates(within, everything=everything, aside=narrowed.aside), queue, narrowed)
        ids = _found(found, search.strip(), limit) if search.strip() else _first(found, limit)
    else:
        ids = _most_urgent(within, queue, narrowed, limit, everything=everything)
    rows = _rows(within, ids)
    if narrowed.aside:
        return rows
    waiting = [gate for gate in within.checks if narrowed.risk in ("", gate.risk)]
    shown = checks.matching(waiting, queue=queue.pk if queue else None, search=search) if waiting else []
    return _merged(user, rows, shown, order=narrowed.order)[:limit]


def _narrowed(gates: QuerySet[Gate], queue: Queue | None, narrowed: Narrowed) -> QuerySet[Gate]:
    found = gates.filter(queue=queue) if queue is not None else gates
    found = found.filter(risk=narrowed.risk) if narrowed.risk else found
    return found.order_by(ORDERS.get(narrowed.order) or _urgency().desc(), "id")


def _merged(user: Person, rows: list[Row], shown: Sequence[Gate], *, order: str) -> list[Row]:
    """The same rows with the checks that are before this person, in the places that gates like them would have."""
    if not shown:
        return rows
    now = timezone.now()
    both = [*rows, *(Row(gate, permissions.can(user, "decide_gate", gate), ()) for gate in shown)]
    if order in ORDERS:
        column = ORDERS[order]
        value = attrgetter(f"gate.{column.lstrip('-')}")
        return sorted(both, key=lambda row: (value(row), row.gate.pk), reverse=column.startswith("-"))
    both.sort(key=lambda row: (-checks.urgency(row.gate.risk, row.gate.deadline_at, now), row.gate.pk))
    return both


def counts(user: Person, *, within: Reach | None = None) -> Counts:
    """What `inbox` would list, counted."""
    within = within or reach(user)
    person = duties.person_of(user) if isinstance(user, User) else 0
    there = desk_db.waiting(queues=within.queues, person=person, without=_elsewhere(within))
    before = [gate for gate in within.checks if gate.queue_id in within.decidable]
    own = [one for one in there if not one.is_elsewhere and one.queue in within.decidable]
    badges = tuple(
        QueueCount(within.decidable[queue], *found)
        for queue, found in sorted(_counted_with(before, own).items(), key=lambda pair: pair[1][1])
    )
    waiting = sum(badge.waiting for badge in badges)
    seen = sum(one.gates for one in there if one.queue in within.visible) + len(before)
    return Counts(waiting, badges, seen - waiting)


def _counted_with(checks_before: Sequence[Gate], own: Sequence[desk_db.Waiting]) -> dict[int, tuple[int, datetime]]:
    found = {one.queue: (one.gates, one.next_deadline_at) for one in own}
    for gate in checks_before:
        count, first = found.get(gate.queue_id, (0, gate.deadline_at))
        found[gate.queue_id] = (count + 1, min(first, gate.deadline_at))
    return found


def get_visible_gate_or_404(user: Person, pk: int) -> Gate:
    """The gate with what its card needs; 404 for one that the user may not see, as if it did not exist."""
    gate = _WHOLE.first(pk=pk) or checks.shown(pk, user)
    if gate is None or not permissions.can(user, "see_gate", gate):
        raise Http404
    return gate


def get_decidable_gate(user: User, pk: int) -> Gate:
    """The gate if the user may decide it; 404 if they may not even see it, a refusal that says why otherwise."""
    gate = get_visible_gate_or_404(user, pk)
    if permissions.is_own_request(user, gate):
        raise SeparationOfDuties(gate_id=pk, why=duties.why_barred(user, gate))
    if not permissions.can(user, "decide_gate", gate):
        raise NotPermitted(verb="decide")
    return gate


def decisions_of(user: User, *, limit: int = 50) -> list[Decision]:
    """What a person decided, newest first, with the run it led to."""
    return list(
        Decision.objects.filter(decided_by=user)
        .select_related("gate__run", "gate__workflow", "gate__queue")
        .defer("gate__subject", "before", "after")
        .order_by("-id")[: min(limit, MAX_ROWS)]
    )


def like(gate: Gate, user: User, *, limit: int) -> list[Gate]:
    """Open gates of the same step that this person may decide, this one first, with what each asks."""
    found = _open_gates(reach(user)).filter(workflow=gate.workflow_id, step=gate.step, kind=gate.kind, risk=gate.risk)
    rows = found.filter(agent=gate.agent).select_related("run", "queue").order_by("deadline_at", "id")[:limit]
    return sorted(rows, key=lambda row: row.pk != gate.pk)


def _open_gates(within: Reach, *, everything: bool = False, aside: bool = False) -> QuerySet[Gate]:
    if everything:
        return _waiting(list(within.visible))
    found = _waiting(list(within.decidable)).filter(permissions.not_requested_by(within.user))
    if aside:
        return found.filter(pk__in=list(within.asleep))
    return found.exclude(pk__in=_elsewhere(within))


def _elsewhere(within: Reach) -> list[int]:
    """What this person could decide and has put aside, or voted on: it is not before them now."""
    return [*within.asleep, *within.voted]


def _waiting(queues: list[int]) -> QuerySet[Gate]:
    # Queues as values, not as a join: the planner then walks the partial index of open gates by queue.
    # What was approved and has not gone out yet waits for nobody.
    return Gate.objects.filter(status=GateStatus.OPEN, queue__in=queues, releases_at=None)


def _urgency() -> models.expressions.CombinedExpression:
    harm = Case(
        *(When(risk=risk, then=Value(float(weight))) for risk, weight in policy.HARM.items()),
        default=Value(float(max(policy.HARM.values()))),
        output_field=FloatField(),
    )
    left = Cast(Extract(F("deadline_at") - Now(), "epoch"), FloatField())
    return harm / Greatest(left, Value(60.0))


def _first(gates: QuerySet[Gate], limit: int) -> list[int]:
    return list(gates.values_list("id", flat=True)[:limit])


def _most_urgent(within: Reach, queue: Queue | None, narrowed: Narrowed, limit: int, *, everything: bool) -> list[int]:
    """Harm times how little time is left: of each risk those whose deadlines are first, however many wait behind."""
    queues = within.visible if everything else within.decidable
    user = within.user
    if not everything and not isinstance(user, User):
        return []
    found = desk_db.most_urgent(
        queues=[pk for pk in queues if queue is None or pk == queue.pk],
        risks=[narrowed.risk] if narrowed.risk else policy.HARM,
        person=duties.person_of(user) if isinstance(user, User) and not everything else None,
        without=() if everything or narrowed.aside else _elsewhere(within),
        only=within.asleep if narrowed.aside and not everything else None,
        limit=limit,
    )
    now = timezone.now()
    found.sort(key=lambda row: (-checks.urgency(row[1], row[2], now), row[0]))
    return [pk for pk, _risk, _deadline in found[:limit]]


def _found(gates: QuerySet[Gate], search: str, limit: int) -> list[int]:
    """Words by their beginnings; where these do not fill the list, also what stands in the middle of words.

    In this order, for the index of words answers by itself and that of trigrams has each text read once more.
    """
    ids = _first(gates.alias(words=subject_words()).filter(_beginning(search)), limit)
    within = [word for word in search.replace("\x00", "").split()[:MAX_WORDS] if len(word) >= WITHIN]
    if len(ids) >= limit or not within:
        return ids
    anywhere = reduce(and_, (Q(text__contains=word.upper()) for word in within))
    both = gates.alias(text=subject_text()).filter(Q(pk__in=ids) | anywhere)
    return _first(both, limit)


def _beginning(search: str) -> Q:
    # Each word by its beginning, anywhere in title or payload. Quoted, a word is text: it cannot be an operator.
    quoted = (word.replace("\\", "").replace("'", "") for word in search.replace("\x00", " ").split()[:MAX_WORDS])
    query = SearchQuery(" & ".join(f"'{word}':*" for word in quoted if word), search_type="raw", config="simple")
    is_number = search.isascii() and search.isdigit() and len(search) < 19
    return Q(words=query) | Q(pk=int(search)) if is_number else Q(words=query)


def _rows(within: Reach, ids: Sequence[int]) -> list[Row]:
    by_id = {gate.pk: gate for gate in _LISTED.fetch(ids=list(ids))} if ids else {}
    named = {pk for gate in by_id.values() for pk in (gate.claimed_by_id, gate.assigned_to_id) if pk}
    people = User.objects.in_bulk(named) if named else {}
    for gate in by_id.values():
        gate.queue = within.queues[gate.queue_id]
        gate.claimed_by, gate.assigned_to = people.get(gate.claimed_by_id), people.get(gate.assigned_to_id)
    looking = looking_at(within.user, ids)
    return [
        Row(by_id[pk], permissions.can(within.user, "decide_gate", by_id[pk]), looking.get(pk, ()))
        for pk in ids
        if pk in by_id
    ]


def looking_at(user: Person, ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """Who else has these gates' cards open now. The caller has checked that the user may see them."""
    return desk_db.looking(ids, apart_from=user.pk or 0, seconds=policy.PRESENCE_SECONDS) if ids else {}
