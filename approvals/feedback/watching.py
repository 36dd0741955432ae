"""Work that the figures ask for: overrides of one agent's outputs, errors of one tool. Opened once, until it is closed.

What was counted before an improvement was closed does not open the next one.
"""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, Max, Q, Sum
from django.db.models.functions import Now
from django.utils import timezone

from agents.models import ToolUse
from agents.types import Json
from approvals import permissions
from approvals.errors import FeedbackNotFound, NotPermitted, OutcomeMissing
from approvals.feedback.models import Improvement, Lesson
from orchestrator import events, services
from orchestrator.events import EventKind

ENGINE: Final = "engine"
OVERRIDE_SHARE: Final = 0.20  # more than this share of an agent's judged outputs was changed or refused
OVERRIDES_LEAST: Final = 20  # judged outputs; fewer say too little
OVERRIDE_DAYS: Final = 30
ERROR_SHARE: Final = 0.05  # more than this share of a tool's calls failed
ERRORS_LEAST: Final = 40  # calls that went through to the tool
ERROR_DAYS: Final = 7
EXAMPLES: Final = 10
_WENT_THROUGH: Final = ("allowed", "failed")


def look(agents: Collection[str]) -> int:
    """Look at these agents and at every tool that was used lately; how many improvements were opened."""
    opened = sum(_look_at_agent(agent) for agent in sorted(agents))
    return opened + sum(_look_at_tool(tool) for tool in _tools_in_use())


@transaction.atomic
def close(improvement_id: int, *, by: User, outcome: str) -> Improvement:
    """Say what was done, or why nothing was. Raises FeedbackNotFound, NotPermitted, OutcomeMissing."""
    if not permissions.can(by, "edit_quality"):
        raise NotPermitted(verb="close improvements")
    outcome = outcome.replace("\x00", "").strip()[:5000]
    if not outcome:
        raise OutcomeMissing
    found = Improvement.objects.select_for_update().filter(pk=improvement_id, closed_at=None).first()
    if found is None:
        raise FeedbackNotFound(what=f"open improvement {improvement_id}")
    found.closed_at, found.closed_by, found.outcome = timezone.now(), by, outcome
    found.save(update_fields=["closed_at", "closed_by", "outcome"])
    facts: dict[str, Json] = {"improvement": found.pk, "kind": found.kind, "subject": found.subject, "reason": outcome}
    events.append(EventKind.IMPROVEMENT_CLOSED, actor=services.actor_of(by), data=facts)
    return found


def _look_at_agent(agent: str) -> bool:
    kind = Improvement.Kind.RETRAINING
    judged = Lesson.objects.filter(agent=agent, stood__isnull=False, at__gt=_since(kind, agent, OVERRIDE_DAYS))
    found = judged.aggregate(n=Count("id"), count=Count("id", filter=Q(stood=False)))
    n, count = found["n"], found["count"]
    if n < OVERRIDES_LEAST or count <= OVERRIDE_SHARE * n:
        return False
    examples = list(judged.filter(stood=False).order_by("-id").values_list("pk", flat=True)[:EXAMPLES])
    words = (
        f"{count} of {n} outputs of {agent} that people judged in {OVERRIDE_DAYS} days were changed or refused: "
        f"{count / n:.0%}, more than {OVERRIDE_SHARE:.0%}."
    )
    return _open(kind, agent, words, {"n": n, "count": count, "days": OVERRIDE_DAYS, "examples": [*examples]})


def _tools_in_use() -> Iterator[str]:
    lately = ToolUse.objects.filter(last_at__gt=timezone.now() - timedelta(days=1), decision="failed")
    yield from lately.order_by("tool").values_list("tool", flat=True).distinct()


def _look_at_tool(tool: str) -> bool:
    kind = Improvement.Kind.TOOL_ERRORS
    uses = ToolUse.objects.filter(tool=tool, decision__in=_WENT_THROUGH, hour__gt=_since(kind, tool, ERROR_DAYS))
    found = uses.aggregate(n=Sum("calls"), count=Sum("calls", filter=Q(decision="failed")))
    n, count = found["n"] or 0, found["count"] or 0
    if n < ERRORS_LEAST or count <= ERROR_SHARE * n:
        return False
    failed = uses.filter(decision="failed").order_by("-last_at").values_list("agent", "code", "last_key")
    codes: list[Json] = [{"agent": agent, "code": code, "key": key} for agent, code, key in failed[:EXAMPLES]]
    words = f"{count} of {n} calls of {tool} failed in {ERROR_DAYS} days: {count / n:.1%}, more than {ERROR_SHARE:.0%}."
    facts: dict[str, Json] = {"n": n, "count": count, "days": ERROR_DAYS, "examples": codes}
    return _open(kind, tool, words, facts)


def _since(kind: str, subject: str, days: int) -> datetime:
    """Where the window begins: so many days ago, or where the last improvement of this kind was closed."""
    closed = Improvement.objects.filter(kind=kind, subject=subject).aggregate(last=Max("closed_at"))["last"]
    begins = timezone.now() - timedelta(days=days)
    return max(begins, closed) if closed else begins


@transaction.atomic
def _open(kind: str, subject: str, words: str, facts: dict[str, Json]) -> bool:
    """Open it unless one is open: the constraint lets the first of two through, and the other finds its row."""
    made, is_new = Improvement.objects.get_or_create(
        kind=kind, subject=subject, closed_at=None, defaults={"words": words[:500], "facts": facts, "opened_at": Now()}
    )
    if is_new:
        data: dict[str, Json] = {"improvement": made.pk, "kind": kind, "subject": subject, "words": made.words}
        events.append(EventKind.IMPROVEMENT_OPENED, actor=ENGINE, data=data)
    return is_new
