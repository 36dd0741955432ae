"""What a waiting step is given from outside, checked against what it waits for, and the step that goes on with it.

For signals and calls back that arrive, and for people who fire, deliver or answer by hand. The caller holds the locks
of the run and of the task.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from django.db.models.functions import Now

from agents.cleaning import Limits, clean
from agents.errors import OutputRejected
from agents.types import Json
from orchestrator import db, events, waits_db
from orchestrator.definitions import contracts, expressions
from orchestrator.definitions.expressions import ExpressionError
from orchestrator.engine import delivery
from orchestrator.models import Task, Timer, Wait
from orchestrator.states import TaskStatus

TOP: Final = "the top"
OF_CALLBACK: Final = Limits(depth=64, size=1024 * 1024, nodes=100_000)
OF_SIGNAL: Final = Limits(depth=32, size=48 * 1024, nodes=10_000)  # with its envelope it still fits into a task's row


class Unfit(Exception):
    """What was given is not what the step waits for."""

    def __init__(self, path: str, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(f"{path}: {problem}")


def fitting(wait: Wait, payload: Mapping[str, Any], limits: Limits) -> dict[str, Json]:
    """The payload, cleaned, if the step's schema allows it. Raises Unfit naming the first flaw."""
    try:
        value = clean(dict(payload), limits).value
    except OutputRejected as problem:
        raise Unfit(TOP, str(problem)) from problem
    assert isinstance(value, dict)
    flaws = contracts.violations(wait.schema, value) if wait.schema else []
    if flaws:
        path, message = flaws[0]
        raise Unfit(path or TOP, message)
    return value


def as_signal(wait: Wait, data: dict[str, Json], *, sent_by: str) -> dict[str, Json]:
    """What a step is given by hand in the form of the signal that it waits for. Raises Unfit if `match` is not true."""
    sent = {"id": None, "name": wait.name, "key": wait.key, "data": data, "sent_by": sent_by}
    event: dict[str, Json] = {**sent, "sent_at": db.clock().isoformat()}
    try:
        fits = not wait.match or expressions.holds(wait.match, {"event": event})
    except ExpressionError as problem:
        raise Unfit("match", str(problem)) from problem
    if not fits:
        raise Unfit("match", f"{wait.match} does not hold")
    return event


def take_answer(task: Task, payload: dict[str, Json], *, actor: str, **facts: Json) -> None:
    """A step takes the one answer to its secret address; one that still hands the address over keeps it for then."""
    body = orjson.dumps(payload)
    if len(body) > delivery.LARGE:
        payload = delivery.pack(body)
        body = orjson.dumps(payload)
    remembered: dict[str, Any] = {**(task.state or {}), "answered_at": db.clock().isoformat()}
    if task.status == TaskStatus.WAITING and task.wait_for == "callback":
        waits_db.finish_waits("callback", [waits_db.Finish(task.pk, body.decode(), facts)], actor=actor)
    else:
        remembered["received"] = payload
        Wait.objects.filter(task_id=task.pk).update(ended_at=Now())
        events.append("callback.received", actor=actor, run_id=task.run_id, task_id=task.pk, data={})
    Task.objects.filter(pk=task.pk).update(state=remembered)


def take_signal(task: Task, event: dict[str, Json], *, actor: str, **facts: Json) -> None:
    """A step that waits for a signal goes on with this one."""
    waits_db.finish_waits("event", [waits_db.Finish(task.pk, orjson.dumps(event).decode(), facts)], actor=actor)


def fire(timer: Timer, *, actor: str, **facts: Json) -> None:
    """A step that waits for a time goes on before it."""
    times = {"due": timer.due_at.isoformat(), "fired_at": db.clock().isoformat(), "late": False, "late_s": 0.0}
    finish = waits_db.Finish(timer.ref, orjson.dumps(times).decode(), facts, timer=timer.pk)
    waits_db.finish_waits("timer", [finish], actor=actor)
