"""Schedules by the database's clock: once a slot, whoever fires, after an outage, in somebody's name (scenario 32)."""

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, OperationalError, transaction

from orchestrator import db, schedules, services
from orchestrator.engine import scheduling, sweep, timekeeper
from orchestrator.errors import InvalidInput, ReasonMissing, ScheduleExists, ScheduleRefused
from orchestrator.models import Event, Run, Schedule, ScheduledStart, Timer, Workflow
from orchestrator.schedules import Wanted
from tests import engine, people
from tests.hands import at_once, violations

pytestmark = pytest.mark.django_db(transaction=True)
STEP = "  - {key: a, type: automated, agent: test-echo}"
MANAGER = "Workflow Orchestration Manager"


@pytest.fixture
def mia() -> User:
    return people.person("mia", MANAGER)


def made(by: User, *, name: str = "nightly", due: timedelta | None = timedelta(), **wanted: Any) -> Schedule:
    """A daily schedule whose slot is so long ago; None leaves it in the future."""
    if not Workflow.objects.filter(name="flow").exists():
        engine.publish(STEP)
    slot = (db.clock() - (due or timedelta())).replace(second=0, microsecond=0)
    wanted = {"cron": f"{slot.minute} {slot.hour} * * *", "zone": "UTC", "input": {"n": 1}, **wanted}
    workflow = Workflow.objects.get(name="flow")
    found = schedules.create(name=name, workflow=workflow, wanted=Wanted(**wanted), by=by, reason="why")
    if due is not None:
        bring_back(found, slot)
    return found


def bring_back(found: Schedule, slot: datetime) -> None:
    """Time has passed: this slot is due."""
    Schedule.objects.filter(pk=found.pk).update(next_due=slot)


def again(found: Schedule) -> None:
    """A day later: the same time of day is due once more."""
    last = found.starts.order_by("-slot").values_list("slot", flat=True)[0]
    for start in found.starts.order_by("slot"):
        ScheduledStart.objects.filter(pk=start.pk).update(slot=start.slot - timedelta(days=1))
    for run in Run.objects.exclude(idempotency_key=None):
        Run.objects.filter(pk=run.pk).update(idempotency_key=f"{run.idempotency_key}-")
    Schedule.objects.filter(pk=found.pk, queued=last).update(queued=last - timedelta(days=1))
    bring_back(found, last)


def outcomes(found: Schedule) -> list[str]:
    return list(found.starts.order_by("pk").values_list("outcome", flat=True))


def end_runs() -> None:
    for run in Run.objects.filter(status="running"):
        services.cancel_run(run_id=run.pk, by=None, reason="over")


@pytest.mark.parametrize("look", range(5))
def test_slot_fires_once_however_many_look_at_the_same_time(mia: User, look: int) -> None:
    found = made(mia)

    assert at_once(*[scheduling.fire_due] * 4) == []
    assert at_once(*[sweep.fire_timers] * 2) == []

    run = Run.objects.get()
    found.refresh_from_db()
    assert (run.started_by, run.input) == (mia, {"n": 1})
    assert outcomes(found) == ["started"]
    assert found.next_due is not None
    assert found.next_due > db.clock()
    assert Event.objects.get(kind="run.started").actor == "schedule:nightly"
    fired = Event.objects.get(kind="schedule.fired")
    assert fired.run_id == run.pk
    assert "late" not in fired.data
    assert violations() == []


def test_two_timekeepers_and_a_beat_that_rings_besides_fire_a_slot_once(mia: User) -> None:
    found = made(mia)
    stop = threading.Event()

    def keep_time() -> None:
        timekeeper.keep_time(1.0, stop)

    assert at_once(keep_time, keep_time, sweep.fire_timers, sweep.fire_timers) == []

    assert outcomes(found) == ["started"]
    assert Run.objects.count() == 1


def test_one_start_per_slot_is_the_schemas_own_rule(mia: User) -> None:
    found = made(mia)
    scheduling.fire_due()
    start = found.starts.get()

    with pytest.raises(IntegrityError, match="one_start_per_slot"), transaction.atomic():
        ScheduledStart.objects.create(schedule=found, slot=start.slot, outcome="started")
    with pytest.raises(IntegrityError, match="paused_schedule_is_never_due"), transaction.atomic():
        Schedule.objects.filter(pk=found.pk).update(enabled=False)


def test_after_an_outage_it_runs_once_for_the_newest_slot_and_says_that_it_is_late(mia: User) -> None:
    found = made(mia, due=timedelta(hours=3))
    slot = Schedule.objects.get().next_due
    assert slot is not None
    bring_back(found, slot - timedelta(days=2))

    at_once(*[sweep.fire_timers] * 3)
    sweep.fire_timers()

    start = found.starts.get()
    assert (start.slot, start.outcome, start.late) == (slot, "started", True)
    data = Event.objects.get(kind="schedule.fired").data
    assert (data["missed"], data["late"]) == (2, True)
    assert 3 * 3600 <= data["late_s"] < 3 * 3600 + 120
    assert Run.objects.count() == 1


def test_missed_slot_is_left_out_where_the_schedule_says_so(mia: User) -> None:
    found = made(mia, due=timedelta(hours=3), missed="skip")

    sweep.fire_timers()
    sweep.fire_timers()

    assert outcomes(found) == ["missed"]
    assert not Run.objects.exists()
    assert Event.objects.get(kind="schedule.skipped").data["late_s"] > 3600
    found.refresh_from_db()
    assert found.next_due is not None
    assert found.next_due > db.clock()


@pytest.mark.parametrize(
    ("overlap", "second", "runs"), [("skip", "skipped", 1), ("queue", "queued", 1), ("allow", "started", 2)]
)
def test_slot_while_a_run_of_it_is_alive(mia: User, overlap: str, second: str, runs: int) -> None:
    found = made(mia, overlap=overlap)
    scheduling.fire_due()
    again(found)

    scheduling.fire_due()
    scheduling.fire_due()

    assert outcomes(found) == ["started", second]
    assert Run.objects.count() == runs


def test_queued_slot_starts_when_the_run_before_it_has_ended_and_only_one_waits(mia: User) -> None:
    found = made(mia, overlap="queue")
    scheduling.fire_due()
    again(found)
    scheduling.fire_due()
    again(found)
    scheduling.fire_due()
    assert outcomes(found) == ["started", "queued", "skipped"]
    end_runs()

    at_once(*[sweep.fire_timers] * 3)

    assert outcomes(found) == ["started", "started", "skipped"]
    assert Run.objects.count() == 2
    assert found.starts.exclude(run=None).count() == 2
    assert Schedule.objects.get().queued is None


def test_who_may_start_no_runs_any_more_starts_none_by_a_schedule(mia: User) -> None:
    found = made(mia)
    User.objects.filter(pk=mia.pk).update(is_active=False)

    scheduling.fire_due()

    start = found.starts.get()
    assert start.outcome == "refused"
    assert "mia, in whose name it starts, may not start runs of flow" in start.problem
    assert not Run.objects.exists()
    assert Event.objects.filter(kind="schedule.refused").count() == 1


def test_input_that_a_new_version_refuses_is_told_and_the_schedule_goes_on(mia: User) -> None:
    found = made(mia)
    engine.publish(STEP, rest="configuration: {input: {type: object, required: [host]}}")

    scheduling.fire_due()

    assert outcomes(found) == ["refused"]
    assert "host" in found.starts.get().problem
    found.refresh_from_db()
    assert found.enabled


def test_start_that_dies_before_its_commit_happens_at_the_next_look(mia: User, monkeypatch: pytest.MonkeyPatch) -> None:
    found = made(mia)
    with monkeypatch.context() as broken:
        broken.setattr(scheduling.events, "append", _raise(OperationalError("the server closed the connection")))
        with pytest.raises(OperationalError):
            scheduling.fire_due()
    assert not Run.objects.exists()

    scheduling.fire_due()

    assert outcomes(found) == ["started"]
    assert Run.objects.count() == 1


def test_schedule_that_breaks_the_code_is_told_and_stands_in_nobodys_way(
    mia: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, other = made(mia, name="broken", due=timedelta(minutes=2)), made(mia, name="other")
    real = scheduling.begin
    monkeypatch.setattr(
        scheduling, "begin", lambda found, *a, **k: 1 / 0 if found.name == "broken" else real(found, *a, **k)
    )

    scheduling.fire_due()
    scheduling.fire_due()

    assert outcomes(broken) == ["refused"]
    assert "ZeroDivisionError" in broken.starts.get().problem
    assert outcomes(other) == ["started"]


def _raise(problem: Exception) -> Any:
    def broken(*_arguments: object, **_named: object) -> None:
        raise problem

    return broken


def test_paused_schedule_starts_nothing_and_resumed_it_makes_up_for_nothing(mia: User) -> None:
    found = made(mia, overlap="queue")
    scheduling.fire_due()
    again(found)
    scheduling.fire_due()

    schedules.set_enabled(name="nightly", enabled=False, by=mia, reason="holiday")
    end_runs()
    scheduling.fire_due()
    assert outcomes(found) == ["started", "skipped"]
    assert schedules.standings(Schedule.objects.all())[0].next == []
    with pytest.raises(ScheduleRefused, match="paused already"):
        schedules.set_enabled(name="nightly", enabled=False, by=mia, reason="holiday")

    schedules.set_enabled(name="nightly", enabled=True, by=mia, reason="back")
    scheduling.fire_due()

    found.refresh_from_db()
    assert found.next_due is not None
    assert found.next_due > db.clock()
    assert (found.reason, found.changed_by) == ("back", mia)
    assert len(outcomes(found)) == 2
    kinds = ["schedule.paused", "schedule.resumed"]
    assert [event.kind for event in Event.objects.filter(kind__in=kinds).order_by("id")] == kinds


def test_whoever_changes_what_it_starts_answers_for_it(mia: User) -> None:
    found = made(mia, due=None)
    tom = people.person("tom", MANAGER)

    schedules.change(name="nightly", wanted=Wanted("0 5 * * *", "Europe/Berlin", {"n": 2}), by=tom, reason="earlier")

    found.refresh_from_db()
    assert (found.owner, found.input, found.zone) == (tom, {"n": 2}, "Europe/Berlin")
    told = Event.objects.get(kind="schedule.changed").data
    assert told["before"]["zone"] == "UTC"
    assert told["input_changed"] is True
    schedules.set_enabled(name="nightly", enabled=False, by=mia, reason="stop")
    found.refresh_from_db()
    assert (found.owner, found.changed_by) == (tom, mia)


def test_run_now_starts_one_run_for_its_key_also_while_paused(mia: User) -> None:
    found = made(mia, due=None)
    schedules.set_enabled(name="nightly", enabled=False, by=mia, reason="holiday")
    tom = people.person("tom", MANAGER)

    runs: list[Run] = []
    assert at_once(*[lambda: runs.append(schedules.run_now(name="nightly", by=tom, reason="now", key="k"))] * 3) == []
    other = schedules.run_now(name="nightly", by=tom, reason="now", key="another")

    assert len({run.pk for run in runs}) == 1
    assert other.pk != runs[0].pk
    assert {run.started_by for run in [*runs, other]} == {tom}
    assert list(found.starts.values_list("by_hand", flat=True)) == [True, True]
    assert Event.objects.filter(kind="schedule.fired", actor="user:tom").count() == 2


def test_what_cannot_be_is_refused_and_changes_nothing(mia: User) -> None:
    engine.publish(STEP, rest="configuration: {input: {type: object, required: [host]}}")
    workflow = Workflow.objects.get(name="flow")
    good = Wanted("0 5 * * *", "UTC", {"host": "a"})

    def create(wanted: Wanted = good, *, name: str = "a", reason: str = "why") -> None:
        schedules.create(name=name, workflow=workflow, wanted=wanted, by=mia, reason=reason)

    for wanted, problem in (
        (Wanted("61 5 * * *", "UTC", {"host": "a"}), "its minute is not valid"),
        (Wanted("0 5 * * *", "Moon", {"host": "a"}), "time zone 'Moon' is not known"),
        (Wanted("0 5 * * *", "UTC", {"host": "a"}, overlap="both"), "overlap must be one of"),
        (Wanted("0 5 * * *", "UTC", {"host": "a"}, missed="all"), "missed must be one of"),
    ):
        with pytest.raises(ScheduleRefused, match=problem):
            create(wanted)
    with pytest.raises(InvalidInput):
        create(Wanted("0 5 * * *", "UTC", {}))
    with pytest.raises(ScheduleRefused, match="name must be"):
        create(name="Not A Name")
    with pytest.raises(ReasonMissing):
        create(reason=" ")
    create()
    with pytest.raises(ScheduleExists):
        create()
    assert Schedule.objects.count() == 1


def test_removed_schedule_is_gone_and_its_runs_go_on(mia: User) -> None:
    made(mia)
    scheduling.fire_due()

    schedules.remove(name="nightly", by=mia, reason="not needed")

    assert not Schedule.objects.exists()
    assert Run.objects.get().status == "running"
    assert Event.objects.get(kind="schedule.removed").data["reason"] == "not needed"


def test_upcoming_merges_all_schedules_the_nearest_first(mia: User) -> None:
    made(mia, name="daily", due=None)
    made(mia, name="hourly", due=None, cron="7 * * * *")
    made(mia, name="off", due=None)
    schedules.set_enabled(name="off", enabled=False, by=mia, reason="why")

    found = schedules.upcoming(Schedule.objects.all(), limit=30)

    assert len(found) == 30
    assert [start.at for start in found] == sorted(start.at for start in found)
    assert {start.schedule.name for start in found} == {"daily", "hourly"}


def test_forgotten_is_what_is_old_and_waits_no_more(mia: User) -> None:
    found = made(mia)
    scheduling.fire_due()
    found.starts.update(at=db.clock() - timedelta(days=100))
    ScheduledStart.objects.create(
        schedule=found, slot=db.clock(), outcome="queued", at=db.clock() - timedelta(days=100)
    )

    scheduling.forget_old()

    assert outcomes(found) == ["queued"]


def test_run_gets_its_workflows_deadline_whatever_started_it(mia: User) -> None:
    engine.publish(STEP, rest="configuration: {run_deadline: 2h}")
    engine.publish("  - {key: sub, type: subworkflow, workflow: flow}", name="outer")
    made(mia)
    scheduling.fire_due()
    outer = engine.start("outer")
    with engine.shift():
        engine.eventually(lambda: engine.finished(outer))

    runs = Run.objects.filter(workflow__name="flow")
    assert runs.count() == 2
    assert all(run.deadline_at is not None for run in runs)
    assert Timer.objects.filter(kind="run_deadline").count() == 2


def test_schedule_that_is_being_fired_is_passed_over_not_waited_for(mia: User) -> None:
    found = made(mia)
    with transaction.atomic():
        Schedule.objects.select_for_update().get(pk=found.pk)

        assert at_once(scheduling.fire_due) == []
        assert not ScheduledStart.objects.exists()

    scheduling.fire_due()
    assert outcomes(found) == ["started"]
