"""What the inbox and a card read of many tables at once: statements that the ORM says only in many, or dearly.

Building a statement costs a page more than PostgreSQL takes to answer it, and most of what a card could have, none has.
One question here for many tables, and the ORM reads those in which there is something. Nothing here asks who may see
what: whoever calls has asked `permissions`, and names the queues.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson
from django.db import connection

COMPARED: Final = 1_000  # characters of what was proposed
_ATTACHED: Final = """
    SELECT ARRAY_REMOVE(ARRAY[
        CASE WHEN EXISTS (SELECT FROM approvals_comment WHERE gate_id = %(gate)s) THEN 'comments' END,
        CASE WHEN EXISTS (SELECT FROM approvals_presence WHERE gate_id = %(gate)s) THEN 'presence' END,
        CASE WHEN EXISTS (SELECT FROM approvals_question WHERE gate_id = %(gate)s) THEN 'questions' END,
        CASE WHEN EXISTS (SELECT FROM approvals_draft WHERE gate_id = %(gate)s AND author_id = %(user)s)
             THEN 'draft' END,
        CASE WHEN EXISTS (SELECT FROM approvals_firstverdict WHERE item = %(gate)s AND reviewer_id = %(user)s)
             THEN 'first' END,
        CASE WHEN EXISTS (SELECT FROM agents_assessment WHERE task = %(task)s) THEN 'assessment' END,
        CASE WHEN EXISTS (SELECT FROM approvals_gate
                          WHERE workflow_id = %(workflow)s AND step = %(step)s AND NOT status = 'open')
             THEN 'past' END,
        CASE WHEN EXISTS (SELECT FROM orchestrator_event
                          WHERE run_id = %(run)s AND task_id = %(task)s AND data ? 'guard')
             THEN 'guarded' END
    ], NULL)
"""
_APART: Final = """
    SELECT ARRAY_REMOVE(ARRAY[
        CASE WHEN EXISTS (SELECT FROM approvals_snooze WHERE user_id = %(user)s) THEN 'asleep' END,
        CASE WHEN EXISTS (SELECT FROM approvals_vote WHERE person = %(person)s) THEN 'voted' END,
        CASE WHEN EXISTS (SELECT FROM approvals_check WHERE reviewer_id = %(user)s AND ended_at IS NULL)
             THEN 'checks' END,
        CASE WHEN EXISTS (SELECT FROM approvals_savedview WHERE owner_id = %(user)s OR shared) THEN 'views' END,
        CASE WHEN EXISTS (SELECT FROM approvals_runway WHERE decided_by_id = %(user)s AND ended_at IS NULL)
             THEN 'runways' END
    ], NULL)
"""
_BESIDE: Final = """
    SELECT ARRAY_REMOVE(ARRAY[
        CASE WHEN EXISTS (SELECT FROM approvals_decision WHERE decided_by_id = %(user)s AND idempotency_key = %(key)s)
             OR EXISTS (SELECT FROM approvals_runway WHERE decided_by_id = %(user)s AND idempotency_key = %(key)s)
             OR EXISTS (SELECT FROM approvals_vote WHERE voter_id = %(user)s AND idempotency_key = %(key)s)
             THEN 'sent' END,
        CASE WHEN EXISTS (SELECT FROM approvals_handling WHERE item = %(gate)s AND reviewer_id = %(user)s)
             THEN 'measures' END,
        CASE WHEN EXISTS (SELECT FROM approvals_firstverdict WHERE item = %(gate)s AND reviewer_id = %(user)s)
             THEN 'first' END,
        CASE WHEN EXISTS (SELECT FROM approvals_draft WHERE gate_id = %(gate)s AND author_id = %(user)s)
             THEN 'draft' END
    ], NULL)
"""
# Within a risk the most urgent is whose deadline is first, and `gate_urgent` holds each risk's in that order.
_MOST_URGENT: Final = """
    SELECT found.id, risks.risk, found.deadline_at
    FROM unnest(%(risks)s::text[]) AS risks (risk)
    CROSS JOIN LATERAL (
        SELECT id, deadline_at FROM approvals_gate
        WHERE status = 'open' AND releases_at IS NULL AND risk = risks.risk AND queue_id = ANY(%(queues)s::bigint[])
          AND (%(person)s::bigint IS NULL OR NOT %(person)s = ANY(barred))
          AND NOT id = ANY(%(without)s::bigint[]) AND (%(only)s::bigint[] IS NULL OR id = ANY(%(only)s::bigint[]))
        ORDER BY deadline_at, id LIMIT %(limit)s
    ) AS found
"""
_WAITING: Final = """
    SELECT queue_id, %(person)s = ANY(barred) OR id = ANY(%(without)s::bigint[]),
           count(*), min(deadline_at)
    FROM approvals_gate WHERE status = 'open' AND releases_at IS NULL AND queue_id = ANY(%(queues)s::bigint[])
    GROUP BY 1, 2
"""
_LOOKING: Final = """
    SELECT p.gate_id, coalesce(nullif(trim(u.first_name || ' ' || u.last_name), ''), u.username)
    FROM approvals_presence p JOIN auth_user u ON u.id = p.user_id
    WHERE p.gate_id = ANY(%(gates)s::bigint[]) AND p.user_id <> %(user)s
      AND p.seen_at > statement_timestamp() - %(seconds)s * interval '1 second'
    ORDER BY p.user_id
"""
_SPENT: Final = """
    SELECT coalesce(sum(cost), 0), coalesce(sum(tokens_in), 0) + coalesce(sum(tokens_out), 0)
    FROM orchestrator_attempt WHERE task_id >= %(first)s AND task_id < %(after)s
"""
_VERDICTS: Final = """
    SELECT d.verdict FROM approvals_decision d JOIN approvals_gate g ON g.id = d.gate_id
    WHERE g.workflow_id = %(workflow)s AND g.step = %(step)s AND g.agent = %(agent)s AND d.decided_by_id IS NOT NULL
    ORDER BY g.settled_at DESC LIMIT %(limit)s
"""
# Likeness is worked out for the newest alone, however many there are.
_SETTLED: Final = """
    SELECT id, title, risk, confidence, similarity(left(subject ->> 'proposal', %(compared)s), %(proposal)s),
           similarity(title, %(title)s)
    FROM (SELECT id, title, risk, confidence, subject, settled_at FROM approvals_gate
          WHERE workflow_id = %(workflow)s AND step = %(step)s AND NOT status = 'open' AND NOT status = 'withdrawn'
            AND (%(queues)s::bigint[] IS NULL OR queue_id = ANY(%(queues)s::bigint[]))
            AND NOT id = ANY(%(but)s::bigint[])
          ORDER BY settled_at DESC LIMIT %(limit)s) AS newest
    ORDER BY settled_at DESC
"""
_AFTER: Final = """
    SELECT min(started_at) FILTER (WHERE started_at >= %(since)s), count(*) FILTER (WHERE status = 'ready')
    FROM orchestrator_task WHERE id >= %(first)s AND id < %(after)s
"""
_PERSON: Final = """
    SELECT (SELECT to_jsonb(p) FROM approvals_profile p WHERE p.user_id = %(user)s),
        (SELECT jsonb_agg(jsonb_build_array(g.name, t.verbs, t.needs_mfa, t.is_own) ORDER BY g.name)
         FROM auth_user_groups m JOIN auth_group g ON g.id = m.group_id
         LEFT JOIN approvals_roleterms t ON t.group_id = g.id WHERE m.user_id = %(user)s),
        (SELECT jsonb_agg(DISTINCT jsonb_build_array(c.model, a.codename, o.object_pk))
         FROM (SELECT permission_id, content_type_id, object_pk FROM guardian_userobjectpermission
               WHERE user_id = %(user)s
               UNION ALL
               SELECT o.permission_id, o.content_type_id, o.object_pk FROM guardian_groupobjectpermission o
               JOIN auth_user_groups m ON m.group_id = o.group_id WHERE m.user_id = %(user)s) o
         JOIN django_content_type c ON c.id = o.content_type_id JOIN auth_permission a ON a.id = o.permission_id
         WHERE c.app_label IN ('orchestrator', 'approvals', 'agents') AND c.model IN ('workflow', 'queue', 'agent'))
"""


class Held(NamedTuple):
    """What is stored of a person and their rights, unread: the profile's columns, roles with terms, object grants."""

    profile: dict[str, Any] | None
    roles: list[tuple[str, list[str] | None, bool | None, bool | None]]  # name, verbs, needs MFA, is one's own role
    grants: list[tuple[str, str, str]]  # model, permission, id


class Settled(NamedTuple):
    """A gate that was settled, with how alike to another one it is: what was proposed, and the title; each 0 to 1."""

    pk: int
    title: str
    risk: str
    confidence: float | None
    same: float
    titled: float


class Waiting(NamedTuple):
    """Some gates that wait in a queue: those before somebody, or those that are elsewhere for them."""

    queue: int
    is_elsewhere: bool
    gates: int
    next_deadline_at: datetime


def attached(gate: int, user: int, *, run: int, task: int | None, workflow: int, step: str) -> frozenset[str]:
    """Which of these a gate has: `comments`, `presence`, `questions`, an `assessment`, a task that was `guarded`,
    `past` gates of its step; and of this person's a `draft` and a `first` judgement.
    """
    given = {"gate": gate, "user": user, "run": run, "task": task, "workflow": workflow, "step": step}
    return _named(_ATTACHED, given)


def apart(user: int, person: int) -> frozenset[str]:
    """Which of these a person has: gates that are `asleep`, gates they have `voted` on, `checks` before them, saved
    `views` that they see, and verdicts on their `runways`.
    """
    return _named(_APART, {"user": user, "person": person})


def beside(gate: int, user: int, key: str | None) -> frozenset[str]:
    """Which of these a verdict finds: something `sent` with its key before, `measures`, a `first` judgement, a `draft`.

    Of this person's alone, on this gate; a key is theirs on any.
    """
    return _named(_BESIDE, {"gate": gate, "user": user, "key": key})


def most_urgent(
    *,
    queues: Iterable[int],
    risks: Iterable[str],
    person: int | None,
    without: Iterable[int],
    only: Iterable[int] | None,
    limit: int,
) -> list[tuple[int, str, datetime]]:
    """Id, risk and deadline of the open gates of each risk whose deadlines are first.

    Without those that this person had a hand in (None: nobody is left out), and of some gates alone, if any are named.
    """
    chosen = None if only is None else list(only)
    given = {"queues": list(queues), "risks": list(risks), "without": list(without), "only": chosen}
    return _rows(_MOST_URGENT, {**given, "person": person, "limit": limit})


def waiting(*, queues: Iterable[int], person: int, without: Iterable[int]) -> list[Waiting]:
    """How many gates wait in these queues; apart those that this person had a hand in, and those to be left out."""
    rows = _rows(_WAITING, {"queues": list(queues), "person": person, "without": list(without)})
    return [Waiting(*row) for row in rows]


def looking(gates: Iterable[int], *, apart_from: int, seconds: int) -> dict[int, tuple[str, ...]]:
    """The names of those who have had each gate's card open within so many seconds, but this account."""
    found: dict[int, list[str]] = defaultdict(list)
    for gate, name in _rows(_LOOKING, {"gates": list(gates), "user": apart_from, "seconds": seconds}):
        found[gate].append(name)
    return {gate: tuple(names) for gate, names in found.items()}


def spent(first: int, after: int) -> tuple[float, int]:
    """Cost and tokens of the tasks with numbers in this range."""
    cost, tokens = _rows(_SPENT, {"first": first, "after": after})[0]
    return float(cost), int(tokens)


def verdicts(*, workflow: int, step: str, agent: str, limit: int) -> list[str]:
    """What people decided last about an agent's work at a step, the newest first."""
    given = {"workflow": workflow, "step": step, "agent": agent, "limit": limit}
    return [verdict for (verdict,) in _rows(_VERDICTS, given)]


def settled(  # noqa: PLR0913 - the facts of the gate that they are compared with
    *, workflow: int, step: str, queues: list[int] | None, but: list[int], title: str, proposal: str, limit: int
) -> list[Settled]:
    """The gates of a step that were settled last, in these queues (None: in any), and how alike this one each is."""
    given = {"workflow": workflow, "step": step, "queues": queues, "but": but, "title": title, "limit": limit}
    return [Settled(*row) for row in _rows(_SETTLED, {**given, "proposal": proposal, "compared": COMPARED})]


def gone_on(first: int, after: int, *, since: datetime) -> tuple[datetime | None, int]:
    """Of the tasks with numbers in this range: when the first of them started since then, and how many are ready."""
    started, ready = _rows(_AFTER, {"first": first, "after": after, "since": since})[0]
    return started, ready


def run_of(gate: int) -> int | None:
    """The run of a gate."""
    return next(
        (int(run) for (run,) in _rows("SELECT run_id FROM approvals_gate WHERE id = %(gate)s", {"gate": gate})), None
    )


def forget_draft(gate: int, user: int) -> None:
    """Delete what this person has typed on this gate so far."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM approvals_draft WHERE gate_id = %s AND author_id = %s", [gate, user])


def held_by(user: int) -> Held:
    """What is stored of one account: what its rights follow from, and its profile."""
    profile, roles, grants = (orjson.loads(part) if part else None for part in _rows(_PERSON, {"user": user})[0])
    return Held(profile, [tuple(role) for role in roles or ()], [tuple(grant) for grant in grants or ()])


def _named(statement: str, given: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(_rows(statement, given)[0][0])


def _rows(statement: str, given: Mapping[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        found: list[Any] = cursor.fetchall()
    return found
