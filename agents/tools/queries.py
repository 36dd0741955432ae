"""What the pages of tools show: each with its state and its calls, counted."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Max, Q, Sum
from django.http import Http404
from django.utils import timezone

from agents.models import Tool, ToolUse, ToolVersion

DAY: Final = timedelta(hours=24)
MOST: Final = 500


@dataclass(frozen=True, slots=True)
class Counts:
    """Calls of one tool in the last 24 hours. `ms`: the mean of those that ran."""

    allowed: int = 0
    denied: int = 0
    asked: int = 0
    failed: int = 0
    limited: int = 0
    ms: float | None = None
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One tool with its newest version."""

    tool: Tool
    version: ToolVersion | None
    counts: Counts


def tools(*, search: str = "") -> list[Row]:
    """Every recorded tool, in three queries."""
    rows = Tool.objects.filter(Q(name__icontains=search) | Q(title__icontains=search)) if search else Tool.objects.all()
    found = list(rows[:MOST])
    newest = ToolVersion.objects.order_by("tool_id", "-number").distinct("tool_id").defer("input_schema")
    versions = {version.tool_id: version for version in newest}
    counts = _counts([tool.name for tool in found])
    return [Row(tool, versions.get(tool.pk), counts.get(tool.name, Counts())) for tool in found]


def get_tool_or_404(name: str) -> Tool:
    """The tool with this name."""
    found = Tool.objects.filter(name=name).first()
    if found is None:
        raise Http404
    return found


def counts_of(tool: Tool) -> Counts:
    """One tool's calls in the last 24 hours."""
    return _counts([tool.name]).get(tool.name, Counts())


def by_hour(tool: Tool) -> list[int]:
    """Calls that ran in each of the last 24 hours, the oldest first."""
    start = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=23)
    uses = ToolUse.objects.filter(tool=tool.name, hour__gte=start, decision__in=("allowed", "failed"))
    rows = uses.order_by().values_list("hour").annotate(calls=Sum("calls"))
    found = {int((hour - start).total_seconds() // 3600): calls for hour, calls in rows}
    return [found.get(hour, 0) for hour in range(24)]


def recent(tool: Tool) -> list[ToolUse]:
    """What was decided about its calls, the newest first."""
    return list(ToolUse.objects.filter(tool=tool.name).order_by("-last_at")[:50])


def _counts(names: list[str]) -> dict[str, Counts]:
    uses = ToolUse.objects.filter(tool__in=names, hour__gte=timezone.now() - DAY).order_by()
    rows = uses.values_list("tool", "decision").annotate(calls=Sum("calls"), ms=Sum("total_ms"), last=Max("last_at"))
    by_tool: dict[str, dict[str, tuple[int, float, datetime]]] = {}
    for tool, decision, calls, ms, last in rows:
        by_tool.setdefault(tool, {})[decision] = (calls, ms, last)
    return {tool: _sum(found) for tool, found in by_tool.items()}


def _sum(found: dict[str, tuple[int, float, datetime]]) -> Counts:
    count = {decision: calls for decision, (calls, _, _) in found.items()}
    ran = count.get("allowed", 0) + count.get("failed", 0)
    spent = sum(found[decision][1] for decision in ("allowed", "failed") if decision in found)
    return Counts(
        **{name: count.get(name, 0) for name in ("allowed", "denied", "asked", "failed", "limited")},
        ms=spent / ran if ran else None,
        last_at=max(last for _, _, last in found.values()),
    )
