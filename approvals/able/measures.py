"""How long a person actively looks at a card, and what of it they open: sent by the card, doubted by the server.

A card reports while it is visible, its window has the focus and something was done in it lately. The server counts no
more than has passed by its own clock since the last report, in steps of five seconds, and half an hour at most.
"""

from datetime import timedelta
from statistics import median
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from approvals import permissions
from approvals.able import checks
from approvals.errors import GateNotFound
from approvals.models import Gate, GateStatus, Handling, Sitting

STEP_S: Final = 5
MOST_AT_ONCE_S: Final = 30
MOST_S: Final = 30 * 60
PAUSE: Final = timedelta(minutes=15)  # whoever is not seen for so long sits down anew
SESSION: Final = timedelta(minutes=60)  # after that a break is suggested
KEPT: Final = timedelta(days=365)
QUIET: Final = timedelta(minutes=30)  # and not again for so long
HASTY_S: Final = 3
HASTY_SHARE: Final = 0.25  # of one's own median: SCENARIOS, "Metrics"
HASTY_IN_A_ROW: Final = 3


@transaction.atomic
def beat(*, item: int, by: User, seconds: int, evidence: bool = False, run: bool = False) -> Handling:
    """Count a report of a card. Raises GateNotFound."""
    gate = Gate.objects.select_related("run", "queue").filter(pk=item).first()
    is_check = gate is None
    gate = gate or checks.shown(item, by)
    if gate is None or not permissions.can(by, "see_gate", gate):
        raise GateNotFound(gate_id=item)
    seen(by)
    known = {
        "queue": gate.queue, "risk": gate.risk, "is_check": is_check,
        "has_evidence": bool(gate.subject.get("evidence")),
    }  # fmt: skip
    Handling.objects.get_or_create(item=item, reviewer=by, defaults=known)
    row = Handling.objects.select_for_update().get(item=item, reviewer=by)
    if row.decided_at is not None or gate.status != GateStatus.OPEN:
        return row
    now = timezone.now()
    passed = (now - row.beat_at).total_seconds()
    row.active_s = min(MOST_S, row.active_s + plausible(seconds, passed))
    row.saw_evidence, row.saw_run = row.saw_evidence or evidence, row.saw_run or run
    row.beat_at = now
    row.save(update_fields=["active_s", "saw_evidence", "saw_run", "beat_at"])
    return row


def plausible(claimed: int, passed: float) -> int:
    """So many of the claimed seconds are counted: no more than have passed, in whole steps."""
    most = min(MOST_AT_ONCE_S, int(passed) + 1)
    return max(0, min(claimed, most)) // STEP_S * STEP_S


def decided(item: int, by: User, verdict: str) -> None:
    """Note the verdict with the measures; nothing where the card reported nothing (the API, no JavaScript)."""
    Handling.objects.filter(item=item, reviewer=by, decided_at=None).update(verdict=verdict, decided_at=Now())


def forget_old() -> int:
    """Delete measures that are older than they are kept; return how many."""
    return Handling.objects.filter(beat_at__lt=timezone.now() - KEPT).delete()[0]


def seen(by: User) -> None:
    """Somebody is at work now."""
    now = timezone.now()
    row, is_new = Sitting.objects.get_or_create(user=by, defaults={"since": now, "seen_at": now})
    if is_new:
        return
    is_back = row.seen_at is None or now - row.seen_at > PAUSE
    columns = {"seen_at": now, **({"since": now, "break_told_at": None} if is_back or row.since is None else {})}
    Sitting.objects.filter(pk=by.pk).update(**columns)


def suggests_break(by: User) -> bool:
    """Whether a break would do somebody good: a long session without a pause, or speeding. Only ever a suggestion."""
    row = Sitting.objects.filter(pk=by.pk).first()
    now = timezone.now()
    if row is None or row.since is None or row.seen_at is None or now - row.seen_at > PAUSE:
        return False
    if row.break_told_at is not None and now - row.break_told_at < QUIET:
        return False
    return now - row.since >= SESSION or is_hasty(by)


def told_of_break(by: User) -> None:
    """They have read it: not again for half an hour."""
    Sitting.objects.filter(pk=by.pk).update(break_told_at=Now())


def is_hasty(by: User) -> bool:
    """Whether their last three decisions at high risk were much faster than usual, their evidence unopened."""
    grave = Handling.objects.filter(reviewer=by, decided_at__isnull=False, risk__in=("high", "critical"))
    last = list(grave.order_by("-decided_at")[:HASTY_IN_A_ROW])
    return len(last) == HASTY_IN_A_ROW and all(was_hasty(one, usual_s(by)) for one in last)


def was_hasty(one: Handling, usual: float | None) -> bool:
    """Approved far below one's own usual time without a look at the evidence that there was."""
    least = max(HASTY_S, HASTY_SHARE * usual) if usual else HASTY_S
    return one.verdict == "approve" and one.has_evidence and not one.saw_evidence and one.active_s < least


def usual_s(by: User) -> float | None:
    """One's own median of active seconds over the last 200 decisions; None for nobody's."""
    own = Handling.objects.filter(reviewer=by, decided_at__isnull=False).order_by("-decided_at")
    taken = list(own.values_list("active_s", flat=True)[:200])
    return float(median(taken)) if taken else None
