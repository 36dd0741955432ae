"""How satisfied people are with working here: one answer a person and month, told as a mean with its n."""

from dataclasses import dataclass
from datetime import date
from statistics import mean, stdev
from typing import Final

from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.utils import timezone

from approvals import policy
from approvals.errors import FeedbackRefused
from approvals.feedback.models import SurveyAnswer

TARGET: Final = 9.0
MONTHS: Final = 12
SCORES: Final = tuple(range(1, 11))


@dataclass(frozen=True, slots=True)
class Month:
    """One month's answers. `half`: half of the mean's 95 % interval, None below two answers."""

    starts: date
    n: int
    mean: float
    half: float | None


def answer(*, by: User, score: int, comment: str = "") -> SurveyAnswer:
    """Keep this month's answer; a later one of the same month takes its place. Raises FeedbackRefused."""
    if score not in SCORES:
        raise FeedbackRefused(why="a score is 1 to 10")
    told = {"score": score, "comment": policy.clean_text(comment)[:2000], "at": Now()}
    row, _made = SurveyAnswer.objects.update_or_create(by=by, month=_month(), defaults=told)
    return row


def months() -> list[Month]:
    """The last twelve months with answers, the newest first. Nobody's answer is told by name."""
    scores: dict[date, list[int]] = {}
    for month, score in SurveyAnswer.objects.order_by("-month").values_list("month", "score"):
        scores.setdefault(month, []).append(score)
    return [_summed(month, given) for month, given in list(scores.items())[:MONTHS]]


def own(user: User) -> SurveyAnswer | None:
    """What this person has answered this month."""
    return SurveyAnswer.objects.filter(by=user, month=_month()).first()


def _summed(month: date, given: list[int]) -> Month:
    half = 1.96 * stdev(given) / len(given) ** 0.5 if len(given) > 1 else None
    return Month(month, len(given), mean(given), half)


def _month() -> date:
    return timezone.now().date().replace(day=1)
