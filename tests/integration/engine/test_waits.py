"""Steps that wait for the outside: a time, a signal, a call back, another run; with a real shift."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from agents.registry import agent
from orchestrator import callback_tokens, callbacks, db, failpoints, services, signals
from orchestrator.engine import opening, sweep, threads, transitions, waking
from orchestrator.errors import CallbackClosed, CallbackInvalid, CallbackUnknown, CallbackUsed
from orchestrator.models import Event, Run, Signal, Task, Timer, Wait
from tests import engine
from tests.engine import OPEN, eventually, finished, publish, shift, start, statuses, task
from tests.hands import Hand, assignment, at_once, reviewer, violations

pytestmark = pytest.mark.django_db(transaction=True)

handed: list[str] = []  # addresses that the agent below was given


@agent(name="test-postman", version=1, title="Postman", input=OPEN, output=OPEN, capabilities=[])
async def postman(input: dict[str, object], ctx: object) -> dict[str, object]:
    handed.append(str(input["to"]))
    return {"sent": True}


def waiting(run: Run, key: str = "w") -> bool:
    return statuses(run)[key] == "waiting"


def started(steps: str, *, rest: str = "", **given: object) -> Run:
    publish(steps, rest=rest)
    run = start(**given)
    eventually(lambda: waiting(run), timers=False)
    return run


def times(run: Run, kind: str) -> int:
    return Event.objects.filter(run_id=run.pk, kind=kind).count()


def bring_forward(kind: str, by: timedelta = timedelta(days=90)) -> None:
    """Time passes: what is due in the future is due now, or was so long ago."""
    assert Timer.objects.filter(kind=kind, fired_at=None).update(due_at=F("due_at") - by)


def sweep_both() -> None:
    assert at_once(sweep.fire_timers, sweep.fire_timers, sweep.fire_timers) == []


# Timers

NEXT = "\n  - {key: after, type: automated, agent: test-echo, inputs: {late: '${steps.w.late}'}}"
THEN = "dependencies: {after: [w]}"


def test_ninety_days_hold_no_worker_and_go_on_in_time() -> None:
    with shift() as worker:
        run = started("  - {key: w, type: timer, duration: 90d}" + NEXT, rest=THEN)
        waits = task(run, "w")
        due = Timer.objects.get(kind="task_timer", ref=waits.pk).due_at
        assert timedelta(days=90) - timedelta(seconds=20) < due - run.started_at < timedelta(days=90, hours=1)
        eventually(lambda: not worker.holds(waits.pk))  # its row waits a moment before its coroutine has ended
        sweep.fire_timers()
        assert waiting(run)

        bring_forward("task_timer")
        eventually(lambda: finished(run))

    assert statuses(run) == {"w": "succeeded", "after": "succeeded"}
    assert task(run, "w").output["late"] is False
    assert violations() == []


def test_timer_due_while_everything_was_down_fires_once_and_says_that_it_is_late() -> None:
    with shift():
        run = started("  - {key: w, type: timer, duration: 30m}" + NEXT, rest=THEN)
    bring_forward("task_timer", timedelta(minutes=90))

    sweep_both()
    sweep_both()

    output = task(run, "w").output
    assert output["late"] is True
    assert 3600 <= output["late_s"] < 3700
    assert Event.objects.filter(task_id=task(run, "w").pk, kind="task.succeeded").count() == 1
    with shift():
        eventually(lambda: finished(run))
    assert task(run, "after").output["late"] is True
    assert violations() == []


def test_timer_until_a_moment_that_has_passed_is_due_at_once() -> None:
    publish("  - {key: w, type: timer, until: '${input.at}'}")
    run = start(at="2020-02-29T12:00:00+01:00")
    with shift():
        eventually(lambda: finished(run))

    assert task(run, "w").status == "succeeded"
    assert task(run, "w").output["late"] is False


def test_duration_that_comes_to_nothing_asks_a_person() -> None:
    publish("  - {key: w, type: timer, duration: '${input.span}'}")
    run = start(span="soon")
    with shift():
        eventually(lambda: waiting(run))

    assert task(run, "w").wait_for == "gate"


def test_a_thousand_timers_fire_in_one_sweep() -> None:
    steps = "\n".join(f"  - {{key: w{i}, type: timer, duration: 30d}}" for i in range(1000))
    publish(steps)
    run = start()
    with shift(capacity=1000):
        eventually(lambda: set(statuses(run).values()) == {"waiting"}, timers=False)
    bring_forward("task_timer")

    with connection.execute_wrapper(_count := Counter()):
        assert waking.fire_sleepers() == 1000

    assert finished(run)
    assert _count.queries < 15
    assert violations() == []


class Counter:
    def __init__(self) -> None:
        self.queries = 0

    def __call__(self, execute: object, *arguments: object) -> object:
        self.queries += 1
        return execute(*arguments)  # type: ignore[operator]


def test_firing_that_is_lost_before_its_commit_happens_in_the_next_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    with shift():
        run = started("  - {key: w, type: timer, duration: 1d}")
    bring_forward("task_timer")
    with monkeypatch.context() as broken:
        broken.setattr(waking, "Now", None)  # after finish_waits, before the timers are marked: the process dies
        with pytest.raises(TypeError):
            waking.fire_sleepers()
    assert waiting(run)

    sweep.fire_timers()

    assert finished(run)
    assert times(run, "task.succeeded") == 1


def test_cancelled_run_leaves_no_timer_and_fires_nothing() -> None:
    with shift():
        run = started("  - {key: w, type: timer, duration: 1d}")
    services.cancel_run(run_id=run.pk, by=None, reason="no longer needed")

    assert not Timer.objects.filter(fired_at=None).exists()
    assert statuses(run) == {"w": "cancelled"}
    assert violations() == []


def test_timer_of_a_paused_run_fires_and_what_follows_is_held() -> None:
    ana = reviewer()
    with shift():
        run = started("  - {key: w, type: timer, duration: 1d}" + NEXT, rest=THEN)
        services.pause_run(run_id=run.pk, by=ana, reason="look first")
        bring_forward("task_timer")
        sweep.fire_timers()
        assert task(run, "after").held
        services.resume_run(run_id=run.pk, by=ana, reason="go on")
        eventually(lambda: finished(run))


# Signals

EVENT = "  - {key: w, type: wait_event, event: order.paid, correlation: '${input.order}'%s}"


def paid(order: str, sender_id: str | None = None, **data: object) -> Signal:
    return signals.publish(name="order.paid", key=order, data=data, sender_id=sender_id, by=None)[0]


def test_signal_wakes_only_the_run_with_its_key() -> None:
    with shift():
        mine = started(EVENT % "", order="A1")
        other = start(order="B2")
        eventually(lambda: waiting(other))
        sent = paid("A1", amount=7)
        eventually(lambda: finished(mine))

    output = task(mine, "w").output
    assert (output["id"], output["key"], output["data"]) == (sent.pk, "A1", {"amount": 7})
    assert waiting(other)
    assert violations() == []


def test_signal_that_came_before_the_wait_but_after_the_run_started_is_found() -> None:
    publish("  - {key: first, type: automated, agent: test-patient}\n" + EVENT % "", rest="dependencies: {w: [first]}")
    paid("A1", when="before the run")
    run = start(order="A1")
    with shift():
        eventually(lambda: statuses(run)["first"] == "running")
        early = paid("A1", when="before the wait")
        paid("A1", when="later")
        sweep.fire_timers()
        engine.gates_open.set()
        eventually(lambda: finished(run))

    assert task(run, "w").output["id"] == early.pk


def test_two_waits_of_one_run_take_two_signals() -> None:
    publish(EVENT % "" + "\n" + (EVENT % "").replace("key: w,", "key: x,"), rest="dependencies: {x: [w]}")
    run = start(order="A1")
    with shift():
        eventually(lambda: waiting(run))
        first = paid("A1")
        eventually(lambda: waiting(run, "x"))
        sweep.fire_timers()
        assert waiting(run, "x")
        second = paid("A1")
        eventually(lambda: finished(run))

    assert (task(run, "w").output["id"], task(run, "x").output["id"]) == (first.pk, second.pk)


@pytest.mark.parametrize(
    ("more", "bad"),
    [
        (", match: 'event.data.amount > 100'", {"amount": 1}),
        (", match: 'event.data.amount > 100'", {"nothing": True}),
        (", schema: {type: object, required: [amount], properties: {amount: {type: integer}}}", {"amount": "much"}),
    ],
    ids=["match is false", "match cannot be told", "schema"],
)
def test_signal_that_does_not_fit_moves_nothing(more: str, bad: dict[str, object]) -> None:
    with shift():
        run = started(EVENT % more, order="A1")
        paid("A1", **bad)
        sweep.fire_timers()
        assert waiting(run)
        paid("A1", amount=200)
        eventually(lambda: finished(run))

    assert task(run, "w").output["data"] == {"amount": 200}


def test_flood_of_bad_signals_leaves_few_lines_in_the_story() -> None:
    with shift():
        run = started(EVENT % ", match: 'event.data.amount > 100'", order="A1")
    for _ in range(waking.REFUSALS + 5):
        paid("A1")
    sweep.fire_timers()

    assert times(run, "signal.refused") == waking.REFUSALS
    assert waiting(run)


def test_signal_of_somebody_who_may_not_start_runs_here_moves_nothing() -> None:
    stranger = reviewer("stranger")
    with shift():
        run = started(EVENT % "", order="A1")
        signals.publish(name="order.paid", key="A1", data={}, by=stranger)
        sweep.fire_timers()

    assert waiting(run)
    assert "may not start runs" in Event.objects.get(run_id=run.pk, kind="signal.refused").data["problem"]


def test_doubled_signal_is_one_fact_and_two_sweepers_hand_it_out_once() -> None:
    with shift():
        run = started(EVENT % "", order="A1")
    assert paid("A1", "id-1", amount=1).pk == paid("A1", "id-1", amount=1).pk

    sweep_both()

    assert finished(run)
    assert times(run, "task.succeeded") == 1
    assert violations() == []


@pytest.mark.parametrize(("on_deadline", "status"), [("fail", "failed"), ("skip", "skipped"), ("ask", "waiting")])
def test_signal_that_does_not_come_in_time(on_deadline: str, status: str) -> None:
    reviewer()
    with shift():
        run = started(EVENT % f", deadline: 30d, on_deadline: {on_deadline}", order="A1")
    bring_forward("wait_deadline")

    sweep_both()

    assert statuses(run) == {"w": status}
    paid("A1")
    sweep.fire_timers()
    assert statuses(run) == {"w": status}
    assert not Wait.objects.filter(ended_at=None).exists()
    assert violations() == []


def test_hundreds_of_waits_are_woken_by_one_signal() -> None:
    publish("  - {key: w, type: wait_event, event: market.opened}")
    runs = [start() for _ in range(300)]
    with shift(capacity=300):
        eventually(lambda: Task.objects.filter(status="waiting", wait_for="event").count() == 300, timers=False)
    signals.publish(name="market.opened", data={}, by=None)

    sweep.fire_timers()

    assert Run.objects.filter(pk__in=[run.pk for run in runs], status="succeeded").count() == 300


# Calls back

CALLBACK = "  - {key: w, type: wait_callback, agent: test-postman, inputs: {to: '${callback_url}'}%s}"


def token() -> str:
    return handed[-1].rpartition("/")[2]


def test_call_back_settles_its_step_once() -> None:
    with shift():
        run = started(CALLBACK % ", schema: {type: object, required: [ok]}")
    with pytest.raises(CallbackInvalid):
        callbacks.receive(token=token(), payload={"no": 1})

    callbacks.receive(token=token(), payload={"ok": True})

    assert finished(run)
    assert task(run, "w").output == {"ok": True}
    with pytest.raises(CallbackUsed, match="works once"):
        callbacks.receive(token=token(), payload={"ok": False})
    assert task(run, "w").output == {"ok": True}
    assert violations() == []


def test_secret_address_is_stored_nowhere() -> None:
    with shift():
        run = started(CALLBACK % "")
    secret = token()

    with connection.cursor() as cursor:
        for table in ("orchestrator_task", "orchestrator_attempt", "orchestrator_wait", "orchestrator_event"):
            cursor.execute(f"SELECT count(*) FROM {table} t WHERE t::text LIKE %s", [f"%{secret}%"])
            assert cursor.fetchone() == (0,)
    assert task(run, "w").input == {"to": "(the secret address of this step)"}
    assert re.fullmatch(r"http://127\.0\.0\.1:8000/api/v1/callbacks/cb_[0-9a-f]+_[0-9a-f]{64}", handed[-1])


def test_call_back_that_comes_before_its_agent_has_returned_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    publish(CALLBACK.replace("test-postman", "test-patient") % "")
    run = start()
    with shift():
        eventually(lambda: engine.calls and Wait.objects.filter(ended_at=None).exists())
        from orchestrator import callback_tokens

        early = callback_tokens.issue(task(run, "w").pk, 0)
        callbacks.receive(token=early, payload={"fast": True})
        with pytest.raises(CallbackUsed):
            callbacks.receive(token=early, payload={"fast": False})
        assert not finished(run)
        engine.gates_open.set()
        eventually(lambda: finished(run))

    assert task(run, "w").output == {"fast": True}
    assert violations() == []


def test_address_is_the_same_after_a_lost_commit() -> None:
    handed.clear()
    publish(CALLBACK % "")
    run = start()
    failpoints.configure("ending.after=raise:0.5")
    with shift():
        eventually(lambda: waiting(run), timers=False)
    failpoints.configure("")

    assert len(set(handed)) == 1
    callbacks.receive(token=token(), payload={})
    assert finished(run)


def test_two_answers_at_once_are_one() -> None:
    with shift():
        run = started(CALLBACK % "")
    raised = at_once(*[lambda n=n: callbacks.receive(token=token(), payload={"n": n}) for n in range(4)])

    assert [type(error) for error in raised] == [CallbackUsed] * 3
    assert finished(run)
    assert times(run, "task.succeeded") == 1


def test_late_call_back_is_answered_in_one_sentence() -> None:
    with shift():
        run = started(CALLBACK % ", deadline: 2h, on_deadline: skip")
    bring_forward("wait_deadline")
    sweep.fire_timers()

    with pytest.raises(CallbackClosed, match="nothing was changed"):
        callbacks.receive(token=token(), payload={})
    assert statuses(run) == {"w": "skipped"}


def test_guessed_and_replaced_addresses_lead_nowhere() -> None:
    ana = reviewer()
    with shift():
        run = started(CALLBACK % "")
    old = token()
    new = callbacks.reissue(task_id=task(run, "w").pk, by=ana, reason="it leaked").rpartition("/")[2]

    for wrong in (old, "", "cb_1_" + "0" * 64, "x" * 5000, "\0"):
        with pytest.raises(CallbackUnknown):
            callbacks.receive(token=wrong, payload={})
    callbacks.receive(token=new, payload={})
    assert finished(run)


# Runs that start runs

CHILD = "  - {key: work, type: automated, agent: test-echo, inputs: {double: '${input.n * 2}'}}"
RESULT = "configuration: {input: {type: object, required: [n]}, outputs: {total: '${steps.work.double}'}}"
PARENT = "  - {key: w, type: subworkflow, workflow: child, inputs: {n: '${input.n}'}%s}"


def child_of(run: Run) -> Run:
    return Run.objects.get(parent_task=task(run, "w").pk)


def test_child_run_gives_its_result_to_the_step_that_started_it() -> None:
    publish(CHILD, name="child", rest=RESULT)
    publish(PARENT % "")
    run = start(n=21)
    with shift():
        eventually(lambda: finished(run))

    assert task(run, "w").output == {"total": 42}
    child = child_of(run)
    assert (child.status, child.correlation_id, child.input) == ("succeeded", run.correlation_id, {"n": 21})
    assert violations() == []


@pytest.mark.parametrize(("on_error", "status"), [("fail", "failed"), ("skip", "partial"), ("ask", "running")])
def test_failed_child_fails_the_step_as_it_says(on_error: str, status: str) -> None:
    reviewer()
    publish("  - {key: work, type: automated, agent: test-flaky, inputs: {permanent: true}}", name="child")
    publish(PARENT % f", on_error: {on_error}")
    run = start(n=1)
    with shift():
        eventually(lambda: task(run, "w").error is not None)

    run.refresh_from_db()
    assert run.status == status
    assert task(run, "w").error["code"] == "subworkflow_failed"
    assert "this cannot work" in task(run, "w").error["message"]
    assert violations() == []


def test_cancelled_parent_cancels_its_child_and_grandchild() -> None:
    publish("  - {key: w, type: timer, duration: 1d}", name="grandchild")
    publish("  - {key: w, type: subworkflow, workflow: grandchild}", name="child")
    publish(PARENT % "")
    run = start(n=1)
    with shift():
        eventually(lambda: Run.objects.count() == 3 and Timer.objects.filter(kind="task_timer").exists())

    services.cancel_run(run_id=run.pk, by=None, reason="enough")
    eventually(lambda: not Run.objects.filter(status="running").exists())

    assert set(Run.objects.values_list("status", flat=True)) == {"cancelled"}
    assert violations() == []


def test_cancelled_child_ends_the_step() -> None:
    publish("  - {key: w, type: timer, duration: 1d}", name="child")
    with shift():
        run = started(PARENT % "", n=1)
    services.cancel_run(run_id=child_of(run).pk, by=None, reason="enough")
    sweep_both()

    assert finished(run)
    assert task(run, "w").error["code"] == "subworkflow_cancelled"


def test_child_that_takes_too_long_is_cancelled() -> None:
    publish("  - {key: w, type: timer, duration: 99d}", name="child")
    with shift():
        run = started(PARENT % ", deadline: 60d", n=1)
    bring_forward("wait_deadline")
    sweep.fire_timers()
    eventually(lambda: not Run.objects.filter(status="running").exists())

    assert (run.__class__.objects.get(pk=run.pk).status, child_of(run).status) == ("failed", "cancelled")


def test_workflow_that_starts_itself_ends_at_a_bound() -> None:
    publish("  - {key: w, type: subworkflow, workflow: flow}")
    run = start()
    with shift():
        eventually(lambda: finished(run))

    assert Run.objects.count() == 8
    assert "subworkflow_failed" in task(run, "w").error["code"]
    deepest = Run.objects.order_by("-pk").first()
    assert deepest is not None
    assert deepest.error["code"] == "too_deep"
    assert violations() == []


def test_child_and_wait_commit_together_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "PAUSE_SECONDS", 0.0005)  # two of three tries fail: else it waits ten seconds
    publish(CHILD, name="child", rest=RESULT)
    publish(PARENT % "")
    run = start(n=1)
    failpoints.configure("ending.after=raise:0.7")
    with shift():
        eventually(lambda: finished(run))
    failpoints.configure("")

    assert Run.objects.filter(parent_task=task(run, "w").pk).count() == 1


def test_input_that_the_child_refuses_fails_the_step() -> None:
    publish(CHILD, name="child", rest=RESULT)
    publish(PARENT % "")
    run = start(n=1)
    publish(CHILD, name="child", rest=RESULT.replace("required: [n]", "required: [n, more]"))
    with shift():
        eventually(lambda: finished(run))

    assert task(run, "w").error["code"] == "invalid_input"
    assert violations() == []


def test_end_of_a_child_is_told_by_whatever_ends_it() -> None:
    publish(CHILD, name="child", rest=RESULT)
    publish(PARENT % "")
    run = start(n=1)
    with shift():
        eventually(lambda: Run.objects.filter(parent_task__isnull=False, status="succeeded").exists(), timers=False)

    assert Timer.objects.filter(kind="run_ended", ref=child_of(run).pk, fired_at=None).count() == 1
    assert waiting(run)
    sweep_both()
    assert finished(run)
    assert transitions.live_tasks(run.pk).count() == 0


def test_deadline_counts_from_the_database_clock_only() -> None:
    with shift():
        run = started(EVENT % ", deadline: 1h", order="A1")
    due = Timer.objects.filter(kind="wait_deadline", due_at__gt=Now() + timedelta(minutes=58))

    assert due.filter(ref=task(run, "w").pk).exists()


def test_address_that_was_used_is_never_issued_again_although_the_task_has_forgotten_it() -> None:
    """A rollback forgets a task's state; whoever held the old address must not be heard a second time."""
    publish("- {key: w, type: wait_callback, deadline: 30d}")
    start()
    hand = Hand()
    (job,) = hand.claim()
    used = callback_tokens.digest(callback_tokens.issue(job.id, 3))
    Wait.objects.create(task_id=job.id, kind="callback", token_hash=used, ended_at=db.clock(), opened_at=db.clock())

    assert opening.prepare_callback(assignment(job), hand.id) == callback_tokens.issue(job.id, 4)
