"""How a verdict takes effect: the checks of what was sealed, the decision, and the release of its task.

Used by `services.decide()` and, where an approval could be taken back for a while, by the end of that (`runways`).
Whoever calls holds the locks of run and gate, and has checked who decides.
"""

from datetime import datetime
from typing import Final

from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.utils.translation import gettext

from agents.types import Json
from approvals import answers, desk_db, policy
from approvals.answers import Answer
from approvals.errors import GateChanged, GateNotFound, SealBroken
from approvals.feedback import appraising
from approvals.joined import Joined
from approvals.models import Decision, Gate, GateKind
from orchestrator import events, services
from orchestrator.events import EventKind
from orchestrator.models import TASK_BITS, Task, WorkflowVersion, task_id

_LOCKED: Final = Joined(Gate, "run", "task", where="t0.id = %(pk)s", others="FOR UPDATE OF t0")


def lock_gate(gate_id: int) -> Gate:
    """Lock the run, then the gate; GateNotFound."""
    run_id = desk_db.run_of(gate_id)
    if run_id is None:
        raise GateNotFound(gate_id=gate_id)
    services.lock_run(run_id)
    gate = _LOCKED.first(pk=gate_id)
    if gate is None:
        raise GateNotFound(gate_id=gate_id)
    return gate


def refuse_moved(gate: Gate, seen: int) -> None:
    """Refuse if it is not what the person saw, or not what was sealed: GateChanged, SealBroken."""
    if seen != gate.version:
        raise GateChanged(
            gate_id=gate.pk,
            what=gettext("you saw version %(gate_version)s, now it is %(version)s")
            % {"gate_version": seen, "version": gate.version},
        )
    if policy.seal(gate.subject) != gate.seal:
        raise SealBroken(gate_id=gate.pk, what=gettext("its stored subject was altered"))
    if gate.task is None:  # about a whole run: its facts are the gate's alone
        return
    if not policy.same(gate.task.input, gate.subject["input"]):
        raise SealBroken(gate_id=gate.pk, what=gettext("the task's stored input was altered"))
    reviewed = _reviewed_output(gate)
    asked = gate.subject.get("amended", {}).get("from", gate.subject["proposal"])
    if reviewed is not None and not policy.same(reviewed, asked):
        raise SealBroken(gate_id=gate.pk, what=gettext("the output under review was altered"))


def reviewed_task(gate: Gate) -> int | None:
    """The task whose output an approval step reviews; None where the proposal lives in the gate alone."""
    if gate.kind != GateKind.APPROVAL or gate.task is None or gate.task.kind != "approval":
        return None
    index = gate.task.pk & (2**TASK_BITS - 1)
    version = WorkflowVersion.objects.filter(pk=gate.task.version_id)
    subject = version.values_list(f"plan__steps__{index}__subject", flat=True).first()
    return None if subject is None else task_id(gate.run_id, subject)


def _reviewed_output(gate: Gate) -> dict[str, Json] | None:
    """What an approval step reviews, as its own step stored it."""
    reviewed = reviewed_task(gate)
    if reviewed is None:
        return None
    return Task.objects.filter(pk=reviewed).values_list("output", flat=True).first()


def settle(gate: Gate, by: User, answer: Answer, *, decided_at: datetime | None = None) -> Decision:
    """Append the decision and settle the gate. `decided_at`: when it was decided, if that was not now."""
    decision = Decision.objects.create(
        gate=gate,
        verdict=answer.verdict,
        decided_by=by,
        via=answer.via,
        note=answer.note,
        gate_version=gate.version,
        seal=gate.seal,
        before=gate.subject.get("amended", {}).get("from", gate.subject["proposal"]),
        after=answer.edited,
        idempotency_key=answer.key,
        checked=list(answer.checked),
        **({"decided_at": decided_at} if decided_at else {}),
    )
    if gate.approvals == 1:  # of several people each has said it with their vote
        appraising.keep(answer.appraisal, gate, by, decision=decision)
    gate.status, gate.settled_at = policy.outcome(answer.verdict, answer.edited), Now()
    gate.save(update_fields=["status", "settled_at"])
    desk_db.forget_draft(gate.pk, by.pk)
    facts: dict[str, Json] = {"verdict": answer.verdict, "via": answer.via, "version": gate.version, "seal": gate.seal}
    record(EventKind.GATE_DECIDED, gate, by, decision=decision.pk, edited=answer.edited is not None, **facts)
    return decision


def release(gate: Gate, by: User, answer: Answer) -> None:
    """Let the task, or the run, go on as the verdict says."""
    if answer.verdict == "terminate":
        services.cancel_run(run_id=gate.run_id, by=by, reason=answer.note)
    elif gate.task_id is None:
        _release_run(gate, by, answer)
    elif answer.verdict == "choose":
        _release_choice(gate.task_id, by, answer)
    else:
        _release_task(gate.task_id, gate, by, answer)


def _release_run(gate: Gate, by: User, answer: Answer) -> None:
    if answer.verdict == "extend":  # letting it go on changes nothing: it has never stopped
        length, said = str((answer.edited or {})["by"]), answer.note or f"decided at gate {gate.pk}"
        services.extend_run(run_id=gate.run_id, by=length, actor=services.actor_of(by), reason=said)


def _release_choice(waiting: int, by: User, answer: Answer) -> None:
    actor = services.actor_of(by)
    if policy.outcome("choose", answer.edited) == "approved":
        services.complete_task(task_id=waiting, output=answers.chosen(answer.edited)["output"], actor=actor)
    else:
        services.revise_task(task_id=waiting, note=answers.instruction(answer.edited, answer.note), actor=actor)


def _release_task(waiting: int, gate: Gate, by: User, answer: Answer) -> None:
    actor = services.actor_of(by)
    match answer.verdict:
        case "approve" | "edit" if gate.kind == GateKind.TOOL:
            services.approve_call(task_id=waiting, actor=actor)
        case "approve":
            services.complete_task(task_id=waiting, output=gate.subject["proposal"], actor=actor)
        case "edit" | "complete":
            services.complete_task(task_id=waiting, output=answer.edited or {}, actor=actor)
        case "request_changes":
            services.revise_task(task_id=waiting, note=answer.note, actor=actor)
        case "retry":
            services.retry_task(task_id=waiting, actor=actor)
        case "skip":
            services.skip_task(task_id=waiting, actor=actor)
        case "reject":
            message = f"Rejected by {name_of(by)}."
            services.fail_task(task_id=waiting, code="rejected", message=message, actor=actor, note=answer.note)


def record(kind: EventKind, gate: Gate, by: User | None, **facts: Json) -> None:
    """One event about a gate."""
    events.append(
        kind, actor=services.actor_of(by), run_id=gate.run_id, task_id=gate.task_id, data={"gate": gate.pk, **facts}
    )


def name_of(user: User | None) -> str:
    """What a person is called."""
    return (user.get_full_name() or user.username) if user else "somebody"
