"""Missed slots of a schedule made up for by a person: each once, by the schedule's own overlap rule."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from orchestrator import acts, db, schedules, services
from orchestrator.acts import ActImpossible, AnswerInvalid, PlanChanged
from orchestrator.acts.backfilling import MOST
from orchestrator.errors import ReasonMissing
from orchestrator.models import Event, Run, Schedule, ScheduledStart, Workflow
from orchestrator.schedules import Wanted
from tests import engine, people
from tests.hands import at_once, violations

pytestmark = pytest.mark.django_db(transaction=True)
MANAGER = "Workflow Orchestration Manager"
STEP = "  - {key: a, type: automated, agent: test-echo}"


@pytest.fixture
def mia() -> User:
    return people.person("mia", MANAGER)


@pytest.fixture
def ben() -> User:
    return people.person("ben", MANAGER)


def made(by: User, *, cron: str = "0 * * * *", overlap: str = "allow") -> Schedule:
    engine.publish(STEP)
    wanted = Wanted(cron, "UTC", {"n": 1}, overlap)
    return schedules.create(
        name="hourly", workflow=Workflow.objects.get(name="flow"), wanted=wanted, by=by, reason="why"
    )


def hours_ago(count: int) -> datetime:
    return db.clock().replace(minute=0, second=0, microsecond=0) - timedelta(hours=count)


def answers(first: datetime, last: datetime) -> dict[str, Any]:
    return {"schedule": "hourly", "from": first.isoformat(), "to": last.isoformat()}


def target() -> acts.Target:
    return acts.locate("workflow", "flow")


def preview(**given: Any) -> acts.Preview:
    return acts.preview(acts.find("workflow", "backfill"), target(), given)


def backfill(by: User, *, digest: str = "", reason: str = "the host was down", **given: Any) -> acts.Done:
    act = acts.find("workflow", "backfill")
    return acts.perform(act, target(), by=by, reason=reason, answers=given, digest=digest)


def test_missed_slots_start_once_each_in_the_name_of_whoever_asks(mia: User, ben: User) -> None:
    found = made(mia)
    first, last = hours_ago(4), hours_ago(2)
    ScheduledStart.objects.create(schedule=found, slot=hours_ago(3), outcome="missed", problem="nothing ran")
    given = answers(first, last)

    said = preview(**given)
    done = backfill(ben, digest=said.digest, **given)

    assert said.plan.lines[0] == "3 runs start now."
    assert list(found.starts.order_by("slot").values_list("slot", "outcome", "late", "by_hand")) == [
        (slot, "started", True, True) for slot in (first, hours_ago(3), last)
    ]
    assert {run.started_by for run in Run.objects.all()} == {ben}
    assert done.data["runs"] == list(Run.objects.order_by("pk").values_list("pk", flat=True))
    told = Event.objects.get(kind="schedule.backfilled")
    assert (told.actor, told.data["started"], told.data["reason"]) == ("user:ben", 3, "the host was down")
    assert Event.objects.filter(kind="schedule.fired", data__reason="the host was down").count() == 3
    with pytest.raises(ActImpossible, match="No slot in this range was missed"):
        backfill(ben, **given)
    assert Run.objects.count() == 3
    assert violations() == []


def test_two_people_who_make_up_for_the_same_slots_start_each_once(mia: User, ben: User) -> None:
    made(mia)
    given = answers(hours_ago(5), hours_ago(2))

    raised = at_once(lambda: backfill(mia, **given), lambda: backfill(ben, **given))

    assert [type(one) for one in raised] == [ActImpossible]
    assert Run.objects.count() == 4


def test_slots_that_ran_and_those_that_are_still_due_are_left_alone(mia: User) -> None:
    found = made(mia)
    run = schedules.run_now(name="hourly", by=mia, reason="why", key="k")
    ScheduledStart.objects.filter(run=run).update(slot=hours_ago(3))
    Schedule.objects.filter(pk=found.pk).update(next_due=hours_ago(2))

    said = preview(**answers(hours_ago(4), db.clock() + timedelta(days=1)))

    assert said.plan.bound["starts"] == [hours_ago(4).isoformat()]


@pytest.mark.parametrize("overlap", ["skip", "queue"])
def test_a_schedule_that_lets_one_run_live_starts_the_oldest_slot_and_says_what_stays(mia: User, overlap: str) -> None:
    made(mia, overlap=overlap)
    given = answers(hours_ago(4), hours_ago(2))

    said = preview(**given)
    done = backfill(mia, **given)

    assert said.plan.lines[0] == "1 run starts now."
    assert said.plan.warnings[0].startswith("2 slots stay missed")
    assert done.data["left"] == 2
    assert list(ScheduledStart.objects.values_list("slot", flat=True)) == [hours_ago(4)]
    with pytest.raises(ActImpossible, match="still alive"):
        backfill(mia, **given)
    services.cancel_run(run_id=Run.objects.get().pk, by=None, reason="over")
    backfill(mia, **given)
    assert list(ScheduledStart.objects.order_by("slot").values_list("slot", flat=True)) == [hours_ago(4), hours_ago(3)]


def test_more_than_the_cap_is_refused_and_starts_nothing(mia: User) -> None:
    made(mia, cron="* * * * *")

    with pytest.raises(ActImpossible, match=f"more than {MOST} slots"):
        backfill(mia, **answers(hours_ago(4), hours_ago(1)))
    with pytest.raises(ActImpossible, match="more than 10,000 slots"):
        backfill(mia, **answers(hours_ago(24 * 20), hours_ago(1)))

    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("yesterday", "2027-01-01", "write a day"),
        ("2026-01-01T10:00", "2027-01-01", "with its zone"),
        ("2027-01-02", "2027-01-01", "before the end"),
        ("2020-01-01", "2027-01-01", "known for 90 days"),
    ],
)
def test_a_range_that_cannot_be_is_refused_in_one_sentence(mia: User, first: str, last: str, said: str) -> None:
    made(mia)

    with pytest.raises(AnswerInvalid, match=said):
        preview(**{"schedule": "hourly", "from": first, "to": last})


def test_an_input_that_has_changed_since_the_preview_starts_nothing(mia: User) -> None:
    made(mia)
    given = answers(hours_ago(4), hours_ago(3))
    digest = preview(**given).digest
    with transaction.atomic():
        Schedule.objects.update(input={"n": 2})

    with pytest.raises(PlanChanged):
        backfill(mia, digest=digest, **given)
    with pytest.raises(ReasonMissing):
        backfill(mia, reason=" ", **given)

    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("role", "status"),
    [(MANAGER, 200), ("Administrator", 403), ("Human Oversight Coordinator", 403), ("Reviewer", 404)],
)
def test_who_may_not_start_and_steer_runs_may_not_make_up_for_any(
    client: Any, mia: User, role: str, status: int
) -> None:
    made(mia)
    client.force_login(people.person("zoe", role))

    page = client.get("/act/workflow/flow/backfill/")

    assert page.status_code == status


def test_the_dialog_shows_what_would_start_and_starts_it(client: Any, mia: User) -> None:
    made(mia)
    client.force_login(mia)
    typed = {f"input.{name}": value for name, value in answers(hours_ago(4), hours_ago(3)).items()}

    listed = client.get("/workflows/flow/?tab=schedules").content.decode()
    shown = client.post("/act/workflow/flow/backfill/?preview=1", typed).content.decode()
    done = client.post("/act/workflow/flow/backfill/", {**typed, "reason": "the host was down"})

    assert "/act/workflow/flow/backfill/?answers=%7B%22schedule%22%3A%22hourly%22%7D" in listed
    assert "2 runs start now." in shown
    assert done.status_code == 302
    assert Run.objects.count() == 2


def test_a_workflow_without_a_schedule_is_not_offered_it(mia: User) -> None:
    engine.publish(STEP)

    assert "backfill" not in [act.name for act in acts.possible(mia, target())]
