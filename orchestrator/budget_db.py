"""The budgets' SQL functions, typed, like `orchestrator.db` for the rest of the engine."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from django.db import connection
from psycopg import sql

from orchestrator.budgets import Cap


@dataclass(frozen=True, slots=True)
class Wish:
    """What a call asks of its budgets. `named`: its agent has a share of its own in the plan's table."""

    task: int
    attempt: int
    shift: int
    agent: str
    named: bool
    needs: Mapping[str, float | None]
    caps: Sequence[Cap]


def reserve_budgets(wish: Wish) -> dict[str, Any]:
    """Hold what a call may use of all its budgets, or say which one refuses (`reserve_budgets_v1`)."""
    limits = [asdict(cap) for cap in wish.caps]
    values = (wish.task, wish.attempt, wish.shift, wish.agent, wish.named)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT reserve_budgets_v1(%s, %s::smallint, %s, %s, %s, %s::jsonb, %s::jsonb)",
            (*values, orjson.dumps(wish.needs).decode(), orjson.dumps(limits).decode()),
        )
        answer: dict[str, Any] = orjson.loads(cursor.fetchone()[0])
        return answer


def settle_budgets(ended: Sequence[tuple[int, int]], used: Sequence[Mapping[str, Any] | None]) -> None:
    """What attempts, as (task, attempt), held goes back and what they used is spent; None: not known."""
    bodies = [orjson.dumps(one).decode() if one is not None else None for one in used]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT settle_budgets_v1(%s::bigint[], %s::smallint[], %s::jsonb[])",
            ([task for task, _ in ended], [attempt for _, attempt in ended], bodies),
        )


def release_budget(budget: int, run: int, free: float, *, alone: bool) -> int:
    """Let tasks of a run that wait for a budget go on as far as `free` reaches; the caller holds the run's lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT release_budget_v1(%s, %s, %s, %s)", (budget, run, free, alone))
        return int(cursor.fetchone()[0])


def budgets_in_force() -> list[tuple[str, str, str, float]]:
    """Every budget that a call may fall under without its plan saying so, as (scope, name, resource, limit).

    Scope `own`: an agent's own, for each run, as registered and then as people have changed it. Runs are named by their
    ids, and none that ended before the oldest live one began.
    """
    with connection.cursor() as cursor:
        cursor.execute(_IN_FORCE)
        return [(row[0], row[1], row[2], row[3]) for row in cursor.fetchall()]


_IN_FORCE = """
    SELECT 'own', a.name, e.key, e.value::float8
      FROM agents_agent a
     CROSS JOIN LATERAL (SELECT v.config FROM agents_agentversion v
                          WHERE v.agent_id = a.id ORDER BY v.number DESC LIMIT 1) AS v
     CROSS JOIN LATERAL jsonb_each_text(v.config -> 'budget') AS e
    UNION ALL
    SELECT 'own', a.name, b.resource, b."limit" FROM orchestrator_budget b JOIN agents_agent a ON a.id = b.agent_id
     WHERE b.scope = 'run_agent' AND b.ref = 0
    UNION ALL
    SELECT b.scope, coalesce(a.name, w.name, b.ref::text), b.resource, b."limit" FROM orchestrator_budget b
      LEFT JOIN agents_agent a ON b.scope = 'agent' AND a.id = b.ref
      LEFT JOIN orchestrator_workflow w ON b.scope = 'workflow' AND w.id = b.ref
     WHERE b.scope IN ('agent', 'workflow', 'team')
    UNION ALL
    SELECT 'run', b.ref::text, b.resource, b."limit" FROM orchestrator_budget b
     WHERE b.scope IN ('run', 'run_agent') AND b.ref > 0
       AND b.ref >= (SELECT min(r.id) FROM orchestrator_run r WHERE r.ended_at IS NULL)
"""


def budget_owner(scope: str, ref: int) -> str:
    """The name of the agent, workflow or team that a standing budget is for; "" for a run's."""
    table = {"agent": "agents_agent", "workflow": "orchestrator_workflow", "team": "auth_group"}.get(scope)
    if table is None:
        return ""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT name FROM {} WHERE id = %s").format(sql.Identifier(table)), (ref,))
        row = cursor.fetchone()
        return str(row[0]) if row else ""


def take_place(agent: int) -> bool:
    """Whether an agent with limits has a place for one more call; the caller writes it into its task and commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT take_place_v1(%s)", (agent,))
        return bool(cursor.fetchone()[0])


def spent(run: int, resource: str, agent: int | None) -> float:
    """What a run, or one agent in it, has used so far, from its attempts."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT budget_spent_v1(%s, %s, %s)", (run, resource, agent))
        return float(cursor.fetchone()[0])
