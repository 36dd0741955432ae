"""The engine as a state machine: Hypothesis claims, ends, kills, steers and decides in any order; after every step all
invariants hold, and in the end every run can be brought to its end.

Driven by hand on real connections, without a shift's process: the same seed does the same things.
"""

import os

import pytest
from django.contrib.auth.models import User
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from approvals import services as people
from approvals.models import Gate
from orchestrator import db, services
from orchestrator.db import Claimed
from orchestrator.engine import endings, sweep
from orchestrator.models import Event, Run, Stop, Task, Timer
from orchestrator.states import RUN_TERMINAL
from tests.engine import publish, start
from tests.hands import Hand, assignment, forget_everything, reviewer, violations

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]

KINDS = {
    "plain": "type: automated, agent: test-echo",
    "soft": "type: automated, agent: test-echo, on_error: skip",
    "asking": "type: automated, agent: test-echo, on_error: ask",
    "brief": "type: automated, agent: test-echo, retry: {attempts: 1}",
    "manual": "type: manual, queue: default, form: {type: object}, instructions: Look",
}
VERDICTS = ("approve", "complete", "request_changes", "retry", "skip", "reject", "terminate")


@st.composite
def plans(draw: st.DrawFn) -> tuple[str, str]:
    """Steps and dependencies of a small acyclic graph, its last step sometimes under review."""
    kinds = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=5))
    steps = [f"  - {{key: s{index}, {KINDS[kind]}}}" for index, kind in enumerate(kinds)]
    after = {
        f"s{index}": [f"s{other}" for other in range(index) if draw(st.booleans())] for index in range(1, len(kinds))
    }
    if kinds[-1] != "manual" and draw(st.booleans()):
        steps.append(f"  - {{key: review, type: approval, subject: s{len(kinds) - 1}, queue: default, title: Review}}")
    lines = ", ".join(f"{key}: [{', '.join(before)}]" for key, before in after.items() if before)
    return "\n".join(steps), f"dependencies: {{{lines}}}" if lines else ""


def busy(engine: "Engine") -> bool:
    """Whether a shift holds a task."""
    return any(hand.claimed for hand in engine.hands)


class Engine(RuleBasedStateMachine):
    """Two shifts, one reviewer, one operator and any number of runs."""

    def __init__(self) -> None:
        super().__init__()
        forget_everything()
        self.ana, self.mia = reviewer(), User.objects.get_or_create(username="mia")[0]
        self.hands = [Hand(), Hand()]
        self.stale: list[tuple[Hand, Claimed]] = []  # attempts whose shift has been ended, or that have been settled
        self.orphans: list[tuple[Hand, Claimed]] = []  # attempts of dead shifts that no sweep has found yet
        self.names = 0
        self.look()

    def look(self) -> None:
        """What the rules may find: read once a step."""
        self.statuses = set(Run.objects.values_list("status", flat=True))
        self.stopped = Stop.objects.filter(lifted_at=None).exists()
        self.gates = list(Gate.objects.filter(status="open").order_by("pk"))
        self.timers = Timer.objects.filter(kind="task_retry", fired_at=None).exists()

    def teardown(self) -> None:
        """Whatever has happened, people and workers can bring every run to its end."""
        try:
            self.lift()
            for run in Run.objects.filter(status="paused"):
                services.resume_run(run_id=run.pk, by=self.mia, reason="go on")
            for _ in range(60):
                if not self.live():
                    break
                self.push_on()
            assert not self.live(), [*Task.objects.exclude(status="blocked").values_list("key", "status", "wait_for")]
            assert violations() == []
        finally:
            Hand.close_all()

    def push_on(self) -> None:
        for hand in self.hands:
            for job in [*hand.claimed, *hand.claim(50)]:
                self.end(hand, job)
        for gate in Gate.objects.filter(status="open"):
            self.answer(gate, next(v for v in ("approve", "complete", "skip") if v in gate.allowed))
        self.fire()

    def live(self) -> bool:
        return Run.objects.exclude(status__in=RUN_TERMINAL).exists()

    # What people start and steer

    @precondition(lambda self: Run.objects.count() < 4)
    @rule(plan=plans())
    def begin(self, plan: tuple[str, str]) -> None:
        self.names += 1
        publish(plan[0], name=f"dag{self.names}", rest=plan[1])
        start(f"dag{self.names}")

    def run_that_is(self, data: st.DataObject, *statuses: str) -> Run:
        return data.draw(st.sampled_from(list(Run.objects.filter(status__in=statuses).order_by("pk"))))

    @precondition(lambda self: "running" in self.statuses)
    @rule(data=st.data())
    def pause(self, data: st.DataObject) -> None:
        services.pause_run(run_id=self.run_that_is(data, "running").pk, by=self.mia, reason="x")

    @precondition(lambda self: "paused" in self.statuses)
    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        services.resume_run(run_id=self.run_that_is(data, "paused").pk, by=self.mia, reason="x")

    @precondition(lambda self: self.statuses & {"running", "paused"})
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        services.cancel_run(run_id=self.run_that_is(data, "running", "paused").pk, by=self.mia, reason="x")

    @precondition(lambda self: "failed" in self.statuses)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        services.retry_run(run_id=self.run_that_is(data, "failed").pk, by=self.mia, reason="x")

    @precondition(lambda self: self.statuses and not self.stopped)
    @rule()
    def stop(self) -> None:
        services.stop(scope="everything", ref=None, by=self.mia, reason="x")

    @precondition(lambda self: self.stopped)
    @rule()
    def lift(self) -> None:
        for stop in Stop.objects.filter(lifted_at=None):
            services.lift_stop(stop_id=stop.pk, by=self.mia, reason="x")

    @precondition(lambda self: self.gates)
    @rule(data=st.data())
    def decide(self, data: st.DataObject) -> None:
        gate = data.draw(st.sampled_from(self.gates))
        self.answer(gate, data.draw(st.sampled_from([verdict for verdict in VERDICTS if verdict in gate.allowed])))

    def answer(self, gate: Gate, verdict: str) -> None:
        gate.refresh_from_db()
        if gate.status != "open":  # an answer just given has ended its run
            return
        edited = {} if verdict == "complete" else None
        people.decide(
            gate_id=gate.pk, by=self.ana, verdict=verdict, gate_version=gate.version, note="because", edited=edited
        )

    # What shifts do

    @precondition(lambda self: self.statuses)
    @rule(which=st.integers(0, 1), room=st.integers(1, 3))
    def claim(self, which: int, room: int) -> None:
        paused = set(Run.objects.exclude(status="running").values_list("pk", flat=True))
        stopped = Stop.objects.filter(lifted_at=None).exists()

        claimed = self.hands[which].claim(room)

        assert not (stopped and claimed)
        assert not paused & {job.run_id for job in claimed}

    def held(self, data: st.DataObject) -> tuple[Hand, Claimed]:
        return data.draw(st.sampled_from([(hand, job) for hand in self.hands for job in hand.claimed]))

    @precondition(busy)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        self.end(*self.held(data))

    def end(self, hand: Hand, job: Claimed) -> None:
        """The agent did well; where the step asks people, they are asked."""
        match Task.objects.get(pk=job.id).kind:
            case "manual":
                endings.open_manual_gate(assignment(job), hand.id, {"instructions": "Look"})
                hand.forget([job])
            case "approval":
                asked = assignment(job)
                proposal = Task.objects.get(pk=job.run_id << 20 | asked.step.subject).output or {}
                endings.open_approval_gate(asked, hand.id, proposal, {"input": {}, "steps": {}, "output": proposal})
                hand.forget([job])
            case _:
                hand.settle([job])
        self.stale.append((hand, job))

    @precondition(busy)
    @rule(data=st.data(), kind=st.sampled_from(["transient", "permanent", "business"]))
    def fail(self, data: st.DataObject, kind: str) -> None:
        hand, job = self.held(data)
        hand.fail(job, kind)
        self.stale.append((hand, job))

    @precondition(busy)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        hand, job = self.held(data)
        hand.do(db.release, shift=hand.id, tasks=[(job.id, job.attempt)], reason="drained")
        hand.forget([job])
        self.stale.append((hand, job))

    @precondition(lambda self: self.stale)
    @rule(data=st.data())
    def settle_again_or_late(self, data: st.DataObject) -> None:
        """An end that has been told already, or that comes from a shift which is gone, changes nothing."""
        hand, job = data.draw(st.sampled_from(self.stale))
        before = self.facts()
        self.hands[0].turn_as(hand.id, [job])
        assert self.facts() == before

    @precondition(lambda self: self.stale)
    @rule(data=st.data())
    def fail_again_or_late(self, data: st.DataObject) -> None:
        hand, job = data.draw(st.sampled_from(self.stale))
        before = self.facts()
        hand.fail(job)
        assert self.facts() == before

    def facts(self) -> list[tuple[object, ...]]:
        runs = list(Run.objects.order_by("pk").values_list("pk", "status", "remaining", "failed"))
        return runs + list(Task.objects.values_list("pk", "status", "attempt", "pending", "output", "failures"))

    @precondition(busy)
    @rule(which=st.integers(0, 1))
    def kill(self, which: int) -> None:
        hand = self.hands[which]
        hand.die()
        self.orphans += [(hand, job) for job in hand.claimed]
        hand.claimed = []
        self.hands[which] = Hand()

    # What the control plane does

    @precondition(lambda self: self.orphans)
    @rule()
    def sweep(self) -> None:
        sweep.sweep_once()
        self.stale += self.orphans
        self.orphans = []

    @precondition(lambda self: self.timers)
    @rule()
    def fire(self) -> None:
        Timer.objects.filter(kind="task_retry", fired_at=None).update(due_at=db.clock())
        self.sweep()
        sweep.fire_timers()

    # What always holds

    @invariant()
    def everything_holds(self) -> None:
        self.look()
        assert violations(sealing=False) == []

    @invariant()
    def ready_tasks_are_held_while_their_run_is_paused(self) -> None:
        ready = Task.objects.filter(status="ready").values_list("key", "held", "run__status")
        assert [row for row in ready if row[1] != (row[2] == "paused")] == []

    @invariant()
    def endings_are_single(self) -> None:
        ends = Event.objects.filter(kind__in=["run.succeeded", "run.cancelled"]).values_list("run_id", flat=True)
        assert len(ends) == len(set(ends))


def test_any_order_of_events_leaves_the_engine_sound() -> None:
    bounds = settings(
        max_examples=int(os.environ.get("EXAMPLES") or 40),
        stateful_step_count=25,
        deadline=None,
        derandomize=bool(os.environ.get("CI")),
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Engine, settings=bounds)
