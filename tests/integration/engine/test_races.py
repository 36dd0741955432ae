"""Everything at once: joins, doubled ends, locks taken in opposite orders, lost answers, cancels that race ends."""

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from agents.types import Failed
from approvals import services as people
from approvals.errors import GateAlreadySettled
from approvals.models import Gate
from orchestrator import db, failpoints, services
from orchestrator.engine import endings, sweep
from orchestrator.errors import IllegalTransition
from orchestrator.models import Event, Run, Task, Timer
from tests.engine import eventually, finished, publish, shift, start, statuses, task
from tests.hands import Hand, assignment, at_once, deadlocks, reviewer, succeeded, violations

pytestmark = pytest.mark.django_db(transaction=True)

PARENTS = 6
JOIN = "\n".join(f"  - {{key: p{i}, type: automated, agent: test-echo}}" for i in range(PARENTS))
JOIN += "\n  - {key: join, type: automated, agent: test-echo}"
JOINS = "dependencies: {join: [" + ", ".join(f"p{i}" for i in range(PARENTS)) + "]}"


@pytest.fixture
def ana() -> User:
    return reviewer()


@pytest.fixture
def mia() -> User:
    return User.objects.create_user("mia")


def test_join_fires_once_when_all_its_parents_end_in_the_same_moment() -> None:
    rounds = 150
    publish(JOIN, rest=JOINS)
    runs = [start() for _ in range(rounds)]
    hands = [Hand() for _ in range(PARENTS)]
    everything = [job for _ in range(3) for job in hands[0].claim(400)]
    assert len(everything) == rounds * PARENTS
    of = {index: {job.run_id: job for job in everything if job.id & 0xFFFFF == index} for index in range(PARENTS)}
    together = threading.Barrier(PARENTS)

    def end(index: int) -> Callable[[], None]:
        def settle() -> None:
            for run in runs:
                together.wait(30)
                hands[index].turn_as(hands[0].id, [of[index][run.pk]])

        return settle

    assert at_once(*[end(index) for index in range(PARENTS)], patience=90) == []

    assert Task.objects.filter(key="join", status="ready", pending=0).count() == rounds
    joins = hands[1].claim(400)
    assert len(joins) == rounds
    hands[1].settle(joins)
    assert set(Run.objects.values_list("status", "remaining")) == {("succeeded", 0)}
    assert Event.objects.filter(kind="run.succeeded").count() == rounds
    assert violations() == []


def test_parent_that_ends_twice_does_not_start_the_join_early() -> None:
    publish(JOIN, rest=JOINS)
    run = start()
    hand = Hand()
    jobs = hand.claim()

    for _ in range(PARENTS):
        hand.settle(jobs[:1])
    hand.turn(succeeded(jobs[:1] * 2))

    assert task(run, "join").status == "blocked"
    assert task(run, "join").pending == PARENTS - 1
    hand.settle(jobs[1:])
    assert task(run, "join").status == "ready"
    assert Event.objects.filter(run_id=run.pk, kind="task.late_result").count() == 0
    assert violations() == []


FOUR = "\n".join(f"  - {{key: s{i}, type: automated, agent: test-echo}}" for i in range(8))
FOUR += "\n  - {key: m, type: manual, queue: default, form: {type: object}, instructions: Look}"
FOUR += "\n  - {key: end, type: automated, agent: test-echo}"
FOURS = "dependencies: {end: [m, " + ", ".join(f"s{i}" for i in range(8)) + "]}"


class Crowd:
    """Some runs whose tasks are held, asked about and waiting for retries, and everybody who writes to them."""

    def __init__(self, ana: User, mia: User) -> None:
        self.ana, self.mia = ana, mia
        self.first, self.second = Hand(), Hand()
        self.runs = [start() for _ in range(6)]
        jobs = self.first.claim(500)
        manual = [job for job in jobs if job.id & 0xFFFFF == 8]
        for job in manual:
            self.first.ask(job)
        automated = [job for job in jobs if job not in manual]
        for job in automated[::5]:
            self.first.fail(job, "transient", retry_after=0.0001)
        left = self.first.claimed
        self.odd, self.even = [job for job in left if job.id % 2], [job for job in left if not job.id % 2]
        self.gates = list(Gate.objects.filter(run__in=self.runs, status="open"))

    def decide(self) -> None:
        for gate in reversed(self.gates):
            attempt(partial(decide, gate, self.ana, "skip"))

    def steer(self) -> None:
        for run in self.runs[:3]:
            attempt(partial(services.pause_run, run_id=run.pk, by=self.mia, reason="x"))
            attempt(partial(services.cancel_run, run_id=run.pk, by=self.mia, reason="x"))

    def limit(self) -> None:
        for most in (50, None):
            services.set_agent_limits(agent="test-echo", max_concurrency=most, rate_per_minute=None, by=self.mia)

    def settle(self, hand: Hand, jobs: list[db.Claimed]) -> None:
        for position in range(0, len(jobs), 4):
            hand.turn_as(self.first.id, jobs[position : position + 4], room=5)

    def act(self) -> list[BaseException]:
        """All at once; then both shifts die."""
        raised = at_once(
            partial(self.settle, self.first, self.odd),
            partial(self.settle, self.second, self.even[::-1]),
            self.decide, self.steer, self.limit, sweep.fire_timers, sweep.sweep_once,
        )  # fmt: skip
        for hand in (self.first, self.second):
            hand.die()
        sweep.sweep_once()
        return raised


def test_writers_of_the_same_runs_in_opposite_orders_never_deadlock(ana: User, mia: User) -> None:
    """Two shifts settle, retries fire, people decide, pause and cancel, a limit changes: all on the same runs."""
    publish(FOUR, rest=FOURS)
    before = deadlocks()

    raised = [problem for _ in range(6) for problem in Crowd(ana, mia).act()]

    assert raised == []
    connection.close()
    assert deadlocks() == before
    assert violations() == []


def attempt(act: Callable[[], object]) -> None:
    """Somebody else may have been first."""
    with suppress(IllegalTransition, GateAlreadySettled):
        act()


def decide(gate: Gate, by: User, verdict: str, **more: object) -> None:
    people.decide(gate_id=gate.pk, by=by, verdict=verdict, gate_version=gate.version, note="because", **more)


def test_retries_that_fire_while_their_run_is_cancelled_wait_for_it(mia: User) -> None:
    """A firing that took timers before runs would hold what the cancel waits for, and wait for what it holds."""
    publish("  - {key: a, type: automated, agent: test-flaky}")
    run = start()
    hand = Hand()
    hand.fail(hand.claim()[0], "transient", retry_after=0.0001)
    raised: list[BaseException] = []

    def fire() -> None:
        raised.extend(at_once(db.fire_retries))

    thread = threading.Thread(target=fire)
    with transaction.atomic():
        services.lock_run(run.pk)
        thread.start()
        eventually(waits_for_a_row, timers=False)
        services.cancel_run(run_id=run.pk, by=mia, reason="enough")
    thread.join(10)

    assert raised == []
    assert task(run, "a").status == "cancelled"
    assert not Timer.objects.filter(kind="task_retry", fired_at=None).exists()
    assert violations() == []


def waits_for_a_row() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%%fire_retries%%'"
        )
        return bool(cursor.fetchone()[0])


def test_retry_fired_twice_at_once_makes_its_task_ready_once() -> None:
    publish("\n".join(f"  - {{key: s{i}, type: automated, agent: test-flaky}}" for i in range(30)))
    run = start()
    hand = Hand()
    for job in hand.claim():
        hand.fail(job, "transient", retry_after=0.0001)

    assert at_once(*[db.fire_retries] * 4) == []

    assert set(statuses(run).values()) == {"ready"}
    assert Timer.objects.filter(fired_at=None).count() == 0
    assert violations() == []


# Cancel against completion


def test_cancel_before_the_end_refuses_the_result(mia: User) -> None:
    publish("  - {key: a, type: automated, agent: test-echo}\n  - {key: b, type: automated, agent: test-echo}")
    run = start()
    hand = Hand()
    jobs = hand.claim()

    services.cancel_run(run_id=run.pk, by=mia, reason="enough")
    hand.settle(jobs)

    assert finished(run)
    assert (run.status, set(statuses(run).values())) == ("cancelled", {"cancelled"})
    assert Event.objects.filter(run_id=run.pk, kind="task.late_result").count() == 2
    assert hand.claim() == []
    assert violations() == []


def test_end_before_the_cancel_refuses_the_cancel(mia: User) -> None:
    publish("  - {key: a, type: automated, agent: test-echo}")
    run = start()
    hand = Hand()

    hand.settle(hand.claim())

    with pytest.raises(IllegalTransition):
        services.cancel_run(run_id=run.pk, by=mia, reason="enough")
    assert violations() == []


def test_attempt_that_asked_people_keeps_its_record_when_its_end_is_told_twice(ana: User) -> None:
    publish("  - {key: a, type: manual, queue: default, form: {type: object}, instructions: Look}")
    run = start()
    hand = Hand()
    (job,) = hand.claim()
    endings.open_manual_gate(assignment(job), hand.id, {"instructions": "Look"})
    decide(Gate.objects.get(run=run), ana, "complete", edited={})

    hand.settle([job])

    assert finished(run)
    assert run.status == "succeeded"
    assert not Event.objects.filter(kind="task.late_result").exists()
    assert violations() == []


def test_cancel_and_end_in_the_same_moment_leave_one_ending(mia: User) -> None:
    publish(
        "  - {key: a, type: automated, agent: test-echo}\n  - {key: b, type: automated, agent: test-echo}",
        rest="dependencies: {b: [a]}",
    )
    hand = Hand()
    for _ in range(30):
        run = start()
        jobs = hand.claim()

        def cancel(run: Run = run) -> None:
            services.cancel_run(run_id=run.pk, by=mia, reason="enough")

        assert at_once(cancel, lambda jobs=jobs: hand.settle(jobs)) == []
        assert hand.claim() == []

    assert set(Run.objects.values_list("status", flat=True)) == {"cancelled"}
    assert violations() == []


def test_failure_and_end_of_siblings_in_the_same_moment_fail_the_run_once() -> None:
    publish(JOIN, rest=JOINS)
    hands = [Hand() for _ in range(PARENTS)]
    for _ in range(15):
        run = start()
        jobs = hands[0].claim()
        acts = [partial(hands[0].fail, jobs[0]), partial(failing, hands[0].id, jobs[1])]
        acts += [partial(hands[i].turn_as, hands[0].id, [jobs[i]]) for i in range(2, PARENTS)]

        assert at_once(*acts) == []

        assert finished(run)
        assert run.status == "failed"
        assert Event.objects.filter(run_id=run.pk, kind="run.failed").count() == 1
    assert violations() == []


def failing(shift_id: int, job: db.Claimed) -> None:
    endings.end_failed(assignment(job), shift_id, {}, Failed("permanent", "told_to", "told to fail"))


# Answers that are lost after the commit

MIXED = """
  - {key: a, type: automated, agent: test-echo, inputs: {n: 1}}
  - {key: flaky, type: automated, agent: test-flaky, inputs: {times: 2}, retry: {attempts: 5, base: 0.01}}
  - {key: soft, type: automated, agent: test-flaky, inputs: {permanent: true}, on_error: skip}
  - {key: ask, type: automated, agent: test-flaky, inputs: {permanent: true}, on_error: ask}
  - {key: pay, type: automated, agent: test-payer}
  - {key: file, type: automated, agent: test-echo, inputs: {text: hi}, deliver: {name: f.md, content: "${output.text}"}}
  - {key: draft, type: automated, agent: test-echo, inputs: {text: draft}}
  - {key: review, type: approval, subject: draft, queue: default, title: Review}
  - {key: gated, type: automated, agent: test-echo, inputs: {n: 2}, gate: {when: "true", queue: default, title: Look}}
  - {key: hand, type: manual, queue: default, form: {type: object}, instructions: Look}
  - {key: route, type: conditional, branches: [{when: "steps.a.n > 3", then: [no]}], default: [yes]}
  - {key: "yes", type: automated, agent: test-echo}
  - {key: "no", type: automated, agent: test-echo}
  - {key: end, type: automated, agent: test-echo}
"""
MIXEDS = (
    "dependencies: {review: [draft], route: [a], end: [flaky, soft, ask, pay, file, review, gated, hand, 'yes', 'no']}"
)


def surely(act: Callable[[], object], chance: random.Random) -> None:
    """Do it; one answer in ten is lost after the commit, and whoever asked asks again."""
    while True:
        act()
        if chance.random() >= 0.1:
            return


@pytest.mark.parametrize("seed", [1, 2])
def test_answers_lost_after_the_commit_change_nothing(seed: int, ana: User, mia: User) -> None:
    publish(MIXED, rest=MIXEDS)
    chance = random.Random(seed)
    failpoints._random.seed(seed)
    failpoints.configure("turn.after=raise:0.1;turn.before=raise:0.05;ending.after=raise:0.1")
    runs = [start() for _ in range(8)]
    retried: set[int] = set()
    with shift(lease=15):
        eventually(lambda: Gate.objects.filter(run__in=runs, status="open").count() >= 4 * len(runs))
        surely(lambda: attempt(lambda: services.cancel_run(run_id=runs[0].pk, by=mia, reason="x")), chance)

        def answer() -> bool:
            for gate in Gate.objects.filter(status="open"):
                verdict = verdict_for(gate, retried)
                key = f"{gate.pk}-{verdict}"
                edited = {} if verdict == "complete" else None
                surely(
                    lambda g=gate, v=verdict, k=key, e=edited: decide(g, ana, v, edited=e, idempotency_key=k), chance
                )
            return all(finished(run) for run in runs)

        eventually(answer)

    failpoints.configure("")
    assert [run.status for run in runs] == ["cancelled"] + ["partial"] * (len(runs) - 1)  # "soft" fails
    ended = statuses(runs[1])
    assert (ended.pop("no"), ended.pop("soft"), ended.pop("ask")) == ("skipped", "failed", "skipped")
    assert set(ended.values()) == {"succeeded"}
    assert task(runs[1], "draft").revision == 1
    assert not Event.objects.filter(kind__in=["task.lost", "task.late_result"]).exclude(run_id=runs[0].pk).exists()
    assert violations() == []


def verdict_for(gate: Gate, retried: set[int]) -> str:
    if gate.kind == "manual":
        return "complete"
    if gate.kind == "exception":
        again = gate.task_id not in retried
        retried.add(gate.task_id)
        return "retry" if again else "skip"
    if gate.step == "review" and gate.task.attempt == 1:
        return "request_changes"
    return "approve"
