"""Second looks: one in twenty decided gates is judged again by somebody else, who is not told how it was decided.

They come after the fact and release nothing. Where two disagree, a third person rules, and the case is kept as a check.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from approvals import duties, permissions, policy
from approvals.able import agreement
from approvals.able.models import Basis, Truth
from approvals.errors import LookNotFound, LookTaken, NoteMissing, NotPermitted, VerdictNotAllowed
from approvals.models import GoldCase, SecondLook
from orchestrator import events
from orchestrator import services as engine

KEPT: Final = timedelta(days=30)  # an item that nobody has looked at by then is let go
WEEKS: Final = 12
MOST: Final = 2_000


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far people agree at one step of a workflow, or altogether."""

    workflow: str
    step: str
    n: int
    alpha: float | None
    trend: tuple[tuple[date, int, float | None], ...]  # by week: Monday, items, alpha

    @property
    def words(self) -> str:
        """What it says."""
        return agreement.words(self.alpha, self.n)

    @property
    def is_said(self) -> bool:
        """Whether there are enough items to show a number."""
        return self.n >= agreement.FEWEST and self.alpha is not None


def waiting_for(user: User) -> QuerySet[SecondLook]:
    """What this person could look at: in queues that they decide, decided by somebody else, without a hand in it."""
    mine = {user.pk, duties.person_of(user)}
    found = SecondLook.objects.filter(
        second="", drawn_at__gt=Now() - KEPT, queue__in=permissions.decidable_queues(user)
    ).exclude(gate__decisions__decided_by__in=_accounts(mine))
    barred = Q(gate__requested_by__in=mine) | Q(gate__run__started_by__in=mine)
    for pk in mine:
        barred |= Q(gate__barred__contains=[pk])
    known = Q(gate__comments__author=user) | Q(gate__presence__user=user)  # presence: has had its card open
    return found.exclude(barred).exclude(known).select_related("gate__workflow", "gate__run", "queue").order_by("pk")


@transaction.atomic
def give(*, look_id: int, by: User, says: str, note: str = "") -> SecondLook:
    """Judge for the second time. Raises LookNotFound, LookTaken, VerdictNotAllowed, NoteMissing."""
    if not waiting_for(by).filter(pk=look_id).exists():
        raise LookTaken if SecondLook.objects.filter(pk=look_id, reviewer=by).exists() else LookNotFound
    if says not in agreement.CATEGORIES:
        raise VerdictNotAllowed(gate_id=look_id, verdict=says[:50], allowed=", ".join(agreement.CATEGORIES))
    text = policy.clean_text(note)[: policy.NOTE_LIMIT]
    if says != "accept" and not text:
        raise NoteMissing(verdict=says, risk="any")
    taken = SecondLook.objects.filter(pk=look_id, second="")
    if not taken.update(second=says, reviewer=by, note=text, given_at=Now()):
        raise LookTaken
    return SecondLook.objects.select_related("gate").get(pk=look_id)


def disputed(user: User) -> QuerySet[SecondLook]:
    """On which two people disagree, for whoever may rule: a third person who keeps quality."""
    found = SecondLook.objects.exclude(second="").filter(ruling="", queue__in=permissions.visible_queues(user))
    if not permissions.can(user, "edit_quality"):
        return found.none()
    apart = Q()
    for name in agreement.CATEGORIES:
        apart |= Q(first=name) & ~Q(second=name)
    mine = Q(reviewer=user) | Q(gate__decisions__decided_by=user)
    return found.filter(apart).exclude(mine).select_related("gate__workflow", "queue").order_by("-given_at")


@transaction.atomic
def rule(*, look_id: int, by: User, truth: str, why: str) -> SecondLook:
    """Say who was right; the case becomes a check for others. Raises NotPermitted, LookNotFound, NoteMissing."""
    if not permissions.can(by, "edit_quality"):
        raise NotPermitted(verb="rule on what others judged")
    if truth not in Truth.values:
        raise VerdictNotAllowed(gate_id=look_id, verdict=truth[:50], allowed=", ".join(Truth.values))
    if not (text := policy.clean_text(why)[: policy.NOTE_LIMIT]):
        raise NoteMissing(verdict="rule", risk="any")
    look = disputed(by).select_related(None).select_for_update(of=("self",)).filter(pk=look_id).first()
    if look is None:
        raise LookNotFound
    SecondLook.objects.filter(pk=look.pk).update(ruling=truth, ruled_by=by, ruled_at=Now(), why=text)
    GoldCase.objects.get_or_create(
        gate=look.gate, basis=Basis.ADJUDICATED,
        defaults={
            "queue": look.queue, "truth": truth, "subject": look.gate.subject, "why": text, "confirmed_by": by,
            "confirmed_at": timezone.now(),
        },
    )  # fmt: skip
    events.append(
        "oversight.ruled", actor=engine.actor_of(by), data={"look": look.pk, "gate": look.gate_id, "says": truth}
    )
    return look


def agreements(user: User) -> tuple[Agreement, list[Agreement]]:
    """Of the last twelve weeks: altogether, and by workflow and step; of queues that this person may see."""
    given = SecondLook.objects.exclude(second="").filter(given_at__gt=Now() - timedelta(weeks=WEEKS))
    if not permissions.can(user, "see_oversight"):
        given = given.filter(queue__in=permissions.visible_queues(user))
    rows = list(
        given.order_by("-given_at").values_list("gate__workflow__title", "gate__step", "first", "second", "given_at")[
            :MOST
        ]
    )
    by_step: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in rows:
        by_step[row[0], row[1]].append(row)
    return _agreement("", "", rows), [_agreement(*at, by_step[at]) for at in sorted(by_step)]


def _agreement(workflow: str, step: str, rows: Sequence[Any]) -> Agreement:
    weeks: dict[date, list[tuple[str, str]]] = defaultdict(list)
    for _workflow, _step, first, second, at in rows:
        day = timezone.localtime(at).date()
        weeks[day - timedelta(days=day.weekday())].append((first, second))
    pairs = [(first, second) for _workflow, _step, first, second, _at in rows]
    trend = tuple((week, len(found), agreement.alpha(found)) for week, found in sorted(weeks.items()))
    return Agreement(workflow, step, len(pairs), agreement.alpha(pairs), trend)


def _accounts(people: set[int]) -> list[int]:
    """All accounts of a person."""
    return list(User.objects.filter(Q(pk__in=people) | Q(profile__same_as__in=people)).values_list("pk", flat=True))
