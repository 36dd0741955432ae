"""Signals that runs publish: recorded in the transaction in which their step settles, in the name of the run's owner.

A signal knows how many runs led to it: runs that signals start, and that publish signals in turn, end at `DEEPEST`.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from django.db.models.functions import Now

from agents.cleaning import clean
from agents.errors import OutputRejected
from agents.types import Json
from orchestrator import events, waits_db
from orchestrator.definitions import expressions
from orchestrator.definitions.fields import SIGNAL
from orchestrator.definitions.plan import PlanStep
from orchestrator.engine import delivery, waits
from orchestrator.engine.answers import OF_SIGNAL
from orchestrator.errors import SignalRefused, SignalTooDeep
from orchestrator.models import TASK_BITS, Run, Signal, Task

DEEPEST: Final = 8  # runs in a row that one signal may lead to, as deep as subworkflows
RETENTION: Final = timedelta(days=30)
GROUP_KEY: Final = "group"  # how the idempotency key of a run begins that a consumer group has started


def require_depth(run_id: int, step: PlanStep) -> None:
    """Raises SignalTooDeep when this run, and those before it, were each started by another run's signal."""
    if depth_of(Run.objects.get(pk=run_id)) >= DEEPEST:
        raise SignalTooDeep(signal=step.publishes["signal"], deepest=DEEPEST)


def publish(task: Task, step: PlanStep, output: dict[str, Json]) -> None:
    """Publish what a step that is succeeding says it publishes, if it does. Raises ExpressionError, SignalRefused.

    The caller holds the run's lock and has fenced the attempt: one success publishes once.
    """
    if not step.publishes:
        return
    require_depth(task.run_id, step)
    context = delivery.context_of(task, step, output)
    name, key = step.publishes["signal"], expressions.render_text(str(step.publishes.get("key", "")), context)
    data = expressions.resolve(step.publishes["data"], context) if "data" in step.publishes else output
    assert isinstance(name, str)
    assert isinstance(data, dict)
    run = Run.objects.select_related("started_by", "version__published_by").get(pk=task.run_id)
    waits_db.lock_signal(name)
    signal = Signal.objects.create(
        name=name,
        key=key,
        data=cleaned(name, key, "", data),
        dedup=f"task {task.pk} attempt {task.attempt}",  # with spaces, which no sender's own id may have
        sent_by=owner_of(run),
        depth=depth_of(run) + 1,
        expires_at=Now() + RETENTION,
    )
    waits.set_timer("signal", signal.pk)
    facts: dict[str, Json] = {"signal": signal.pk, "name": name, "key": key}
    events.append("signal.published", actor="engine", run_id=task.run_id, task_id=task.pk, data=facts)


def owner_of(run: Run) -> str:
    """In whose name a run publishes: who started it, else who published its version; what they may not start stays
    where it is. What nobody by name has started or published came from an operator at the machine.
    """
    person = run.started_by or run.version.published_by
    return f"user:{person.get_username()}" if person is not None else f"run:{run.pk}"


def key_of(group: int, replays: int, signal: Signal) -> str:
    """The idempotency key of the run that a group starts for a signal; it holds how many runs led there."""
    deep = f" {signal.depth}" if signal.depth else ""
    return f"{GROUP_KEY} {group} {replays} {signal.pk}{deep}"


def depth_of(run: Run) -> int:
    """How many runs in a row led to this one by their signals; a subworkflow is as deep as the run that started it."""
    while run.parent_task is not None:
        run = Run.objects.get(pk=run.parent_task >> TASK_BITS)
    parts = (run.idempotency_key or "").split(" ")
    return int(parts[4]) if parts[0] == GROUP_KEY and len(parts) == 5 else 0


def cleaned(name: str, key: str, sender_id: str, data: Mapping[str, Any]) -> dict[str, Json]:
    """A signal's data as it is stored. Raises SignalRefused for what cannot be."""
    if not SIGNAL.fullmatch(name):
        raise SignalRefused(field="name", problem="must be lower-case letters a-z, digits, . _ and -, a letter first")
    for field, text in (("key", key), ("id", sender_id)):
        if len(text) > 200 or not text.isprintable():
            raise SignalRefused(field=field, problem="must have at most 200 printable characters")
    try:
        value = clean(dict(data), OF_SIGNAL).value
    except OutputRejected as problem:
        raise SignalRefused(field="data", problem=f"cannot be stored: {problem}") from problem
    assert isinstance(value, dict)
    return value
