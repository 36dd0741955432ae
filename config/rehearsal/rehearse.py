"""Carries out rehearsals: level by level on a database of their own, with people and the world played.

Several workflows are rehearsed side by side: a level meets all of them at once, and one that fails takes no part in
those after it.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from django.contrib.auth.models import Group

from agents.models import Agent
from agents.types import Json
from config.bench.server import Server
from config.bench.stack import Stack, Team, TookTooLong
from config.rehearsal.faults import ENVIRONMENT, Drill, outage
from config.rehearsal.playing import TROUBLE, Cast, families
from orchestrator.definitions.load import load
from orchestrator.engine.plans import plan_of
from orchestrator.models import Breaker, Workflow
from orchestrator.states import RUN_TERMINAL

RECOVERED_SHARE: Final = 0.95  # of injected transient faults, with nobody's help (requirement B106, A107)
LEVEL_SECONDS: Final = 120.0
BREAKER_SECONDS: Final = 2.0  # an agent that failed is tried again after so long: a rehearsal has no five minutes
LOOK_SECONDS: Final = 0.2  # how often people look at what waits for them


@dataclass(slots=True)
class Level:
    """What one drill came to. `recovered` faults were overcome by the engine alone."""

    name: str
    injected: int = 0
    recovered: int = 0
    runs: dict[str, int] = field(default_factory=dict)
    asked_for_help: int = 0
    seconds: float = 0.0
    run_seconds: float = 0.0  # of a run, the mean: what a fault costs is the difference to the level without one
    first_error: str = ""  # of the first run that failed

    @property
    def passed(self) -> bool:
        """Whether enough recovered and every run came to its end."""
        return self.recovered >= RECOVERED_SHARE * self.injected and not set(self.runs) - {"succeeded", "partial"}


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """All levels that were carried out; the first one that fails ends a rehearsal."""

    workflow: str
    version: int
    levels: tuple[Level, ...]

    @property
    def passed(self) -> bool:
        """Whether every level did."""
        return all(level.passed for level in self.levels)

    @property
    def outage_costs_s(self) -> float | None:
        """How much longer the mean run took while an agent was away and another stood in; None if none was."""
        away = [level.run_seconds for level in self.levels if level.name.startswith("outage")]
        return round(away[0] - self.levels[0].run_seconds, 2) if away else None

    def as_dict(self) -> dict[str, Any]:
        """As it is stored and printed with --json."""
        levels = [{**asdict(level), "passed": level.passed} for level in self.levels]
        return {
            "workflow": self.workflow,
            "version": self.version,
            "passed": self.passed,
            **_share(self.levels),
            "outage_costs_s": self.outage_costs_s,
            "levels": levels,
        }


def in_all(done: Sequence[Rehearsed]) -> dict[str, Any]:
    """Several rehearsals in one: passed if each did, and the faults of all."""
    every = [level for one in done for level in one.levels]
    return {
        "passed": all(one.passed for one in done),
        **_share(every),
        "workflows": [one.as_dict() for one in done],
    }


def _share(levels: Sequence[Level]) -> dict[str, float]:
    injected, recovered = sum(level.injected for level in levels), sum(level.recovered for level in levels)
    share = round(recovered / injected, 4) if injected else 1.0
    return {"injected": injected, "recovered": recovered, "recovered_share": share}


@dataclass(frozen=True, slots=True)
class Subject:
    """What is rehearsed: a workflow's definition as published and an input of its runs."""

    workflow: str
    version: int
    source: str
    input: Mapping[str, Json]
    starts: tuple[tuple[str, str], ...] = ()  # names and definitions of the workflows that it starts, innermost first


def rehearse(
    subjects: Sequence[Subject],
    drills: Sequence[Drill],
    *,
    outages: bool,
    runs: int,
    server: Server,
    say: Callable[[str], None],
) -> list[Rehearsed]:
    """Carry out the drills in their order, until one fails; with `outages`, also of agents that have a fallback."""
    announced = server.folder / "drill.json"
    extra = {"EXTRA_APPS": "config.rehearsal", ENVIRONMENT: str(announced)}
    stack = Stack(server, "rehearsal", Team(workers=2, capacity=200), say, extra)
    levels: dict[str, list[Level]] = {subject.workflow: [] for subject in subjects}
    try:
        stack.start()
        _publish(subjects, stack)
        cast, standing = Cast(), list(subjects)
        for drill in (*drills, *_outages(subjects, wanted=outages)):
            say(drill.name)
            drill.announce(announced)
            for name, level in _level(_taking_part(drill, standing), drill, stack, cast, runs=runs).items():
                levels[name].append(level)
                if not level.passed:
                    say(f"{name}: {level.runs}, {level.recovered} of {level.injected} recovered. {level.first_error}")
            standing = [subject for subject in standing if all(level.passed for level in levels[subject.workflow])]
            if not standing:
                break
    finally:
        stack.stop()
    return [Rehearsed(subject.workflow, subject.version, tuple(levels[subject.workflow])) for subject in subjects]


def _publish(subjects: Sequence[Subject], stack: Stack) -> None:
    """What is rehearsed and what that starts; breakers that open are tried again soon."""
    sources = {name: source for subject in subjects for name, source in subject.starts}
    sources |= {subject.workflow: subject.source for subject in subjects}
    for name, source in sources.items():
        for team in {step.fields.get("team") for step in load(source, file=name).steps} - {None}:
            Group.objects.get_or_create(name=team)
        stack.publish(name, source)
    agents = Agent.objects.filter(breaker=None)
    Breaker.objects.bulk_create(Breaker(agent=agent, reset_s=BREAKER_SECONDS) for agent in agents)


def _outages(subjects: Sequence[Subject], *, wanted: bool) -> list[Drill]:
    """The first agent of each plan that another one stands in for; no drill where there is no fallback."""
    away = {agent: None for subject in subjects if wanted and (agent := _replaceable(subject))}
    return [outage(*away)] if away else []


def _replaceable(subject: Subject) -> str:
    """The first agent of its plan that another one stands in for; "" for none."""
    version = Workflow.objects.get(name=subject.workflow).current_version_id
    steps = plan_of(version).steps if version else ()
    return next((step.agent for step in steps if step.agent and step.fallback), "")


def _taking_part(drill: Drill, subjects: Sequence[Subject]) -> list[Subject]:
    """Those that the drill can hit: an outage only those that have a fallback for one that is away."""
    return [subject for subject in subjects if drill.kind != "outage" or _replaceable(subject) in drill.agents]


def _level(subjects: Sequence[Subject], drill: Drill, stack: Stack, cast: Cast, *, runs: int) -> dict[str, Level]:
    """Start the runs of all and play along until they have ended, or for as long as a level may take."""
    began: dict[str, datetime] = {}
    roots: dict[str, list[int]] = {}
    for subject in subjects:
        roots[subject.workflow], began[subject.workflow], _ = stack.submit(
            subject.workflow, times=runs, given=subject.input
        )
    every = [pk for pks in roots.values() for pk in pks]
    with suppress(TookTooLong):  # a run that has not ended fails its level
        stack.until(
            lambda: _have_ended(stack, every, cast), what="the runs end", seconds=LEVEL_SECONDS, pause=LOOK_SECONDS
        )
    return {name: _counted(stack, pks, drill, began[name], cast) for name, pks in roots.items()}


def _have_ended(stack: Stack, roots: Sequence[int], cast: Cast) -> bool:
    live = [pk for (pk,) in stack.rows(
        "SELECT id FROM orchestrator_run WHERE id = ANY(%s) AND ended_at IS NULL", list(roots)
    )]  # fmt: skip
    if live:
        cast.play(live)
    return not live


def _counted(stack: Stack, roots: list[int], drill: Drill, began: datetime, cast: Cast) -> Level:
    """Count the faults that were met, and those whose task succeeded without a person."""
    level = Level(drill.name)
    family = [*families(roots)]
    tasks = stack.rows(
        "SELECT t.id, t.revision, t.status, EXISTS (SELECT FROM orchestrator_attempt a WHERE a.task_id = t.id"
        " AND a.status IN ('failed', 'expired')), EXISTS (SELECT FROM approvals_gate g WHERE g.task_id = t.id"
        " AND g.kind = ANY(%s)), coalesce(t.spec -> 'fell_back' ->> 'from', '')"
        " FROM orchestrator_task t WHERE t.run_id = ANY(%s)",
        sorted(TROUBLE),
        family,
    )
    for pk, revision, status, failed, helped, fell_from in tasks:
        if _met(drill, f"task-{pk}-{revision}", failed=failed, fell_from=fell_from):
            level.injected += 1
            level.recovered += status == "succeeded" and not helped
    asked = "SELECT count(*) FROM approvals_gate WHERE run_id = ANY(%s) AND kind = ANY(%s)"
    level.asked_for_help = stack.value(asked, family, sorted(TROUBLE))
    rows = stack.rows(
        "SELECT id, status, error, coalesce(ended_at, clock_timestamp()), started_at"
        " FROM orchestrator_run WHERE id = ANY(%s) ORDER BY id",
        roots,
    )
    level.runs = dict(Counter(status for _, status, *_ in rows))
    level.first_error = next((words for pk, status, error, *_ in rows if (words := _why(pk, status, error, cast))), "")
    level.seconds = round((max(ended for *_, ended, _ in rows) - began).total_seconds(), 2)
    took = [(ended - started).total_seconds() for *_, ended, started in rows]
    level.run_seconds = round(sum(took) / len(took), 2)
    return level


def _why(run: int, status: str, error: Mapping[str, Any] | None, cast: Cast) -> str:
    """Why a run did not end well, in one sentence; "" if it did."""
    if error:
        return f"step {error.get('step')}: {error.get('message') or error.get('code')}"
    if status in RUN_TERMINAL:
        return ""
    refused = cast.refused.get(run, "")
    return f"a run had not ended after {LEVEL_SECONDS:.0f} s. {refused}".rstrip()


def _met(drill: Drill, key: str, *, failed: bool, fell_from: str) -> bool:
    """Whether a task met the drill's fault; while an agent is out of service, its tasks fall back without a try."""
    if drill.kind == "outage":
        return fell_from in drill.agents
    return failed and (drill.kind == "worker_loss" or drill.hits(key, 1))
