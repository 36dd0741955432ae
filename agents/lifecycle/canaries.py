"""A canary compared with the current version while both work, and taken out when it does worse."""

from typing import Final

from django.db import transaction
from django.utils import timezone

from agents import event_log
from agents.lifecycle import items
from agents.lifecycle.comparing import Line, compare, is_worse
from agents.lifecycle.measuring import measure
from agents.models import AgentRelease
from agents.types import Json

NAMES: Final = {
    "success": "success share",
    "accuracy": "decisions that let it stand",
    "score": "quality score",
    "p95_ms": "latency p95",
}


def lines_of(release: AgentRelease) -> list[Line]:
    """The comparison since the canary began; empty without one."""
    if release.canary is None or release.canary_since is None:
        return []
    since = release.canary_since
    current = measure(release.agent, since=since, version=release.current)
    return compare(current, measure(release.agent, since=since, version=release.canary))


def watch() -> int:
    """Compare every canary, keep the comparison, and roll back what does worse; how many were rolled back."""
    return sum(
        check(pk) for pk in AgentRelease.objects.exclude(canary=None).order_by("pk").values_list("pk", flat=True)
    )


@transaction.atomic
def check(agent: int) -> bool:
    """One agent's canary: whether it was rolled back."""
    release = AgentRelease.objects.select_for_update(of=("self",)).select_related("agent").get(pk=agent)
    if release.canary is None:
        return False
    lines = lines_of(release)
    release.comparison = {"at": timezone.now().isoformat(), "lines": [line.as_json() for line in lines]}
    worse = is_worse(lines)
    if worse:
        _roll_back(release, worse)
    release.save()
    return bool(worse)


def _roll_back(release: AgentRelease, worse: list[Line]) -> None:
    canary, name = release.canary, release.agent.name
    release.canary, release.share, release.canary_since = None, 0, None
    release.changed_at = timezone.now()
    why = "; ".join(words_of(line) for line in worse)
    facts: dict[str, Json] = {
        "agent": name, "version": canary, "current": release.current, "lines": [line.as_json() for line in worse],
    }  # fmt: skip
    event_log.record("agent.canary_rolled_back", actor="engine", data=facts)
    items.open_once(release.agent, "canary", f"Canary v{canary} was rolled back: {why}.", facts)


def words_of(line: Line) -> str:
    """One measure of both, with how many observations each rests on."""
    canary, current = _of(line, line.canary), _of(line, line.current)
    return f"{NAMES[line.measure]} {canary} (n={line.n_canary}) against {current} (n={line.n_current})"


def _of(line: Line, value: float) -> str:
    match line.measure:
        case "p95_ms":
            return f"{value:,.0f} ms"
        case "score":
            return f"{value:.1f}"
    return f"{value * 100:.1f} %"
