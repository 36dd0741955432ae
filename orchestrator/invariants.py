"""What must always hold of runs, tasks, attempts, effects and the ledger. Reads only; a violation is one sentence."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import orjson
from django.db import connection, transaction

from orchestrator import ledger
from orchestrator.models import Run, Task
from orchestrator.ports import gatekeeper
from orchestrator.replay import STEP_MASK, Fact, KeyState, RunState, first_version, replay
from orchestrator.snapshots import graph_of

CHUNK: Final = 200  # runs


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that should not be possible."""

    rule: str
    what: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}."


def violations() -> Iterator[Violation]:
    """Everything wrong with what the orchestrator has stored."""
    for rule, query in _QUERIES.items():
        yield from (Violation(rule, row[0]) for row in _rows(query))
    yield from replay_differences()
    result = ledger.verify()
    if result.fault is not None:
        yield Violation("ledger", str(result.fault).rstrip("."))


def replay_differences() -> Iterator[Violation]:
    """Where the state rebuilt from events differs from what is stored."""
    last = 0
    while chunk := list(Run.objects.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:CHUNK]):
        yield from _differences(chunk[0], chunk[-1])
        last = chunk[-1]


def _differences(first: int, last: int) -> list[Violation]:
    """One snapshot for events and state, so that a busy engine is never caught between two statements."""
    nested = connection.in_atomic_block  # then the outermost block has chosen its snapshot
    with transaction.atomic():
        if not nested:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        runs = list(
            Run.objects.filter(pk__range=(first, last)).order_by("pk").values_list("pk", "version_id", "status")
        )
        stored = _stored_tasks(first, last)
        facts = _facts(first, last)
        keys, gates = _stored_keys(first, last), _stored_gates(first, last)
    found: list[Violation] = []
    for run_id, version_id, status in runs:
        happened = facts.get(run_id, [])
        dependencies, needs = graph_of(first_version(happened, version_id))
        rebuilt = replay(dependencies, happened, needs=needs, graph_of=graph_of)
        wrong = [*_compare(rebuilt, status, stored[run_id]), *_compare_memory(rebuilt, keys[run_id], gates[run_id])]
        found += [Violation("replay", f"run {run_id}: {what}") for what in wrong]
    return found


def _compare(rebuilt: RunState, status: str, tasks: list[tuple[int, str, int]]) -> Iterator[str]:
    yield from rebuilt.anomalies
    if rebuilt.status != status:
        yield f"events say {rebuilt.status}, stored is {status}"
    if len(tasks) != len(rebuilt.tasks):
        yield f"its version has {len(rebuilt.tasks)} steps, stored are {len(tasks)} tasks"
        return
    for task_id, stored, attempt in tasks:
        index = task_id & STEP_MASK
        if not rebuilt.agrees(index, stored):
            yield f"task {index}: events say {rebuilt.status_of(index)}, stored is {stored}"
        if rebuilt.tasks[index].attempt != attempt:
            yield f"task {index}: events say attempt {rebuilt.tasks[index].attempt}, stored is {attempt}"


def _compare_memory(rebuilt: RunState, keys: Mapping[str, KeyState], gates: Mapping[int, bool]) -> Iterator[str]:
    """State keys byte for byte, and which gates are open."""
    for key in rebuilt.keys.keys() | keys.keys():
        if rebuilt.keys.get(key) != keys.get(key):
            yield f"state {key}: events say {rebuilt.keys.get(key)}, stored is {keys.get(key)}"
    for gate, is_open in gates.items():
        said = gate in rebuilt.gates and not rebuilt.gates[gate].verdict
        if said != is_open:
            yield f"gate {gate}: events say {'open' if said else 'settled'}, stored is the opposite"


def _stored_keys(first: int, last: int) -> dict[int, dict[str, KeyState]]:
    found: dict[int, dict[str, KeyState]] = defaultdict(dict)
    for run_id, key, *newest in _rows(
        "SELECT DISTINCT ON (run_id, key) run_id, key, version,"
        " encode(sha256(convert_to(coalesce(value::text, 'null'), 'UTF8')), 'hex'), deleted"
        " FROM orchestrator_stateentry WHERE run_id BETWEEN %s AND %s ORDER BY run_id, key, version DESC",
        first,
        last,
    ):
        found[run_id][key] = KeyState(*newest)
    return found


def _stored_gates(first: int, last: int) -> dict[int, dict[int, bool]]:
    found: dict[int, dict[int, bool]] = defaultdict(dict)
    for gate in gatekeeper().gates_of(range(first, last + 1), only_open=False, limit=1_000_000):
        found[gate.run_id][gate.id] = gate.status == "open"
    return found


def _stored_tasks(first: int, last: int) -> dict[int, list[tuple[int, str, int]]]:
    found: dict[int, list[tuple[int, str, int]]] = defaultdict(list)
    rows = Task.objects.filter(pk__gte=first << 20, pk__lt=(last + 1) << 20).order_by("pk")
    for task_id, status, attempt in rows.values_list("pk", "status", "attempt"):
        found[task_id >> 20].append((task_id, status, attempt))
    return found


def _facts(first: int, last: int) -> dict[int, list[Fact]]:
    rows = _rows(
        "SELECT run_id, kind, task_id, data FROM orchestrator_event WHERE run_id BETWEEN %s AND %s ORDER BY run_id, id",
        first,
        last,
    )
    return {
        run_id: [Fact(kind, task_id, orjson.loads(data) if data else {}) for _, kind, task_id, data in group]
        for run_id, group in groupby(rows, key=lambda row: row[0])
    }


# Each returns one column: what is wrong, in words.
_QUERIES: Final = {
    "nothing lives in an ended run": """
        SELECT format('run %s is %s, but its task %s is %s', r.id, r.status, t.key, t.status)
        FROM orchestrator_run r JOIN orchestrator_task t ON t.id >= r.id << 20 AND t.id < (r.id + 1) << 20
        WHERE r.status IN ('succeeded', 'partial', 'failed', 'cancelled')
          AND t.status IN ('blocked', 'ready', 'running', 'waiting')
    """,
    "a run counts its live tasks": """
        SELECT format('run %s has %s live tasks and says %s remain', r.id, count(t.id), r.remaining)
        FROM orchestrator_run r
        LEFT JOIN orchestrator_task t ON t.id >= r.id << 20 AND t.id < (r.id + 1) << 20
             AND t.status IN ('blocked', 'ready', 'running', 'waiting')
        GROUP BY r.id HAVING count(t.id) <> r.remaining
    """,
    "a live run has something to wait for": """
        SELECT format('run %s is %s, but no task of it is ready, running or waiting', r.id, r.status)
        FROM orchestrator_run r
        WHERE r.status IN ('pending', 'running', 'paused', 'compensating') AND NOT EXISTS (
            SELECT FROM orchestrator_task t
            WHERE t.id >= r.id << 20 AND t.id < (r.id + 1) << 20 AND t.status IN ('ready', 'running', 'waiting'))
    """,
    "one running attempt a task": """
        SELECT format('task %s runs attempt %s, which has ended as %s already', t.id, t.attempt, a.status)
        FROM orchestrator_task t JOIN orchestrator_attempt a ON a.task_id = t.id AND a.number >= t.attempt
        WHERE t.status = 'running'
        UNION ALL
        SELECT format('task %s runs without a shift', id)
        FROM orchestrator_task WHERE status = 'running' AND shift IS NULL
        UNION ALL
        SELECT format('task %s has attempt %s twice', task_id, number) FROM orchestrator_attempt
        GROUP BY task_id, number HAVING count(*) > 1
    """,
    "an applied output has its attempt": """
        SELECT format('task %s succeeded by attempt %s, of which there is no record', t.id, t.attempt)
        FROM orchestrator_task t
        WHERE t.status = 'succeeded' AND NOT EXISTS (
            SELECT FROM orchestrator_event e WHERE e.run_id = t.run_id AND e.task_id = t.id
               AND e.kind = 'task.succeeded' AND e.data ? 'given')
          AND NOT EXISTS (
            SELECT FROM orchestrator_attempt a WHERE a.task_id = t.id AND a.number = t.attempt AND a.status <> 'late')
          AND NOT (t.attempt = 0 AND EXISTS (  -- copied from the run that this one was forked from
            SELECT FROM orchestrator_run r WHERE r.id = t.run_id AND r.forked_from_id IS NOT NULL))
    """,
    "an effect is confirmed once": """
        SELECT format('effect %s of task %s is confirmed %s times', key, task_id, count(*))
        FROM orchestrator_effect WHERE status = 'confirmed' GROUP BY task_id, key HAVING count(*) > 1
    """,
    "a retry has its timer": """
        SELECT format('task %s waits for a retry that no timer will start', t.id)
        FROM orchestrator_task t
        WHERE t.status = 'waiting' AND t.wait_for = 'retry' AND NOT EXISTS (
            SELECT FROM orchestrator_timer m WHERE m.kind = 'task_retry' AND m.ref = t.id AND m.fired_at IS NULL)
    """,
    "a wait has what ends it": """
        SELECT format('task %s waits for a time, and no timer will wake it', t.id)
        FROM orchestrator_task t
        WHERE t.status = 'waiting' AND t.wait_for = 'timer' AND NOT EXISTS (
            SELECT FROM orchestrator_timer m WHERE m.kind = 'task_timer' AND m.ref = t.id AND m.fired_at IS NULL)
        UNION ALL
        SELECT format('task %s waits for the outside, and nothing says for what', t.id)
        FROM orchestrator_task t
        WHERE t.status = 'waiting' AND t.wait_for IN ('event', 'callback') AND NOT EXISTS (
            SELECT FROM orchestrator_wait w WHERE w.task_id = t.id AND w.kind = t.wait_for AND w.ended_at IS NULL)
        UNION ALL
        SELECT format('task %s waits for a run that has ended, and nobody will tell it', t.id)
        FROM orchestrator_task t
        WHERE t.status = 'waiting' AND t.wait_for = 'run' AND NOT EXISTS (
            SELECT FROM orchestrator_run r
             WHERE r.parent_task = t.id AND (r.status IN ('running', 'paused') OR EXISTS (
                SELECT FROM orchestrator_timer m WHERE m.kind = 'run_ended' AND m.ref = r.id AND m.fired_at IS NULL)))
    """,
    "a wait ends with its task": """
        SELECT format('task %s is %s, but its wait is open', t.id, t.status)
        FROM orchestrator_wait w JOIN orchestrator_task t ON t.id = w.task_id
        WHERE w.ended_at IS NULL AND t.status IN ('succeeded', 'failed', 'skipped', 'cancelled')
        UNION ALL
        SELECT format('run %s lives on, but task %s, which started it, is %s', r.id, t.id, t.status)
        FROM orchestrator_run r JOIN orchestrator_task t ON t.id = r.parent_task
        WHERE r.status IN ('running', 'paused') AND t.status = 'cancelled' AND NOT EXISTS (
            SELECT FROM orchestrator_timer m WHERE m.kind = 'run_orphaned' AND m.ref = r.id AND m.fired_at IS NULL)
    """,
    "a join does not go on with an open conflict": """
        SELECT format('task %s succeeded, but its conflict about %s is open', c.task, c.key)
        FROM orchestrator_conflict c JOIN orchestrator_task t ON t.id = c.task
        WHERE c.resolved_at IS NULL AND t.status = 'succeeded'
    """,
    "state is what its events say": """
        SELECT format('state %s of run %s version %s is not what was written', s.key, s.run_id, s.version)
        FROM orchestrator_stateentry s
        WHERE NOT EXISTS (
            SELECT FROM orchestrator_event e
            WHERE e.run_id = s.run_id AND e.kind = 'state.written' AND e.data ->> 'key' = s.key
              AND (e.data ->> 'version')::int = s.version
              AND coalesce((e.data ->> 'deleted')::boolean, false) = s.deleted
              AND e.data ->> 'sha256' = encode(sha256(convert_to(coalesce(s.value::text, 'null'), 'UTF8')), 'hex'))
        UNION ALL
        SELECT format('version %s of state %s of run %s is gone', e.data ->> 'version', e.data ->> 'key', e.run_id)
        FROM orchestrator_event e
        WHERE e.kind = 'state.written' AND NOT EXISTS (
            SELECT FROM orchestrator_stateentry s
            WHERE s.run_id = e.run_id AND s.key = e.data ->> 'key' AND s.version = (e.data ->> 'version')::int)
    """,
    "what an ended attempt held is gone": """
        SELECT format('attempt %s of task %s has ended and still holds budget %s', h.attempt, h.task, h.budget_id)
        FROM orchestrator_reservation h WHERE NOT EXISTS (
            SELECT FROM orchestrator_task t WHERE t.id = h.task AND t.attempt = h.attempt AND t.status = 'running')
    """,
    "a budget holds what its calls hold": """
        SELECT format('budget %s has %s reserved, its calls hold %s', b.id, b.reserved, coalesce(sum(h.amount), 0))
        FROM orchestrator_budget b LEFT JOIN orchestrator_reservation h ON h.budget_id = b.id
        GROUP BY b.id HAVING abs(b.reserved - coalesce(sum(h.amount), 0)) > 1e-6 * greatest(1, b.reserved)
    """,
    "a run's budget has spent what its calls used": """
        SELECT format('%s of run %s: spent is %s, its attempts used %s', b.resource, b.ref, b.spent,
                      budget_spent_v1(b.ref, b.resource, NULL))
        FROM orchestrator_budget b JOIN orchestrator_run r ON r.id = b.ref
        JOIN orchestrator_workflowversion v ON v.id = r.version_id
        WHERE b.scope = 'run' AND b.resource IN ('tokens', 'cost') AND v.plan -> 'budgets' ? b.resource
          AND abs(b.spent - budget_spent_v1(b.ref, b.resource, NULL)) > 1e-6 * greatest(1, b.spent)
    """,
    "a waiting task says for what": """
        SELECT format('task %s waits, but not for a person and not for a retry', id)
        FROM orchestrator_task WHERE status = 'waiting' AND wait_for = ''
    """,
}


def _rows(query: str, *parameters: int) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters or None)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
