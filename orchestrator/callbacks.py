"""Calls back: what the other side sends to the secret address of a `wait_callback` step. No session, no rights: the
address itself is the permission, for one answer to one step.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from agents.types import Json
from orchestrator import callback_tokens, events, services
from orchestrator.engine import answers
from orchestrator.engine.answers import Unfit
from orchestrator.errors import CallbackClosed, CallbackInvalid, CallbackUnknown, CallbackUsed, IllegalTransition
from orchestrator.models import TASK_BITS, Run, Task, Wait
from orchestrator.states import RUN_TERMINAL, TASK_TERMINAL, TaskStatus


def is_known(token: str) -> bool:
    """Whether the address is, or was, one of a step: what is not is a guess."""
    return callback_tokens.is_well_formed(token) and _wait(token).exists()


def receive(*, token: str, payload: Mapping[str, Any]) -> Run:
    """Take one answer and let its step go on; returns the run.

    1. Lock the run: a cancel, a deadline or a second answer comes before or after as a whole.
    2. An address that was used, or that nobody waits at any more, says so and changes nothing.
    3. What breaks the step's schema is refused and does not use the address up.
    4. An answer that comes while the address is still being handed over is kept for the step.

    Raises CallbackUnknown, CallbackUsed, CallbackClosed, CallbackInvalid.
    """
    found = _wait(token).values_list("task_id", flat=True).first() if callback_tokens.is_well_formed(token) else None
    if found is None:
        raise CallbackUnknown
    with transaction.atomic():
        run = services.lock_run(found >> TASK_BITS)
        task = Task.objects.select_for_update(no_key=True).get(pk=found)
        wait = _wait(token).first()
        if wait is None:  # another address was issued meanwhile
            raise CallbackUnknown
        _refuse_closed(run, task, wait)
        answers.take_answer(task, _cleaned(wait, payload), actor="callback")
    run.refresh_from_db()
    return run


@transaction.atomic
def reissue(*, task_id: int, by: User, reason: str) -> str:
    """Close a waiting step's address and open another one, which is returned once; the old one works no more.

    Raises ReasonMissing, and IllegalTransition when the task does not wait for a call back.
    """
    services.lock_run(task_id >> TASK_BITS)
    task = Task.objects.select_for_update(no_key=True).get(pk=task_id)
    said = services.reason_given(reason, "issue a new address")
    if task.status != TaskStatus.WAITING or task.wait_for != "callback":
        raise IllegalTransition(what=f"Task {task_id}", status=task.status, verb="given a new address")
    wait = Wait.objects.get(task_id=task_id)
    remembered = int((task.state or {}).get("serial", 0))
    serial = callback_tokens.following(task_id, wait.token_hash, remembered=remembered)
    token = callback_tokens.issue(task_id, serial)
    Task.objects.filter(pk=task_id).update(state={**(task.state or {}), "serial": serial})
    Wait.objects.filter(task_id=task_id).update(token_hash=callback_tokens.digest(token))
    events.append(
        "callback.issued", actor=services.actor_of(by), run_id=task.run_id, task_id=task_id, data={"reason": said}
    )
    return callback_tokens.address(token)


def _wait(token: str) -> Any:
    return Wait.objects.filter(token_hash=callback_tokens.digest(token), kind=Wait.Kind.CALLBACK)


def _refuse_closed(run: Run, task: Task, wait: Wait) -> None:
    was_used = (task.state or {}).get("answered_at")
    if was_used:
        raise CallbackUsed(at=_minute(datetime.fromisoformat(was_used)))
    ended = wait.ended_at or task.ended_at or run.ended_at
    if wait.ended_at is not None or task.status in TASK_TERMINAL or run.status in RUN_TERMINAL:
        why = f"its run was {run.status}" if run.status in RUN_TERMINAL else "its deadline passed or somebody ended it"
        raise CallbackClosed(at=_minute(ended) if ended else "a while", why=why)


def _cleaned(wait: Wait, payload: Mapping[str, Any]) -> dict[str, Json]:
    try:
        return answers.fitting(wait, payload, answers.OF_CALLBACK)
    except Unfit as flaw:
        raise CallbackInvalid(path=flaw.path, problem=flaw.problem) from flaw


def _minute(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
