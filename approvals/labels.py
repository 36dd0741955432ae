"""People's decisions as labels of agents' outputs, for calibration and datasets. See `agents.quality.outcomes`.

An output is right if it was approved as it stood, wrong if it was edited, sent back or rejected. Ending a run and
silence judge no output. Only outputs that people were asked about have a label: the rest are not among them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from django.db.models import Q, QuerySet

from agents.quality.outcomes import Judged, Outcome, Weighed
from approvals import policy
from approvals.models import Decision, GateKind, Verdict

RIGHT = frozenset({Verdict.APPROVE})
WRONG = frozenset({Verdict.EDIT, Verdict.REQUEST_CHANGES, Verdict.REJECT})
JUDGING = RIGHT | WRONG | {Verdict.COMPLETE}
_ALWAYS: Final = Q(gate__rule="true") | Q(gate__rule__startswith="sample of ")  # nobody chose to ask about this one
_MOST: Final = 20_000  # decisions looked at, the newest


def outcomes_of(agent: str, *, limit: int) -> list[Outcome]:
    """Outputs of this agent that claimed a confidence and that people judged, the newest first."""
    found = _about(agent).filter(gate__confidence__isnull=False).order_by("-id")
    columns = ("gate__confidence", "verdict", "before", "after", "gate__kind")
    return [
        Outcome(min(1.0, max(0.0, float(claimed))), is_right(verdict, before, after))
        for claimed, verdict, before, after, _kind in found.values_list(*columns)[:limit]
    ]


def judged(agent: str, *, limit: int) -> Iterable[Judged]:
    """Decisions about this agent's outputs, the newest first."""
    for decision in _about(agent).select_related("gate").order_by("-id")[:limit]:
        yield from _case(decision)


def weighed(since: datetime, *, agent: str = "") -> list[Weighed]:
    """What people did with outputs since then, by agent's name."""
    recent = (_about(agent) if agent else _judging().exclude(gate__agent="")).filter(decided_at__gte=since)
    newest = recent.order_by("-id")
    always = set(newest.filter(_ALWAYS).values_list("pk", flat=True)[:_MOST])
    unlike = _changed(newest)
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for pk, name, verdict in newest.values_list("pk", "gate__agent", "verdict")[:_MOST]:
        right = verdict in RIGHT or (verdict not in WRONG - {Verdict.EDIT} and pk not in unlike)
        asked = pk not in always
        for place, counted in enumerate((True, not right, asked, asked and right)):
            counts[name][place] += counted
    return [Weighed(name, *counts[name]) for name in sorted(counts)]


def _changed(found: QuerySet[Decision]) -> set[int]:
    """Which edited or completed outputs are not as they were: only of these the texts are read."""
    texts = found.filter(verdict__in=(Verdict.EDIT, Verdict.COMPLETE)).values_list("pk", "verdict", "before", "after")
    return {pk for pk, verdict, before, after in texts[:_MOST] if not is_right(verdict, before, after)}


def _about(agent: str) -> QuerySet[Decision]:
    return _judging().filter(gate__agent=agent)


def _judging() -> QuerySet[Decision]:
    kinds = (GateKind.APPROVAL, GateKind.HYBRID)
    return Decision.objects.filter(gate__kind__in=kinds, verdict__in=JUDGING, decided_by__isnull=False)


def is_right(verdict: str, before: Any, after: Any) -> bool:
    """Whether a verdict let the output stand as it was."""
    if verdict == Verdict.COMPLETE:  # a draft that was handed in as it was
        return after is not None and policy.same(before, after)
    return verdict in RIGHT or (verdict == Verdict.EDIT and after is not None and policy.same(before, after))


def _case(decision: Decision) -> Iterator[Judged]:
    subject = decision.gate.subject
    given, output = subject.get("input"), subject.get("proposal")
    if not isinstance(given, dict) or not isinstance(output, dict) or not given:
        return
    right = is_right(decision.verdict, decision.before, decision.after)
    expected = output if right else decision.after if isinstance(decision.after, dict) else None
    yield Judged(
        input=given,
        output=output,
        expected=expected,
        verdict=decision.verdict,
        agent_version=decision.gate.agent_version,
        provenance={
            "kind": "decision", "decision": decision.pk, "gate": decision.gate_id, "run": decision.gate.run_id,
            "verdict": decision.verdict, "at": decision.decided_at.isoformat(), "note": decision.note[:500],
        },
    )  # fmt: skip
