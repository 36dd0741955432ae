"""Messages of running tasks: `ctx.messages` behind the port, and the sleep of a task whose message has not come.

A task reads under its call's key, which stays the same across attempts. What it has read counts as read in the
transaction that ends its attempt well; an attempt that fails gives its messages back.
"""

from datetime import timedelta
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from django.db import transaction

from agents.messaging import inbox
from agents.messaging.envelope import read
from agents.messaging.inbox import Reader, Wanted
from agents.messaging.routing import as_message
from agents.messaging.sending import send as accept
from agents.types import Awaits, Json
from orchestrator import events
from orchestrator.engine import opening, transitions, waits
from orchestrator.engine.assignment import Assignment
from orchestrator.engine.returns import return_waiting
from orchestrator.models import TASK_BITS, Run, Task
from orchestrator.states import TASK_TERMINAL, TaskStatus

KIND: Final = "message"  # of the timer that has a sleeping task look, and what such a task waits for


def key_of(job: Assignment) -> str:
    """The name under which a task sends, reads and makes side effects: the same in all attempts at one work."""
    return f"task-{job.claimed.id}-{job.claimed.revision}"


def send(job: Assignment, given: dict[str, Any]) -> Json:
    """Send one message in the name of a task's agent; a later attempt's same message is the first one."""
    told = dict(given["message"])
    own = {"agent_id": job.step.agent, "task_id": f"task-{job.claimed.id}"}
    told |= own | {"id": str(uuid5(NAMESPACE_URL, f"{key_of(job)} {given['key']}"))}
    if not told.get("correlation_id"):
        told["correlation_id"] = _correlation(job)
    sent = accept(read(told), sender=f"agent:{job.step.agent}")
    return str(sent.message.uid)


def receive(job: Assignment, given: dict[str, Any]) -> Json:
    """The message of a task's nth wait, or None while there is none."""
    job.mail = True
    taken = inbox.receive(
        _reader(job),
        serial=given["serial"],
        wanted=Wanted(**given["wanted"]),
        within=given["within"],
        correlation_id=_correlation(job),
        lease=timedelta(seconds=job.step.timeout) + inbox.LEASE,
    )
    return {"message": as_message(taken.envelope), "failures": taken.failures} if taken else None


@transaction.atomic
def sleep(job: Assignment, shift: int, given: dict[str, Json], outcome: Awaits) -> None:
    """No message came while the agent's call lasted: its task waits, and holds nothing but the messages it has read."""
    task = opening.suspend(job, shift, wait_for=KIND, given=given, version=outcome.version)
    if task is None:
        return
    until = waits.set_deadline(task.pk, max(outcome.within, 0.001))
    inbox.keep(key_of(job), until=timedelta(seconds=outcome.within))
    data: dict[str, Json] = {"attempt": task.attempt, "for": KIND, "until": until.isoformat() if until else ""}
    events.append("task.waiting", actor=f"agent:{job.step.agent}", run_id=task.run_id, task_id=task.pk, data=data)
    waits.set_timer(KIND, task.pk)  # a message may have come since the agent last looked


@transaction.atomic
def look(task_id: int) -> None:
    """A sleeping task's message may be there: if it is, or the time is over, the agent is called again."""
    if not Run.objects.filter(pk=task_id >> TASK_BITS).exists():
        return
    transitions.lock_run(task_id >> TASK_BITS)
    locked = Task.objects.select_for_update(no_key=True, of=("self",)).select_related("agent")
    task = locked.filter(pk=task_id).first()
    if task is None:
        return
    key = f"task-{task.pk}-{task.revision}"
    if task.status in TASK_TERMINAL:  # cancelled, skipped: it waits for nothing any more
        inbox.stop_expecting(key)
    if (task.status, task.wait_for) != (TaskStatus.WAITING, KIND) or task.agent is None:
        return
    if inbox.arrived(Reader(task.agent.name, key, address=key)):
        return_waiting(task, reason="a message came, or the time for it is over")


def finished(job: Assignment) -> None:
    """The task's attempt has ended well: what it read is read. In the transaction that ends it."""
    if job.mail:
        inbox.finish(key_of(job))


def failed(job: Assignment, problem: str) -> None:
    """The task's attempt has failed: what it read goes to another attempt or reader."""
    if job.mail:
        inbox.abandon(key_of(job), problem=problem)


def _reader(job: Assignment) -> Reader:
    key = key_of(job)
    return Reader(job.step.agent, key, address=key)


def _correlation(job: Assignment) -> str:
    if not job.correlation_id:
        found = Run.objects.values_list("correlation_id", flat=True).get(pk=job.claimed.run_id)
        job.correlation_id = found or f"run-{job.claimed.run_id}"
    return job.correlation_id
