"""Calls of tools that a run has made and that their tools know how to undo."""

from collections import defaultdict
from typing import Any, Final

from agents.models import ToolVersion
from agents.types import Json
from orchestrator.models import Effect, task_id

AGENT: Final = "tool-undo"  # agents.library.tool_undo


def to_undo(run_id: int) -> dict[int, tuple[dict[str, Json], ...]]:
    """By task: each confirmed call whose tool has a `compensate` hook, the last first, as that agent takes it."""
    effects = Effect.objects.filter(
        task_id__gte=task_id(run_id, 0), task_id__lt=task_id(run_id + 1, 0), key__startswith="tool:", status="confirmed"
    )
    rows = list(effects.order_by("-updated_at", "-id").values_list("task_id", "key", "result"))
    if not rows:
        return {}
    hooks = set(ToolVersion.objects.filter(config__compensate=True).values_list("tool__name", "number"))
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for task, key, kept in rows:
        if not isinstance(kept, dict):
            continue
        call = kept.get("call")
        if isinstance(call, dict) and (call.get("tool"), call.get("version")) in hooks:
            found[task].append({**call, "key": key, "result": kept.get("result")})
    return {task: tuple(calls) for task, calls in found.items()}
