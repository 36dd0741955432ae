"""Counts what is new in the log, by subject and minute. One process at a time: whoever holds the cursor's row."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from monitoring.alerts import db, store
from monitoring.alerts.store import Key, Tally
from monitoring.models import AlertCursor
from orchestrator.models import LedgerEntry

STRETCH: Final = 20_000  # places of the log that one look reads
STRETCHES: Final = 5
FAR_BEHIND: Final = 2_000_000  # then what lies before is not counted: an alert about it would come too late
RUN_ENDS: Final = frozenset({"run.succeeded", "run.partly_succeeded", "run.failed", "run.cancelled"})
VIOLATIONS: Final = frozenset({"policy.refused", "guard.violated"})
KINDS: Final = (
    *sorted(RUN_ENDS | VIOLATIONS),
    *("run.stranded", "task.failed", "gate.decided", "tool.called", "tool.refused"),
)
_PLAIN: Final = frozenset({"approve", "complete", "retry", "extend", "answer"})  # verdicts that override nobody


@dataclass(slots=True)
class News:
    """What a look at the log found: which things' numbers changed, and which runs something happened to."""

    touched: set[Key] = field(default_factory=set)
    runs: set[int] = field(default_factory=set)


def read_log(cursor: AlertCursor) -> News:
    """Count what was sealed since the last look; the cursor, which the caller has locked, moves along."""
    news = News()
    head = LedgerEntry.objects.order_by("-pos").values_list("pos", flat=True).first() or 0
    if cursor.pos > head or head - cursor.pos > FAR_BEHIND:
        cursor.pos = head
    for _ in range(STRETCHES):
        if cursor.pos >= head:
            break
        last = min(head, cursor.pos + STRETCH)
        _count(cursor.pos, last, news)
        cursor.pos = last
    return news


def _count(pos: int, last: int, news: News) -> None:
    ids = dict(LedgerEntry.objects.filter(pos__in=[pos, last]).values_list("pos", "event_id"))
    after, until = ids.get(pos, 0), ids[last]
    tally: Tally = defaultdict(lambda: defaultdict(lambda: defaultdict(float)))
    for fact in db.facts(KINDS, after=after, until=until):
        _take(fact, tally)
        if fact.run is not None and (fact.kind in RUN_ENDS or fact.kind == "task.failed"):
            news.runs.add(fact.run)
    for agent, minute, tokens, cost in db.tokens(after, until):
        found = tally["agent", agent][minute]
        found["tokens"] += tokens
        found["cost"] += cost
    store.add(tally)
    news.touched |= set(tally)


def _take(fact: db.Fact, tally: Tally) -> None:
    minute = fact.at.replace(second=0, microsecond=0)
    for scope, subject, numbers in _told(fact):
        if subject:
            found = tally[scope, subject[:100]][minute]
            for name, value in numbers.items():
                found[name] += value


def _told(fact: db.Fact) -> Iterator[tuple[str, str, Mapping[str, float]]]:
    """What one event adds to which thing."""
    workflow = fact.workflow or ""
    if fact.kind in RUN_ENDS:
        yield "workflow", workflow, {"ended": 1, "failed": fact.kind == "run.failed", "ms": fact.ms or 0.0}
    elif fact.kind == "run.stranded":
        yield "workflow", workflow, {"stranded": 1}
    elif fact.kind == "gate.decided" and fact.actor.startswith("user:"):
        yield "workflow", workflow, {"decisions": 1, "overrides": fact.data.get("verdict") not in _PLAIN}
    elif fact.kind in VIOLATIONS:
        yield "agent", _name(fact, "agent"), {"violations": 1}
    elif fact.kind == "tool.refused":
        yield "tool", _name(fact, "tool"), {"refused": 1}
        yield "agent", _name(fact, "agent"), {"violations": 1}
    elif fact.kind == "tool.called":
        failed = fact.data.get("outcome") not in ("done", "kept", None)
        yield "tool", _name(fact, "tool"), {"calls": 1, "errors": failed}


def _name(fact: db.Fact, what: str) -> str:
    """An agent's or a tool's name: in the facts, or else, of an agent, in who acted."""
    found = fact.data.get(what)
    if isinstance(found, str):
        return found
    return fact.actor.removeprefix("agent:") if what == "agent" and fact.actor.startswith("agent:") else ""
