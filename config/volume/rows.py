"""The rows that describe each synthetic run, for the statements in `sql/` to join. Pure: ids and times come in."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from approvals import policy
from config.volume import shapes
from config.volume.shapes import FATES, FLOWS, OPEN, REJECTED, RUN_STATUS, VARIANTS, Said, Sizes

DAYS_OF_NOW: Final = 3  # what is open was begun in the last days
_DECIDED: Final = "gate.decided"


@dataclass(frozen=True, slots=True)
class First:
    """The first id of each table that is free."""

    run: int
    gate: int
    decision: int
    event: int


@dataclass(slots=True)
class Counted:
    """What a filling came to, or will."""

    runs: int = 0
    tasks: int = 0
    gates: int = 0
    open_gates: int = 0
    decisions: int = 0
    events: int = 0


def count(sizes: Sizes) -> Counted:
    """What `runs` will give, to draw ids for."""
    scripts, found = shapes.scripts(sizes), Counted()
    for flow, fate in shapes.fates(sizes):
        found.runs += 1
        found.tasks += FLOWS[flow].size
        found.events += len(scripts[flow, fate])
        found.gates += fate in shapes.ASKED
        found.open_gates += fate == OPEN
    found.decisions = found.gates - found.open_gates
    return found


def lines(scripts: Mapping[tuple[int, str], Sequence[Said]]) -> Iterator[tuple[Any, ...]]:
    """`volume_line`. What follows a decision is late: people took their time."""
    for (flow, fate), script in scripts.items():
        decided = _place(script, _DECIDED)
        for seq, said in enumerate(script):
            facts = None if said.data is None else orjson.dumps(said.data).decode()
            yield flow, fate, seq, said.kind, said.step, said.actor, facts, decided is not None and seq >= decided


def tasks(scripts: Mapping[tuple[int, str], Sequence[Said]]) -> Iterator[tuple[Any, ...]]:
    """`volume_task`."""
    for at, flow in enumerate(FLOWS):
        for fate in FATES:
            decided = _place(scripts[at, fate], _DECIDED)
            began, ended = _spans(scripts[at, fate])
            for task in shapes.tasks(flow, fate):
                start, end = began.get(task.index, 0), ended.get(task.index, 0)
                late = decided is not None and start > decided
                how = (task.status, task.attempt, task.pending, task.fed, task.wait_for)
                yield at, fate, flow.keys[task.index], *how, start, end, late


def subjects() -> Iterator[tuple[Any, ...]]:
    """`volume_subject`, each with its seal."""
    for at, flow in enumerate(FLOWS):
        for variant in range(VARIANTS):
            subject = shapes.subject(flow, variant)
            yield at, variant, orjson.dumps(subject).decode(), policy.seal(subject)


def runs(sizes: Sizes, first: First, *, now: datetime, people: int) -> Iterator[tuple[Any, ...]]:
    """`volume_run`, oldest first: the past spread over the months, what is open over the last days."""
    scripts, chance = shapes.scripts(sizes), random.Random(7)
    past = sizes.runs - sizes.recent
    event, gate, decision = first.event, first.gate, first.decision
    for n, (flow, fate) in enumerate(shapes.fates(sizes)):
        script, asked = scripts[flow, fate], fate in shapes.ASKED
        began = _began(n, past, sizes, now)
        pace = timedelta(seconds=chance.uniform(0.05, 1.5))
        waited = timedelta(seconds=min(chance.expovariate(1 / 2400) + 20, 86_000) if asked else 0)
        opened = began + pace * (_place(script, "gate.opened") or 0)
        settled = began + pace * (_place(script, _DECIDED) or 0) + waited
        ended = began + pace * (len(script) - 1) + waited
        is_open = fate == OPEN
        yield (
            n, flow, fate, RUN_STATUS[fate], first.run + n, gate if asked else None,
            decision if asked and not is_open else None, event, began, pace, waited, opened if asked else None,
            settled if asked and not is_open else None, None if is_open else ended,
            shapes.AFTER + 1 if is_open else 0, int(fate == REJECTED), chance.randrange(people),
            chance.randrange(VARIANTS), f"INC-{100_000 + n // 3}", len(script),
        )  # fmt: skip
        event, gate, decision = event + len(script), gate + asked, decision + (asked and not is_open)


def _began(n: int, past: int, sizes: Sizes, now: datetime) -> datetime:
    recent = now - timedelta(days=DAYS_OF_NOW)
    if n < past:
        begin = now - timedelta(days=30 * sizes.months)
        # A day's room: what was begun last has ended by the time that the recent ones begin.
        return begin + (recent - timedelta(days=2) - begin) * (n / past)
    return recent + (now - timedelta(minutes=15) - recent) * ((n - past) / max(1, sizes.recent))


def _place(script: Sequence[Said], kind: str) -> int | None:
    return next((seq for seq, said in enumerate(script) if said.kind == kind), None)


def _spans(script: Sequence[Said]) -> tuple[dict[int, int], dict[int, int]]:
    """The places where each step's story begins and ends."""
    began: dict[int, int] = {}
    ended: dict[int, int] = {}
    for seq, said in enumerate(script):
        if said.step is not None:
            began.setdefault(said.step, seq)
            ended[said.step] = seq
    return began, ended
