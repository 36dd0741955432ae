"""Coordinating tasks: look at what the spawned tasks came to, ask the pattern, carry out its move.

A turn is an attempt like any other: claimed, fenced, repeated after a crash. Between turns the task is `blocked` and
waits for the tasks it spawned; nothing of it is in memory anywhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agents.quality.store import authority_weights
from agents.types import Json
from orchestrator import catalogue, db, spawn_db
from orchestrator.budgets import NOTHING
from orchestrator.definitions import expressions
from orchestrator.definitions.agents import name_and_version
from orchestrator.definitions.contracts import violations
from orchestrator.definitions.plan import PlanStep
from orchestrator.definitions.serialise import step_to_json
from orchestrator.engine import delivery, run_state, single, spawning
from orchestrator.engine.assignment import Assignment
from orchestrator.engine.attempts import end_attempt
from orchestrator.engine.plans import INDEX
from orchestrator.engine.transitions import Fence
from orchestrator.models import Attempt, StateEntry, Task, task_id
from orchestrator.patterns import assurance, looping, mapping, registry
from orchestrator.patterns.moves import Child, Fail, Move, Note, Result, Spawn, Turn
from orchestrator.patterns.registry import Pattern
from orchestrator.states import AttemptStatus

TELLS_REJECTION = "tells_rejection"  # in a question's spec: who rejects it tells the pattern, and fails no run
NOTES = "notes"  # the part of a coordinating step's state that holds what people said to it


@dataclass(frozen=True, slots=True)
class Looked:
    """A pattern's move together with the input it was made from."""

    move: Move
    given: dict[str, Json]
    turn: int


def look(job: Assignment) -> Looked:
    """Ask the step's pattern what happens next. Raises ExpressionError."""
    step = job.step
    turn = _turn(job)
    match step.kind:
        case "map":
            move = mapping.look(turn)
        case "loop":
            move = looping.look(turn)
        case "assured":
            move = assurance.look(turn, authority_weights())
        case _:
            pattern = registry.find(step.pattern)
            if pattern is None:
                move = Fail("unknown_pattern", f"No installed app registers the pattern {step.pattern}.", kind="ask")
            else:
                move = _misfit(pattern, turn) or pattern.look(turn)
    return Looked(move, turn.given, turn.number)


def _misfit(pattern: Pattern, turn: Turn) -> Fail | None:
    """Options that hold expressions are known only now: what does not fit ends the step before it starts anything."""
    if turn.number > 1:
        return None
    flaws = [
        (f"options.{path}" if path else "options", text) for path, text in violations(pattern.options, turn.options)
    ]
    flaws = flaws or [(field, text) for field, text, _remedy in pattern.flaws(turn.options)]
    if not flaws:
        return None
    field, text = flaws[0]
    return Fail("options_invalid", f"{field} of {turn.step.key}: {text}"[:1000])


def _turn(job: Assignment) -> Turn:
    task = Task.objects.values("state", "key", "run_id").get(pk=job.claimed.id)
    state: dict[str, Any] = task["state"] or {}
    shared, notes, seen = _shared(task["run_id"], task["key"], state.get("seen", 0))
    job.seen = seen
    return Turn(
        step=job.step,
        number=state.get("turn", 0) + 1,
        options=_object(job.step.options, job.context),
        given=job.literal_input if job.literal_input is not None else _object(job.step.inputs, job.context),
        context=job.context,
        memory=state.get("memory", {}),
        results=_results(task["run_id"], state) if state else (),
        notes=notes,
        shared=shared,
        now=db.clock().timestamp(),
        note=job.claimed.note,
    )


def _object(values: dict[str, Json], context: Mapping[str, Any]) -> dict[str, Json]:
    resolved = expressions.resolve(values, context) if values else {}
    assert isinstance(resolved, dict)
    return resolved


def _results(run_id: int, state: dict[str, Any]) -> tuple[Result, ...]:
    """What the tasks of the last spawn came to, in their order."""
    first = task_id(run_id, state["first"])
    rows = Task.objects.filter(id__gte=first, id__lt=first + state["count"]).order_by("id")
    used: dict[int, int] = {}
    versions: dict[int, int | None] = {}
    attempts = Attempt.objects.filter(task_id__gte=first, task_id__lt=first + state["count"])
    columns = ("task_id", "tokens_in", "tokens_out", "agent_version")
    for task, tokens_in, tokens_out, version in attempts.order_by("number").values_list(*columns):
        used[task] = used.get(task, 0) + tokens_in + tokens_out
        versions[task] = version
    return tuple(
        Result(
            key=key,
            status=status,
            output=delivery.unpack(output) if isinstance(output, dict) else {},
            error=error,
            confidence=confidence,
            tokens=used.get(pk, 0),
            task=pk,
            agent=agent or "",
            version=versions.get(pk),
        )
        for pk, key, status, output, error, confidence, agent in rows.values_list(
            "id", "key", "status", "output", "error", "confidence", "agent__name"
        )
    )


def _shared(run_id: int, key: str, seen: int) -> tuple[dict[str, Json], tuple[Note, ...], int]:
    """The run's state under `<key>.`, newest versions, and the notes written after version `seen`."""
    shared: dict[str, Json] = {}
    notes: list[Note] = []
    rows = StateEntry.objects.filter(run_id=run_id, key__startswith=f"{key}.").order_by("key", "version")
    for name, version, value, writer in rows.values_list("key", "version", "value", "writer"):
        part = name.removeprefix(f"{key}.")
        if part != NOTES:
            shared[part] = value
        elif version > seen and isinstance(value, dict):
            seen = version
            notes.append(
                Note(by=writer, text=str(value.get("text", "")), kind=str(value.get("kind", "note")), data=value)
            )
    return shared, tuple(notes), seen


def spawn(job: Assignment, shift: int, looked: Looked) -> None:
    """Start the move's tasks and wait for them; a late turn changes nothing."""
    move = looked.move
    assert isinstance(move, Spawn)
    rows = spawn_db.columns(list(_rows(job, move.children)))
    state = {"turn": looked.turn, "memory": move.memory, "seen": job.seen, "count": len(move.children)}
    fence = Fence(job.claimed.id, job.claimed.attempt, shift)

    def record(task: Task, first: int) -> None:
        end_attempt(task, AttemptStatus.SUSPENDED, used=NOTHING)
        write_shared(task, move.shared)
        facts = {**move.facts, "turn": looked.turn}
        after = spawning.after(rows)
        spawn_db.await_spawned(task=task.pk, first=first, after=after, need=move.need, state=state, facts=facts)
        if move.note:
            pk = task_id(task.run_id, first)
            Task.objects.filter(id__gte=pk, id__lt=pk + len(after)).update(note=move.note)

    spawning.spawn(fence, rows, record)


def write_shared(task: Task, values: dict[str, Json]) -> None:
    """Write the run's state under a coordinating step's key. The caller holds the run's lock."""
    for part, value in values.items():
        run_state.write(task.run_id, run_state.Write(f"{task.key}.{part}", value), writer="engine", task=task.pk)


def add_note(task: Task, value: dict[str, Json], *, writer: str, reason: str) -> int:
    """Keep what a person said for the task's next turn; its number. The caller holds the run's lock."""
    change = run_state.Write(f"{task.key}.{NOTES}", value, reason=reason)
    return run_state.write(task.run_id, change, writer=writer, task=task.pk)


def _with_stand_in(turn: PlanStep, fallback: str) -> PlanStep:
    """A pattern's fallback stands in for the agent of each turn that has none of its own."""
    mine = turn.kind == "automated" and not turn.fallback and turn.agent != name_and_version(fallback)[0]
    return replace(turn, fallback=fallback) if fallback and mine else turn


def _rows(job: Assignment, children: Sequence[Child]) -> Iterator[spawn_db.SpawnRow]:
    """What is written of each child; bodies, of which there may be ten thousand, are looked at once."""
    step, agent = job.step, (job.claimed.spec or {}).get(single.SPEC, "")
    body = None
    for child in children:
        if child.step is not None:
            made = _with_stand_in(child.step, step.fallback)
            yield _row(job, child, single.given_over(made, agent, child.given), agent)
            continue
        assert step.body is not None
        body = body or single.given_over(step.body, agent, None)
        yield _row(job, child, body, agent)


def _row(job: Assignment, child: Child, body: PlanStep, agent: str) -> spawn_db.SpawnRow:
    step = job.step
    spec: dict[str, Any] = {"bind": child.bind} if child.bind else {}
    if child.given is not None:
        spec["given"] = child.given
    if child.step is not None and child.step.kind == "manual" and child.step.on_error == "skip":
        spec[TELLS_REJECTION] = True
    if agent and body.kind in single.STARTING:
        spec[single.SPEC] = agent
    if child.step is None and step.index == job.claimed.id & INDEX:
        spec["of"] = step.index
        if body is not step.body:
            spec["step"] = {"agent": body.agent, "agent_version": None, "fallback": ""}
    else:
        spec["step"] = {**step_to_json(body), "key": child.key}
    return spawn_db.SpawnRow(
        key=child.key[:100],
        kind=body.kind,
        agent=body.agent,
        lane=catalogue.lane_of(body.agent, body.agent_version, body.lane),
        spec=spec,
        after=list(child.after),
        need=-1 if child.always else 0,
    )
