"""When a check comes before a reviewer, and which: drawn by their own decisions, opened behind a real gate.

1. Each decision of a person is drawn once, under the data folder's key: what is drawn owes them a check.
2. A check is opened only in a minute in which a real gate opened in its queue, with the next number of gates, so that
   neither its time nor its number tells it apart.
"""

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from agents.types import Json
from approvals import db, permissions, policy
from approvals.able import checks, disguise, draws
from approvals.models import Care, Check, Decision, Delivery, Gate, GoldCase, Notice, Queue, SecondLook, Sitting
from approvals.notices import ways
from approvals.notices.models import NoticeKind

MOST_OWED: Final = 2
BEHIND: Final = timedelta(seconds=90)  # a real gate opened at most so long ago
SECOND_SHARE: Final = 0.05
_BATCH: Final = 2_000
_KNOWN: Final = 50  # cases of a queue that are looked at


def draw() -> tuple[int, int]:
    """Draw each new decision of a person for a check and for a second look; return how many of each."""
    newest = Decision.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    fresh = Decision.objects.filter(decided_by__isnull=False, pk__gt=newest - _BATCH, pk__lte=newest)
    people = fresh.exclude(decided_by__sitting__counted__gte=newest).values_list("decided_by", flat=True).distinct()
    shares, made = shares_by_queue(), [0, 0]
    for pk in sorted(set(people)):
        owed, looks = _draw_of(pk, newest, shares)
        made[0] += owed
        made[1] += looks
    return made[0], made[1]


@transaction.atomic
def _draw_of(user: int, newest: int, shares: dict[int, float]) -> tuple[int, int]:
    Sitting.objects.get_or_create(user_id=user)
    row = Sitting.objects.select_for_update().get(pk=user)
    floor = max(row.counted, newest - _BATCH)
    news = Decision.objects.filter(decided_by=user, pk__gt=floor, pk__lte=newest).select_related("gate")
    owed = looks = 0
    for decision in news.defer("before", "after", "gate__subject").order_by("pk"):
        share = shares.get(decision.gate.queue_id, settings.CHECK_SHARE)
        owed += draws.is_drawn(share, "check", user, decision.pk)
        looks += _draw_look(decision)
    row.counted, row.owed = newest, min(MOST_OWED, row.owed + owed)
    row.save(update_fields=["counted", "owed"])
    return owed, looks


def _draw_look(decision: Decision) -> bool:
    gate = decision.gate
    if gate.approvals > 1 or gate.kind != "approval" or not draws.is_drawn(SECOND_SHARE, "look", gate.pk):
        return False
    first = checks.category(decision.verdict)
    return SecondLook.objects.get_or_create(gate=gate, defaults={"queue_id": gate.queue_id, "first": first})[1]


def shares_by_queue() -> dict[int, float]:
    """What each queue says of itself; the setting holds for the others."""
    said = Care.objects.filter(check_share__isnull=False).values_list("queue", "check_share")
    return {queue: share for queue, share in said if share is not None}


def open_owed() -> int:
    """Open the checks that are owed where a real gate has just opened; return how many."""
    busy = list(
        Gate.objects.filter(status="open", opened_at__gt=Now() - BEHIND).values_list("queue", flat=True).distinct()
    )
    if not busy:
        return 0
    opened = 0
    for row in Sitting.objects.filter(owed__gt=0, user__is_active=True).select_related("user").order_by("pk"):
        opened += _open_one(row.user, busy)
    return opened


def _open_one(user: User, busy: list[int]) -> bool:
    if Check.objects.filter(reviewer=user, ended_at=None).exists():
        return False
    decidable = set(permissions.decidable_queues(user).values_list("pk", flat=True)) & set(busy)
    return any(open_check(case, user) is not None for case in cases_for(user, decidable))


def cases_for(user: User, queues: set[int]) -> list[GoldCase]:
    """Cases in use that this person has had nothing to do with, in an order of their own that nobody can foretell."""
    known = GoldCase.objects.filter(queue__in=queues, retired_at=None, confirmed_at__isnull=False)
    known = known.exclude(checks__reviewer=user).exclude(gate__decisions__decided_by=user)
    known = known.exclude(gate__votes__voter=user).exclude(gate__comments__author=user)
    known = known.exclude(gate__second_look__reviewer=user).exclude(gate__second_look__ruled_by=user)
    found = known.exclude(confirmed_by=user).select_related("gate__run", "queue").order_by("pk")[:_KNOWN]
    own = (case for case in found if permissions.can(user, "decide_gate", case.gate))
    return sorted(own, key=lambda case: draws.rank("case", user.pk, case.pk))


def open_check(case: GoldCase, user: User) -> Check | None:
    """Put a case before somebody, with the numbers that a gate and its run would have got now."""
    now = timezone.now()
    try:
        with transaction.atomic():
            check = Check.objects.create(
                id=db.next_number("approvals_gate"), case=case, reviewer=user, queue=case.queue,
                run_number=db.next_number("orchestrator_run"), seal=policy.seal(case.subject), opened_at=now,
                shown_deadline_at=now + timedelta(seconds=case.gate.deadline_s),
            )  # fmt: skip
            Sitting.objects.filter(pk=user.pk, owed__gt=0).update(owed=F("owed") - 1)
            _tell(check)
            return check
    except IntegrityError:  # somebody else's watch was quicker
        return None


def _tell(check: Check) -> None:
    """As telling does of a gate that opened: the same notice, by the same ways."""
    gate = disguise.disguised(Check.objects.select_related(*disguise.WITH).get(pk=check.pk))
    queue: Queue = check.queue
    facts: dict[str, Json] = {"queue": queue.title, "deadline": check.shown_deadline_at.isoformat(), "item": check.pk}
    notice = Notice.objects.create(
        recipient=check.reviewer, pos=-check.pk, kind=NoticeKind.DECIDE, risk=gate.risk, title=gate.title, facts=facts,
        path=f"/inbox/{check.pk}/",
    )  # fmt: skip
    Delivery.objects.bulk_create(ways.deliveries([notice]))
    db.nudge_notices([check.reviewer_id])
