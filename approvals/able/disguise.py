"""A check as its reviewer sees it: a gate in memory alone, with everything that a card shows of one."""

import copy
from typing import Any, Final

from django.db import models

from approvals import policy
from approvals.models import Check, Comment, Draft, Gate, GateStatus
from orchestrator.models import TASK_BITS, Run, Task, task_id
from orchestrator.states import RunStatus, TaskStatus

_CHECK: Final = "_check"
_INDEX: Final = 2**TASK_BITS - 1
WITH: Final = ("case__gate__run", "case__gate__workflow", "case__gate__task", "queue", "reviewer")


def disguised(check: Check) -> Gate:
    """The gate that it passes for; unsaved, and no row has its number. Load the check with `WITH`."""
    source = check.case.gate
    columns = {field.attname: getattr(source, field.attname) for field in Gate._meta.concrete_fields}
    gate = Gate(**columns)
    gate.__dict__.update(
        id=check.pk, subject=check.case.subject, seal=check.seal, version=1, status=_status(check),
        opened_at=check.opened_at, deadline_at=check.shown_deadline_at, settled_at=check.ended_at,
        escalations=0, trail=[], assigned_to_id=None, assigned_by_id=None,
        claimed_by_id=check.reviewer_id if check.claimed_until else None, claimed_until=check.claimed_until,
    )  # fmt: skip
    gate._state.adding = False
    gate._state.db = source._state.db
    reached = (source.task_id or 0) & _INDEX
    run = _renamed(
        source.run, pk=check.run_number, status=RunStatus.RUNNING, ended_at=None, error=None,
        started_at=check.opened_at - (source.opened_at - source.run.started_at),
        remaining=max(1, source.run.total - reached),
    )  # fmt: skip
    _put(gate, "run", run)
    if source.task is not None:
        pk = task_id(check.run_number, source.task.pk & _INDEX)
        _put(gate, "task", _renamed(source.task, pk=pk, run_id=run.pk, status=TaskStatus.WAITING))
    _put(gate, "workflow", source.workflow)
    _put(gate, "queue", check.queue)
    gate.__dict__["queue_id"] = check.queue_id
    if check.claimed_until:
        _put(gate, "claimed_by", check.reviewer)
    gate.__dict__[_CHECK] = check
    return gate


def check_of(gate: Gate) -> Check | None:
    """The check that this gate is; None for a real one."""
    found: Check | None = gate.__dict__.get(_CHECK)
    return found


def told_task(gate: Gate) -> int | None:
    """The task whose assessment and guarded data its card shows."""
    check = check_of(gate)
    return check.case.gate.task_id if check else gate.task_id


def told_run(gate: Gate) -> int:
    """The run whose costs its card shows."""
    check = check_of(gate)
    return check.case.gate.run_id if check else gate.run_id


def source_of(gate: Gate) -> int | None:
    """The past gate that a check was made from: left out of what the card cites."""
    check = check_of(gate)
    return check.case.gate_id if check else None


def remarks(check: Check, gate: Gate) -> tuple[Comment, ...]:
    """What its reviewer has said on it, as comments."""
    return tuple(
        Comment(pk=one["id"], gate=gate, author=check.reviewer, text=one["text"], created_at=_moment(one["at"]))
        for one in check.remarks
    )


def draft(check: Check, gate: Gate) -> Draft | None:
    """What its reviewer has typed so far."""
    if check.draft is None:
        return None
    return Draft(gate=gate, author=check.reviewer, text=check.draft["text"], answer=check.draft["answer"])


def _status(check: Check) -> str:
    if check.ended_at is None:
        return GateStatus.OPEN
    return policy.OUTCOME.get(check.verdict, GateStatus.WITHDRAWN)


def _renamed[Row: (Run, Task)](row: Row, **columns: Any) -> Row:
    made = copy.copy(row)
    made._state = copy.copy(row._state)
    made._state.fields_cache = dict(row._state.fields_cache)
    pk = columns.pop("pk")
    made.__dict__.update(id=pk, **columns)
    return made


def _put(gate: Gate, name: str, row: models.Model) -> None:
    gate.__dict__[f"{name}_id"] = row.pk
    gate._state.fields_cache[name] = row


def _moment(text: str) -> Any:
    from django.utils.dateparse import parse_datetime  # noqa: PLC0415 - for the few cards with remarks

    return parse_datetime(text)
