"""Carries out a rehearsal: level by level on fresh databases, with people played by a rehearsed one."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from django.contrib.auth.models import User

from agents.models import Agent
from agents.types import Json
from approvals import access, runways, services
from approvals.errors import ApprovalsError
from approvals.models import Gate, Queue, Runway
from config.bench.server import Server
from config.bench.stack import Stack, Team
from config.rehearsal.faults import ENVIRONMENT, Drill, outage
from config.rehearsal.sampling import sample
from orchestrator.engine.plans import plan_of
from orchestrator.models import Breaker, Workflow

RECOVERED_SHARE: Final = 0.95  # of injected transient faults, with nobody's help (requirement B106, A107)
LEVEL_SECONDS: Final = 120.0
BREAKER_SECONDS: Final = 2.0  # an agent that failed is tried again after so long: a rehearsal has no five minutes
_TROUBLE: Final = frozenset({"exception", "quarantine"})


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
        injected = sum(level.injected for level in self.levels)
        recovered = sum(level.recovered for level in self.levels)
        return {
            "workflow": self.workflow,
            "version": self.version,
            "passed": self.passed,
            "injected": injected,
            "recovered": recovered,
            "recovered_share": round(recovered / injected, 4) if injected else 1.0,
            "outage_costs_s": self.outage_costs_s,
            "levels": levels,
        }


@dataclass(frozen=True, slots=True)
class Subject:
    """What is rehearsed: a workflow's definition as published and an input of its runs."""

    workflow: str
    version: int
    source: str
    input: Mapping[str, Json]


def rehearse(
    subject: Subject, drills: tuple[Drill, ...], *, outages: bool, runs: int, server: Server, say: Callable[[str], None]
) -> Rehearsed:
    """Carry out the drills in their order, until one fails; with `outages`, also of an agent that has a fallback."""
    announced = server.folder / "drill.json"
    extra = {"EXTRA_APPS": "config.rehearsal", ENVIRONMENT: str(announced)}
    stack = Stack(server, "rehearsal", Team(workers=2, capacity=200), say, extra)
    levels: list[Level] = []
    try:
        stack.start()
        person = _person(subject, stack)
        for drill in (*drills, *_outages(subject, wanted=outages)):
            say(drill.name)
            drill.announce(announced)
            levels.append(_level(subject, drill, stack, person, runs=runs))
            if not levels[-1].passed:
                break
    finally:
        stack.stop()
    return Rehearsed(subject.workflow, subject.version, tuple(levels))


def _outages(subject: Subject, *, wanted: bool) -> list[Drill]:
    """The first agent of the plan that another one stands in for; none where there is no fallback."""
    version = Workflow.objects.get(name=subject.workflow).current_version_id
    steps = plan_of(version).steps if wanted and version else ()
    return [outage(step.agent) for step in steps if step.agent and step.fallback][:1]


def _level(subject: Subject, drill: Drill, stack: Stack, person: User, *, runs: int) -> Level:
    ids, began, _ = stack.submit(subject.workflow, times=runs, given=subject.input)
    level = Level(drill.name)
    stack.until(lambda: _play(stack, ids, person, level), what=f"{runs} runs end", seconds=LEVEL_SECONDS, pause=0.05)
    return _counted(stack, ids, drill, level, began)


def _person(subject: Subject, stack: Stack) -> User:
    """Somebody who may decide everything here."""
    stack.publish(subject.workflow, subject.source)
    agents = Agent.objects.filter(breaker=None)
    Breaker.objects.bulk_create(Breaker(agent=agent, reset_s=BREAKER_SECONDS) for agent in agents)
    person = User.objects.create(username="rehearsal", is_superuser=True)
    access.set_role(user_id=person.pk, role="Administrator", by=None)
    return person


def _play(stack: Stack, ids: list[int], person: User, level: Level) -> bool:
    """Answer every open gate; say whether all runs have ended."""
    for gate in Gate.objects.filter(run_id__in=ids, status="open", releases_at=None).order_by("pk")[:100]:
        level.asked_for_help += gate.kind in _TROUBLE
        access.grant(to=person, permission="decide_gates", on=Queue.objects.get(pk=gate.queue_id), by=None)
        with suppress(ApprovalsError):  # settled meanwhile
            made = services.decide(gate_id=gate.pk, by=person, gate_version=gate.version, **_answer(gate))
            if isinstance(made, Runway):
                runways.let_go(gate_id=gate.pk, by=person)
    live = "SELECT EXISTS (SELECT FROM orchestrator_run WHERE id = ANY(%s) AND ended_at IS NULL)"
    return not stack.value(live, ids)


def _answer(gate: Gate) -> dict[str, Any]:
    if gate.kind in _TROUBLE:
        return {"verdict": "retry" if "retry" in gate.subject["allowed"] else "reject", "note": "rehearsed"}
    if form := gate.subject.get("form"):
        filled = sample(form)
        return {"verdict": "complete", "edited": filled if isinstance(filled, dict) else {}, "note": "rehearsed"}
    return {"verdict": "approve", "note": "rehearsed"}


def _counted(stack: Stack, ids: list[int], drill: Drill, level: Level, began: Any) -> Level:
    """Count the faults that were met, and those whose task succeeded without a person."""
    tasks = stack.rows(
        "SELECT t.id, t.revision, t.status, EXISTS (SELECT FROM orchestrator_attempt a WHERE a.task_id = t.id"
        " AND a.status IN ('failed', 'expired')), EXISTS (SELECT FROM approvals_gate g WHERE g.task_id = t.id"
        " AND g.kind = ANY(%s)), coalesce(t.spec -> 'fell_back' ->> 'from', '')"
        " FROM orchestrator_task t WHERE t.run_id = ANY(%s)",
        sorted(_TROUBLE),
        ids,
    )
    for pk, revision, status, failed, helped, fell_from in tasks:
        if _met(drill, f"task-{pk}-{revision}", failed=failed, fell_from=fell_from):
            level.injected += 1
            level.recovered += status == "succeeded" and not helped
    rows = stack.rows("SELECT status, max(ended_at) FROM orchestrator_run WHERE id = ANY(%s) GROUP BY 1", ids)
    level.runs = dict(Counter({status: 0 for status, _ in rows}))
    for (status,) in stack.rows("SELECT status FROM orchestrator_run WHERE id = ANY(%s)", ids):
        level.runs[status] += 1
    errors = stack.rows("SELECT error FROM orchestrator_run WHERE id = ANY(%s) AND error IS NOT NULL ORDER BY id", ids)
    if errors:
        error = errors[0][0]
        level.first_error = f"step {error.get('step')}: {error.get('message') or error.get('code')}"
    level.seconds = round((max(ended for _, ended in rows) - began).total_seconds(), 2)
    mean = "SELECT extract(epoch FROM avg(ended_at - started_at)) FROM orchestrator_run WHERE id = ANY(%s)"
    level.run_seconds = round(float(stack.value(mean, ids)), 2)
    return level


def _met(drill: Drill, key: str, *, failed: bool, fell_from: str) -> bool:
    """Whether a task met the drill's fault; while an agent is out of service, its tasks fall back without a try."""
    if drill.kind == "outage":
        return fell_from == drill.agent
    return failed and (drill.kind == "worker_loss" or drill.hits(key, 1))
