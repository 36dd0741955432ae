"""Choreography: consumer groups hand each signal of a name on to a run of a workflow, once and in order.

Signals of one name are published one after the other (`waits_db.lock_signal`), so their ids commit in order and a
position is enough of a memory. A group's row is locked while a batch is handed on: two sweepers hand nothing on twice.
"""

from typing import Final

import structlog
from django.contrib.auth.models import User
from django.db import OperationalError, transaction

from agents.types import Json
from orchestrator import events, orders
from orchestrator.definitions import expressions
from orchestrator.definitions.expressions import ExpressionError
from orchestrator.engine import announcing, starting, waits
from orchestrator.errors import OrchestratorError
from orchestrator.models import ConsumerGroup, Signal, Workflow
from orchestrator.ports import rights

BATCH: Final = 50  # runs started in one transaction

log = structlog.get_logger(__name__)


def hand_on_signal(signal_id: int) -> None:
    """Let every group that listens to this signal's name catch up."""
    name = Signal.objects.filter(pk=signal_id).values_list("name", flat=True).first()
    if name is not None:
        for group in ConsumerGroup.objects.filter(signal=name, enabled=True).values_list("pk", flat=True):
            hand_on(group)


@transaction.atomic
def hand_on(group_id: int) -> int:
    """Start runs for the next signals of a group; return how many signals were looked at.

    A full batch sets a timer for the next one, so that a long replay never holds other timers up.
    """
    group = (
        ConsumerGroup.objects.select_for_update(of=("self",))
        .select_related("workflow", "created_by")
        .filter(pk=group_id, enabled=True)
        .first()
    )
    if group is None:
        return 0
    batch = list(Signal.objects.filter(name=group.signal, pk__gt=group.position).order_by("pk")[:BATCH])
    for signal in batch:
        _hand_on(group, signal)
    if batch:
        ConsumerGroup.objects.filter(pk=group.pk).update(position=batch[-1].pk)
    if len(batch) == BATCH:
        waits.set_timer("group", group.pk)
    return len(batch)


def _hand_on(group: ConsumerGroup, signal: Signal) -> None:
    """One signal; what cannot be handed on is told and passed over, or it would block all that follow."""
    try:
        with transaction.atomic():
            _start_if_wanted(group, signal)
    except (ExpressionError, OrchestratorError) as problem:
        _refuse(group, signal, str(problem))
    except OperationalError:
        raise  # the database's trouble, not the signal's: it is handed on later
    except Exception as problem:
        log.exception("signal_not_handed_on", group=group.name, signal=signal.pk)
        _refuse(group, signal, f"it could not be started ({type(problem).__name__}); the log says why")


def _start_if_wanted(group: ConsumerGroup, signal: Signal) -> None:
    if refusal := _refusal_to_start(group, signal):
        _refuse(group, signal, refusal)
    elif not group.match or expressions.holds(group.match, {"event": as_event(signal)}):
        _start(group, signal)


def _refuse(group: ConsumerGroup, signal: Signal, problem: str) -> None:
    facts: dict[str, Json] = {"group": group.name, "signal": signal.pk, "problem": problem[:500]}
    events.append("group.refused", actor="engine", data={**facts, "workflow": group.workflow.name})


def _refusal_to_start(group: ConsumerGroup, signal: Signal) -> str:
    """Why a signal starts no run: a person who sent it starts it, for what nobody sent whoever made the group does."""
    maker = group.created_by
    if signal.sent_by.startswith("user:") or maker is None or rights().can(maker, "start_run", group.workflow):
        return refusal_of(signal, group.workflow)
    return f"{maker.get_username()} made the group and may no longer start runs of {group.workflow.name}"


def _start(group: ConsumerGroup, signal: Signal) -> None:
    """The run is its sender's request: nobody decides about what they have brought about."""
    order = orders.draw_up(
        orders.find_workflow(group.workflow.name),
        _input_of(group, signal),
        user=sender.pk if (sender := sender_of(signal)) is not None else group.created_by_id,
        title="",
        key=announcing.key_of(group.pk, group.replays, signal),  # with spaces, which no caller's key may have
        correlation=f"signal-{signal.pk}",
        priority=None,
        actor=f"group:{group.name}",
    )
    if orders.started_before(order) is None:
        starting.begin(order)


def _input_of(group: ConsumerGroup, signal: Signal) -> dict[str, Json]:
    """The signal's data; or with `recent` that of the last signals of its key up to it, the oldest first.

    What came later is never among them: handed on again, a signal that is kept with those before it says the same.
    """
    if not group.recent:
        data: dict[str, Json] = signal.data
        return data
    until = Signal.objects.filter(name=signal.name, key=signal.key, pk__lte=signal.pk).order_by("-pk")
    return {"recent": list(reversed(until.values_list("data", flat=True)[: group.recent]))}


def refusal_of(signal: Signal, workflow: Workflow) -> str:
    """Why a signal may not move this workflow: when it is handed out, its sender must be allowed to start runs."""
    if not signal.sent_by.startswith("user:"):
        return ""
    sender = sender_of(signal)
    if sender is not None and rights().can(sender, "start_run", workflow):
        return ""
    return f"{signal.sent_by.partition(':')[2]} sent it and may not start runs of {workflow.name}"


def sender_of(signal: Signal) -> User | None:
    """The person who sent a signal; None for what the engine or a feed sent, and for people who are gone."""
    family, _, name = signal.sent_by.partition(":")
    return User.objects.filter(username=name).first() if family == "user" else None


def as_event(signal: Signal) -> dict[str, Json]:
    """A signal as expressions read it under the name `event`, and as the step that waited for it gives it on."""
    return {
        "id": signal.pk,
        "name": signal.name,
        "key": signal.key,
        "data": signal.data,
        "sent_by": signal.sent_by,
        "sent_at": signal.sent_at.isoformat(),
    }
