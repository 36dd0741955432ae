"""What the inbox, the badges and the history show. Every list is bounded, and a badge counts the list it stands for."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import and_, attrgetter
from typing import Any, Final

from django.contrib.auth.models import User
from django.contrib.postgres.search import SearchQuery
from django.db import models
from django.db.models import Case, Count, F, FloatField, Min, Q, QuerySet, Value, When
from django.db.models.functions import Cast, Extract, Greatest, Now
from django.http import Http404
from django.utils import timezone

from approvals import duties, permissions, policy, snoozing, voting
from approvals.able import checks
from approvals.cards import Card as Card
from approvals.cards import card as card
from approvals.cards import who_is_looking as who_is_looking
from approvals.errors import NotPermitted, SeparationOfDuties
from approvals.models import Decision, Gate, GateStatus, Presence, Queue, subject_text, subject_words
from approvals.permissions import Person

MAX_ROWS = 200
MAX_WORDS = 10
WITHIN = 3  # characters: shorter words have no trigram, and are found by their beginnings alone


@dataclass(frozen=True, slots=True)
class Row:
    """One gate in a list, with who else has it open right now."""

    gate: Gate
    may_decide: bool
    looking: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QueueCount:
    """One queue's badge."""

    queue: Queue
    waiting: int
    oldest_at: datetime
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


def inbox(
    user: Person,
    *,
    queue: Queue | None = None,
    search: str = "",
    limit: int = 50,
    everything: bool = False,
    narrowed: Narrowed = EVERY,
) -> list[Row]:
    """Open gates, the most urgent first (harm times how little time is left), or in another of `ORDERS`.

    `search` finds words by their beginnings in title and payload, or a gate by its number.
    Those that the user may decide; with `everything` also those they may only see, their own requests among them.
    """
    found = _open_gates(user, everything=everything, aside=narrowed.aside)
    if queue is not None:
        found = found.filter(queue=queue)
    if narrowed.risk:
        found = found.filter(risk=narrowed.risk)
    if search.strip():
        found = found.alias(words=subject_words(), text=subject_text()).filter(_matching(search.strip()))
    # The order is worked out from the index alone; only the rows that are shown are read.
    order = ORDERS.get(narrowed.order) or _urgency().desc()
    ids = list(found.order_by(order, "id").values_list("id", flat=True)[: min(limit, MAX_ROWS)])
    rows = _rows(user, ids)
    if narrowed.aside:
        return rows
    waiting = [gate for gate in checks.open_before(user) if narrowed.risk in ("", gate.risk)]
    shown = checks.matching(waiting, queue=queue.pk if queue else None, search=search) if waiting else []
    return _merged(user, rows, shown, order=narrowed.order)[: min(limit, MAX_ROWS)]


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


def counts(user: Person) -> Counts:
    """What `inbox` would list, counted."""
    per_queue = (
        _open_gates(user)
        .order_by()
        .values("queue_id")
        .annotate(waiting=Count("id"), oldest_at=Min("opened_at"), next_deadline_at=Min("deadline_at"))
    )
    queues = {queue.pk: queue for queue in permissions.decidable_queues(user)}
    mine = [gate for gate in checks.open_before(user) if gate.queue_id in queues]
    counted = _counted_with(mine, [dict(row) for row in per_queue])
    badges = tuple(
        QueueCount(queues[found["queue_id"]], found["waiting"], found["oldest_at"], found["next_deadline_at"])
        for found in sorted(counted, key=lambda found: found["next_deadline_at"])
    )
    waiting = sum(badge.waiting for badge in badges)
    seen = _open_gates(user, everything=True).count() + len(mine)
    return Counts(waiting, badges, seen - waiting)


def _counted_with(waiting: Sequence[Gate], per_queue: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = {row["queue_id"]: row for row in per_queue}
    for gate in waiting:
        fresh = {
            "queue_id": gate.queue_id,
            "waiting": 0,
            "oldest_at": gate.opened_at,
            "next_deadline_at": gate.deadline_at,
        }
        row = found.setdefault(gate.queue_id, fresh)
        row["waiting"] += 1
        row["oldest_at"] = min(row["oldest_at"], gate.opened_at)
        row["next_deadline_at"] = min(row["next_deadline_at"], gate.deadline_at)
    return list(found.values())


def get_visible_gate_or_404(user: Person, pk: int) -> Gate:
    """The gate with what its card needs; 404 for one that the user may not see, as if it did not exist."""
    gate = (
        Gate.objects.select_related(
            "run", "workflow", "queue", "task", "claimed_by", "requested_by", "assigned_to", "assigned_by"
        )
        .filter(pk=pk)
        .first()
    ) or checks.shown(pk, user)
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
    found = _open_gates(user).filter(workflow=gate.workflow_id, step=gate.step, kind=gate.kind, risk=gate.risk)
    rows = found.filter(agent=gate.agent).select_related("run", "queue").order_by("deadline_at", "id")[:limit]
    return sorted(rows, key=lambda row: row.pk != gate.pk)


def _open_gates(user: Person, *, everything: bool = False, aside: bool = False) -> QuerySet[Gate]:
    if everything:
        return _waiting(_ids(permissions.visible_queues(user)))
    found = _waiting(_ids(permissions.decidable_queues(user))).filter(permissions.not_requested_by(user))
    if not isinstance(user, User):
        return found
    asleep = snoozing.asleep(user)
    if aside:
        return found.filter(pk__in=asleep)
    found = found.exclude(pk__in=asleep)
    voted = voting.voted_by(user)
    return found.exclude(pk__in=voted) if voted else found


def _waiting(queues: list[int]) -> QuerySet[Gate]:
    # What was approved and has not gone out yet waits for nobody.
    return Gate.objects.filter(status=GateStatus.OPEN, queue__in=queues, releases_at=None)


def _ids(queues: QuerySet[Queue]) -> list[int]:
    # As values, not as a join: the planner then walks the partial index of open gates by queue.
    return list(queues.order_by().values_list("pk", flat=True))


def _urgency() -> models.expressions.CombinedExpression:
    harm = Case(
        *(When(risk=risk, then=Value(float(weight))) for risk, weight in policy.HARM.items()),
        default=Value(float(max(policy.HARM.values()))),
        output_field=FloatField(),
    )
    left = Cast(Extract(F("deadline_at") - Now(), "epoch"), FloatField())
    return harm / Greatest(left, Value(60.0))


def _matching(search: str) -> Q:
    # Each word by its beginning, anywhere in title or payload. Quoted, a word is text: it cannot be an operator.
    quoted = (word.replace("\\", "").replace("'", "") for word in search.replace("\x00", " ").split()[:MAX_WORDS])
    within = [word for word in search.split()[:MAX_WORDS] if len(word) >= WITHIN]
    query = SearchQuery(" & ".join(f"'{word}':*" for word in quoted if word), search_type="raw", config="simple")
    is_number = search.isascii() and search.isdigit() and len(search) < 19
    found = Q(words=query)
    if within:  # the index of trigrams finds what stands in the middle of a word
        found |= reduce(and_, (Q(text__contains=word.replace("\x00", "").upper()) for word in within))
    return found | Q(pk=int(search)) if is_number else found


def _rows(user: Person, ids: Sequence[int]) -> list[Row]:
    gates = (
        Gate.objects.filter(pk__in=ids)
        .select_related("run", "workflow", "queue", "claimed_by", "assigned_to")
        .defer("subject")
        .fetch_mode(models.FETCH_RAISE)
    )
    by_id = {gate.pk: gate for gate in gates}
    looking = looking_at(user, ids)
    return [
        Row(by_id[pk], permissions.can(user, "decide_gate", by_id[pk]), looking.get(pk, ()))
        for pk in ids
        if pk in by_id
    ]


def looking_at(user: Person, ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """Who else has these gates' cards open now. The caller has checked that the user may see them."""
    found: dict[int, list[str]] = defaultdict(list)
    fresh = Presence.objects.filter(gate_id__in=ids, seen_at__gt=Now() - timedelta(seconds=policy.PRESENCE_SECONDS))
    for presence in fresh.exclude(user_id=user.pk or 0).select_related("user").order_by("user_id"):
        found[presence.gate_id].append(presence.user.get_full_name() or presence.user.username)
    return {gate_id: tuple(names) for gate_id, names in found.items()}
