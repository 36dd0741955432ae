"""Deciding against everything that may happen at the same moment, on real connections."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from approvals import services
from approvals.errors import ApprovalsError, GateAlreadySettled
from approvals.models import Decision, Gate
from orchestrator import services as engine
from orchestrator.definitions.plan import GateTerms
from orchestrator.errors import OrchestratorError
from orchestrator.models import Event, Run, Task
from orchestrator.ports import gatekeeper
from tests import people

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 8


def race(*acts: Callable[[], Any]) -> list[Any]:
    """Start each act in its own thread and connection at the same moment; return results, refusals in place."""
    barrier = threading.Barrier(len(acts), timeout=20)
    results: list[Any] = [None] * len(acts)

    def go(index: int, act: Callable[[], Any]) -> None:
        try:
            connection.ensure_connection()
            barrier.wait()
            results[index] = act()
        except OrchestratorError as refusal:
            results[index] = refusal
        except BaseException as surprise:  # noqa: BLE001 - shown by the assertion in the test's own thread
            results[index] = surprise
        finally:
            connection.close()

    threads = [threading.Thread(target=go, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def deciding(gate: Gate, by: User, verdict: str, **facts: Any) -> Callable[[], Decision]:
    return lambda: services.decide(gate_id=gate.pk, by=by, verdict=verdict, gate_version=1, note="why", **facts)


def test_decide_by_many_reviewers_at_once_lets_one_stand_and_tells_the_others_who():
    crowd = [people.person(f"reviewer{n}", decides=people.queue()) for n in range(4)]
    verdicts = ["approve", "reject", "approve", "request_changes"]

    for _ in range(ROUNDS):
        gate = people.gate()
        results = race(*(deciding(gate, by, verdict) for by, verdict in zip(crowd, verdicts, strict=True)))

        won = [result for result in results if isinstance(result, Decision)]
        lost = [result for result in results if isinstance(result, GateAlreadySettled)]
        assert (len(won), len(lost)) == (1, 3), results
        assert {refusal.facts["verdict"] for refusal in lost} == {won[0].verdict}
        assert Event.objects.filter(kind="gate.decided", task_id=gate.task_id).count() == 1
        assert gate.drafts.count() == 3


def test_decide_sent_twice_at_once_with_one_key_makes_one_decision():
    ana = people.person("ana", decides=people.queue())

    for turn in range(ROUNDS):
        gate = people.gate()
        results = race(*[deciding(gate, ana, "approve", idempotency_key=f"k{turn}")] * 3)

        assert len({result.pk for result in results}) == 1


def test_one_key_on_two_gates_at_once_decides_only_one():
    ana = people.person("ana", decides=people.queue())

    for turn in range(ROUNDS):
        gates = [people.gate(), people.gate()]
        results = race(*(deciding(gate, ana, "approve", idempotency_key=f"k{turn}") for gate in gates))

        assert sorted(type(result).__name__ for result in results) == ["Decision", "IdempotencyConflict"], results
        assert Gate.objects.filter(pk__in=[gate.pk for gate in gates], status="open").count() == 1


def test_decide_against_cancel_ends_in_exactly_one_of_both():
    ana = people.person("ana", decides=people.queue())

    for _ in range(ROUNDS):
        gate = people.gate()
        race(
            deciding(gate, ana, "approve"),
            lambda gate=gate: engine.cancel_run(run_id=gate.run_id, by=None, reason="not needed"),
        )

        gate.refresh_from_db()
        task, run = Task.objects.get(pk=gate.task_id), Run.objects.get(pk=gate.run_id)
        assert run.status == "cancelled"
        assert (gate.status, task.status) in {("approved", "succeeded"), ("withdrawn", "cancelled")}
        live = Task.objects.of_run(run.pk).exclude(status__in=["succeeded", "cancelled", "skipped", "failed"])
        assert not live.exists()


def test_decide_against_the_deadline_ends_in_exactly_one_of_both():
    ana = people.person("ana", decides=people.queue())

    for _ in range(ROUNDS):
        gate = people.gate(on_timeout="reject")
        Gate.objects.filter(pk=gate.pk).update(deadline_at=gate.opened_at)
        race(deciding(gate, ana, "approve"), lambda gate=gate: gatekeeper().deadline_reached(gate.pk))

        gate.refresh_from_db()
        task = Task.objects.get(pk=gate.task_id)
        assert (gate.status, task.status) in {("approved", "succeeded"), ("expired", "failed")}
        assert gate.decisions.count() == 1


def test_two_decisions_in_runs_locked_in_opposite_order_never_deadlock():
    ana, sam = (people.person(name, decides=people.queue()) for name in ("ana", "sam"))

    for _ in range(ROUNDS):
        one, two = people.gate(), people.gate()
        results = race(
            lambda one=one, two=two: (deciding(one, ana, "approve")(), deciding(two, ana, "approve")()),
            lambda one=one, two=two: (deciding(two, sam, "approve")(), deciding(one, sam, "approve")()),
        )

        assert all(isinstance(result, tuple | ApprovalsError) for result in results), results
        assert Decision.objects.filter(gate__in=[one, two]).count() == 2


def test_claim_by_two_at_once_is_given_to_one():
    ana, sam = (people.person(name, decides=people.queue()) for name in ("ana", "sam"))

    for _ in range(ROUNDS):
        gate = people.gate()
        results = race(*(partial(services.claim_gate, gate_id=gate.pk, by=by) for by in (ana, sam)))

        assert sorted(type(result).__name__ for result in results) == ["Gate", "GateClaimed"], results


def test_two_voters_at_the_last_needed_vote_make_exactly_one_decision():
    ana, sam, lena = (people.person(name, decides=people.queue()) for name in ("ana", "sam", "lena"))

    for _ in range(ROUNDS):
        gate = people.gate(terms=GateTerms(approvals=2))
        deciding(gate, ana, "approve")()
        results = race(deciding(gate, sam, "approve"), deciding(gate, lena, "approve"))

        assert sorted(type(result).__name__ for result in results) == ["Decision", "GateAlreadySettled"], results
        assert gate.decisions.count() == 1
        assert Event.objects.filter(kind="gate.decided", task_id=gate.task_id).count() == 1


def test_last_vote_against_the_deadline_ends_in_exactly_one_of_both():
    ana, sam = (people.person(name, decides=people.queue()) for name in ("ana", "sam"))

    for _ in range(ROUNDS):
        gate = people.gate(terms=GateTerms(approvals=2), on_timeout="reject")
        deciding(gate, ana, "approve")()
        Gate.objects.filter(pk=gate.pk).update(deadline_at=gate.opened_at)
        race(deciding(gate, sam, "approve"), lambda gate=gate: gatekeeper().deadline_reached(gate.pk))

        gate.refresh_from_db()
        task = Task.objects.get(pk=gate.task_id)
        assert (gate.status, task.status) in {("approved", "succeeded"), ("expired", "failed")}
        assert gate.decisions.count() == 1


def test_one_person_voting_twice_at_once_has_one_vote():
    ana = people.person("ana", decides=people.queue())

    for _ in range(ROUNDS):
        gate = people.gate(terms=GateTerms(approvals=2))
        results = race(*[deciding(gate, ana, "approve")] * 3)

        assert sorted(type(result).__name__ for result in results) == ["Vote", "VotedAlready", "VotedAlready"], results
        assert gate.votes.count() == 1
