"""The engine's port to people, `orchestrator.ports.Gatekeeper`: opens, withdraws and escalates; never approves."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from agents.types import Json
from approvals import access, asking, blinding, deadlines, duties, policy, quorums, runways
from approvals import risk as risks
from approvals.models import Decision, Gate, GateKind, GateStatus, Queue, Risk, Verdict
from orchestrator import events
from orchestrator.events import EventKind
from orchestrator.models import Run, Task
from orchestrator.ports import GateFact, GateRequest, GateTerms, terms_to_json

ENGINE: Final = "engine"
FALLBACK_QUEUE: Final = "operations"
MOST_BARRED: Final = 200  # people; they stand in the index of the inbox


class Gatekeeper:
    """`open_gate` and `withdraw_gates` run inside the engine's transaction, after the run's lock."""

    def open_gate(self, request: GateRequest) -> int:
        """Store what people will see, sealed, and start its deadline by the database's clock; return the gate's id."""
        queue = _queue(request.queue)
        task = Task.objects.only("key").get(pk=request.task_id) if request.task_id is not None else None
        step = task.key if task else ""
        # A risk that nobody knows is the worst one, not the least.
        risk = request.risk if request.risk in Risk.values else Risk.CRITICAL.value
        request = replace(request, terms=quorums.raised(request.terms, queue, kind=request.kind, risk=risk))
        subject = _subject(request, step=step, risk=risk)
        gate = Gate.objects.create(
            task_id=request.task_id,
            run_id=request.run_id,
            workflow_id=request.workflow_id,
            queue=queue,
            step=step,
            kind=request.kind,
            title=request.title[:300],
            risk=risk,
            rule=request.rule,
            subject=subject,
            seal=policy.seal(subject),
            allowed=list(request.allowed),
            confidence=request.confidence,
            agent=request.agent,
            agent_version=request.agent_version,
            revision=request.revision,
            requested_by_id=request.requested_by,
            barred=_barred(request),
            approvals=request.terms.approvals,
            blind=request.terms.blind,
            deadline_at=deadlines.first(request.terms, queue, request.deadline_s)
            or Now() + timedelta(seconds=request.deadline_s),
            deadline_s=request.deadline_s,
            on_timeout=request.on_timeout,
            escalate_to=Queue.objects.filter(name=request.escalate_to).first() if request.escalate_to else None,
        )
        deadlines.arm(gate)
        asking.rehearse(gate)
        facts: dict[str, Json] = {"queue": queue.name, "risk": risk, "kind": gate.kind, "seal": gate.seal}
        if queue.name != request.queue:
            facts["asked_for"] = request.queue
        _record(EventKind.GATE_OPENED, gate, facts)
        return gate.pk

    def withdraw_gates(self, task_ids: Sequence[int], *, reason: str) -> int:
        """Close the open gates of tasks that will not go on; return how many."""
        return _withdraw(Q(task_id__in=task_ids), reason)

    def withdraw_run_gate(self, run_id: int, *, reason: str) -> int:
        """Close the open gate about a whole run, if there is one; return how many."""
        return _withdraw(Q(run_id=run_id, kind=GateKind.DEADLINE), reason)

    @transaction.atomic
    def deadline_reached(self, gate_id: int) -> None:
        """A deadline has passed: see `deadlines.reached`."""
        deadlines.reached(gate_id)

    @transaction.atomic
    def remind(self, gate_id: int) -> None:
        """A deadline is near: see `deadlines.remind`."""
        deadlines.remind(gate_id)

    @transaction.atomic
    def release_reached(self, gate_id: int) -> None:
        """The time to take an approval back is over: see `runways.reached`."""
        runways.reached(gate_id)

    def gates_of(self, run_ids: Sequence[int], *, only_open: bool, limit: int = 500) -> list[GateFact]:
        """The gates of these runs, the nearest deadline first."""
        gates = Gate.objects.filter(run_id__in=run_ids, **({"status": GateStatus.OPEN} if only_open else {}))
        columns = ("id", "task_id", "run_id", "title", "kind", "status", "queue__title", "risk")
        times = ("opened_at", "deadline_at", "settled_at", "on_timeout", "decisions__verdict", "decisions__note")
        rows = gates.order_by("deadline_at").values_list(*columns, *times, "releases_at")
        return [GateFact(*row) for row in rows[:limit]]

    def hidden_tasks(self, user: User, run_ids: Collection[int]) -> frozenset[int]:
        """See `blinding.tasks`."""
        return blinding.tasks(user, run_ids)

    def answers_about(self, task_ids: Sequence[int], *, after: int = 0) -> dict[int, str]:
        """How the last question about each task's work ended; failures and calls of tools are not its work."""
        trouble = (GateKind.EXCEPTION, GateKind.QUARANTINE, GateKind.TOOL)
        asked = Gate.objects.filter(task_id__in=task_ids, pk__gt=after).exclude(kind__in=trouble).order_by("pk")
        return dict(asked.values_list("task_id", "status"))

    def approved_calls(self, task_id: int, *, after: int = 0) -> Mapping[str, dict[str, Json] | None]:
        """Seals of calls that a person has approved and whose gates are what they saw, with edited arguments."""
        gates = Gate.objects.filter(task_id=task_id, pk__gt=after, kind=GateKind.TOOL, status=GateStatus.APPROVED)
        decisions = Decision.objects.filter(gate__in=gates, verdict__in=(Verdict.APPROVE, Verdict.EDIT))
        said = decisions.filter(seal=F("gate__seal")).select_related("gate").order_by("pk")
        found = (one for one in said if policy.seal(one.gate.subject) == one.gate.seal)
        return {
            str(one.gate.subject["action"].get("seal", "")): one.after if one.verdict == Verdict.EDIT else None
            for one in found
        }

    def queue_names(self) -> frozenset[str]:
        """All there are; *operations* is made when it is first needed."""
        return frozenset((FALLBACK_QUEUE, *Queue.objects.values_list("name", flat=True)))

    def queue_titles(self) -> dict[str, str]:
        """What people call each queue, by its name."""
        return dict(Queue.objects.values_list("name", "title"))

    def make_queues(self, names: Sequence[str]) -> None:
        """Each with its name for a title; nobody has a right to it yet, and it passes on to *operations*."""
        if missing := [name for name in names if name != FALLBACK_QUEUE]:
            last = _queue(FALLBACK_QUEUE)
            for name in missing:
                access.ensure_queue(name=name, title=name.replace("-", " ").capitalize(), escalates_to=last)


def _withdraw(which: Q, reason: str) -> int:
    gates = list(
        Gate.objects.select_for_update()
        .filter(which, status=GateStatus.OPEN)
        .only("id", "run_id", "task_id", "version")
        .order_by("id")
    )
    Gate.objects.filter(pk__in=[gate.pk for gate in gates]).update(
        status=GateStatus.WITHDRAWN, settled_at=Now(), version=F("version") + 1, releases_at=None
    )
    runways.withdrawn(Q(gate__in=[gate.pk for gate in gates]))
    for gate in gates:
        _record(EventKind.GATE_WITHDRAWN, gate, {"reason": reason[:1000]})
    return len(gates)


def _queue(name: str) -> Queue:
    # A definition that names a queue nobody made must not lose its gate: operations decides, and the event says so.
    found = Queue.objects.filter(name=name).first()
    return found or Queue.objects.get_or_create(name=FALLBACK_QUEUE, defaults={"title": "Operations"})[0]


def _barred(request: GateRequest) -> list[int]:
    run = Run.objects.only("id", "started_by", "version", "correlation_id").get(pk=request.run_id)
    hands = duties.hands(run, task=request.task_id, agent=request.agent, requested_by=request.requested_by)
    return sorted(hands)[:MOST_BARRED]


def _subject(request: GateRequest, *, step: str, risk: str) -> dict[str, Json]:
    return {
        "title": request.title,
        "step": step,
        "action": request.action,
        "proposal": request.proposal,
        "input": request.input,
        "evidence": list(request.evidence),
        "alternatives": list(request.alternatives),
        "consequence": request.consequence,
        "rule": request.rule,
        "matched": list(request.matched),
        "risk": risk,
        "confidence": request.confidence,
        "agent": request.agent,
        "agent_version": request.agent_version,
        "revision": request.revision,
        "form": request.form,
        "allowed": list(request.allowed),
        **_factors(request),
        **({"terms": terms_to_json(request.terms)} if request.terms != GateTerms() else {}),
    }


def _factors(request: GateRequest) -> dict[str, Json]:
    found = risks.factors(request.action, request.evidence, confidence=request.confidence, revision=request.revision)
    return {"factors": [*found]} if found else {}


def _record(kind: EventKind, gate: Gate, facts: dict[str, Json]) -> None:
    events.append(kind, actor=ENGINE, run_id=gate.run_id, task_id=gate.task_id, data={"gate": gate.pk, **facts})
