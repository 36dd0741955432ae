"""Fire now, deliver now, answer by hand: a wait ends as if what it waited for had come, once, by the same contract."""

from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User

from approvals.models import Queue
from orchestrator import acts, callback_tokens, callbacks
from orchestrator.acts import ActImpossible, AnswerInvalid, PlanChanged
from orchestrator.engine import sweep
from orchestrator.errors import CallbackUsed, OrchestratorError, ReasonMissing
from orchestrator.models import Event, Run, Signal, Timer, Wait
from tests import people
from tests.engine import eventually, finished, publish, shift, start, statuses, task
from tests.hands import at_once, violations

pytestmark = pytest.mark.django_db(transaction=True)
STEPS = {
    "fire": "  - {key: w, type: timer, duration: 90d}",
    "deliver": """
  - key: w
    type: wait_event
    event: order.paid
    correlation: A-17
    match: event.data.amount >= 100
    schema: {type: object, required: [amount], properties: {amount: {type: number}}, additionalProperties: false}
""",
    "answer": "  - {key: w, type: wait_callback, schema: {type: object, required: [accepted]}}",
}
NEXT = "\n  - {key: after, type: automated, agent: test-echo, inputs: {got: '${%s}'}}"
GIVEN: dict[str, dict[str, Any]] = {
    "fire": {}, "deliver": {"data": {"amount": 120}}, "answer": {"data": {"accepted": True}},
}  # fmt: skip
READ = {"fire": "steps.w.late", "deliver": "steps.w.data.amount", "answer": "steps.w.accepted"}
GOT = {"fire": False, "deliver": 120, "answer": True}


@pytest.fixture
def mia() -> User:
    Queue.objects.get_or_create(name="operations", defaults={"title": "operations"})
    return people.person("mia", "Workflow Orchestration Manager")


def waiting(name: str) -> Run:
    publish(STEPS[name] + NEXT % READ[name], rest="dependencies: {after: [w]}")
    run = start()
    with shift():
        eventually(lambda: statuses(run)["w"] == "waiting")
    return run


def target(run: Run) -> acts.Target:
    return acts.of("task", task(run, "w").pk)


def do(run: Run, name: str, by: User, **answers: Any) -> acts.Done:
    act, at = acts.find("task", name), target(run)
    digest = acts.preview(act, at, answers).digest
    return acts.perform(act, at, by=by, reason="we know", answers=answers, digest=digest)


@pytest.mark.parametrize("name", STEPS)
def test_wait_ends_by_hand_once_with_a_reason_and_the_run_goes_on(mia: User, name: str) -> None:
    run = waiting(name)
    act, at, given = acts.find("task", name), target(run), GIVEN[name]
    preview = acts.preview(act, at, given)
    assert "1 step after it becomes ready." in preview.plan.lines
    with pytest.raises(ReasonMissing):
        acts.perform(act, at, by=mia, reason=" ", answers=given, digest=preview.digest)
    with pytest.raises(PlanChanged):
        acts.perform(act, at, by=mia, reason="why", answers=given, digest="0" * 64)
    assert statuses(run)["w"] == "waiting"

    done = acts.perform(act, at, by=mia, reason="we know", answers=given, digest=preview.digest)

    assert "goes on" in done.words
    told = Event.objects.get(task_id=at.ref, kind="task.succeeded")
    assert (told.actor, told.data["reason"], bool(told.data["by_hand"])) == ("user:mia", "we know", True)
    assert not Timer.objects.filter(ref=at.ref, fired_at=None).exists()
    assert not Wait.objects.filter(task_id=at.ref, ended_at=None).exists()
    with pytest.raises(OrchestratorError):
        acts.perform(act, acts.of("task", at.ref), by=mia, reason="again", answers=given, digest=preview.digest)
    with shift():
        eventually(lambda: finished(run))
    assert task(run, "after").output["got"] == GOT[name]
    assert violations() == []


@pytest.mark.parametrize("name", STEPS)
def test_only_who_may_steer_and_only_what_waits_for_that(mia: User, name: str) -> None:
    run = waiting(name)
    at = target(run)

    assert acts.find("task", name).permits(mia, at)
    for stranger in (people.person("rob", "Reviewer"), people.person("uwe", "Auditor"), AnonymousUser()):
        assert not acts.find("task", name).permits(stranger, at)
    for other in set(STEPS) - {name}:
        assert acts.find("task", other).why_not(at)
        with pytest.raises(ActImpossible):
            acts.preview(acts.find("task", other), at, GIVEN[other])
    assert acts.find("task", name).why_not(acts.of("task", task(run, "after").pk))


@pytest.mark.parametrize("name", STEPS)
def test_two_people_who_end_a_wait_at_the_same_time_end_it_once(mia: User, name: str) -> None:
    run = waiting(name)
    refused: list[str] = []

    def end() -> None:
        try:
            acts.perform(acts.find("task", name), target(run), by=mia, reason="now", answers=GIVEN[name])
        except OrchestratorError as problem:
            refused.append(problem.code)

    assert at_once(end, end, end) == []

    assert len(refused) == 2
    assert Event.objects.filter(run_id=run.pk, kind="task.succeeded").count() == 1


def test_timer_fired_by_hand_does_not_fire_again_and_says_when_it_was_due(mia: User) -> None:
    run = waiting("fire")
    due = Timer.objects.get(kind="task_timer").due_at

    do(run, "fire", mia)
    sweep.fire_timers()

    output = task(run, "w").output
    assert datetime.fromisoformat(output["due"]) == due
    assert datetime.fromisoformat(output["fired_at"]) < due
    assert (output["late"], output["late_s"]) == (False, 0.0)
    assert Event.objects.filter(run_id=run.pk, kind="task.succeeded").count() == 1


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("deliver", {"amount": 99}, "does not hold"),
        ("deliver", {"amount": "many"}, "amount"),
        ("deliver", {"amount": 120, "more": 1}, "more"),
        ("deliver", {}, "amount"),
        ("answer", {}, "accepted"),
        ("answer", {"accepted": True, "n": 10**40}, "cannot be stored"),
    ],
)
def test_what_breaks_the_contract_is_refused_and_the_step_waits_on(
    mia: User, name: str, data: dict[str, object], said: str
) -> None:
    run = waiting(name)

    with pytest.raises(AnswerInvalid, match=said):
        do(run, name, mia, data=data)

    assert statuses(run)["w"] == "waiting"
    assert Wait.objects.filter(ended_at=None).count() == 1


def test_delivered_signal_names_who_gave_it_and_reaches_nobody_else(mia: User) -> None:
    publish(STEPS["deliver"])
    first, second = start(), start()
    with shift():
        eventually(lambda: statuses(first)["w"] == statuses(second)["w"] == "waiting")

    do(first, "deliver", mia, data={"amount": 120})
    sweep.fire_timers()

    output = task(first, "w").output
    assert (output["name"], output["key"], output["sent_by"]) == ("order.paid", "A-17", "user:mia")
    assert output["id"] is None
    assert statuses(second)["w"] == "waiting"
    assert not Signal.objects.exists()


def test_call_back_after_an_answer_by_hand_is_told_that_it_was_used(mia: User) -> None:
    run = waiting("answer")
    token = callback_tokens.issue(task(run, "w").pk, 0)

    do(run, "answer", mia, data={"accepted": False})

    with pytest.raises(CallbackUsed):
        callbacks.receive(token=token, payload={"accepted": True})
    assert task(run, "w").output == {"accepted": False}


def test_wait_of_a_paused_run_ends_and_what_follows_is_held(mia: User) -> None:
    run = waiting("fire")
    acts.perform(acts.find("run", "pause"), acts.of("run", run.pk), by=mia, reason="look")

    do(run, "fire", mia)

    assert task(run, "after").held
    assert statuses(run) == {"w": "succeeded", "after": "ready"}


def test_story_says_that_a_person_ended_the_wait(mia: User) -> None:
    run = waiting("fire")
    do(run, "fire", mia)
    facts = Event.objects.get(run_id=run.pk, kind="task.succeeded").data

    from orchestrator.happenings import Happening
    from orchestrator.story import tell

    told = tell(Happening(1, run.started_at, "task.succeeded", "user:mia", facts))

    assert told.text.startswith("was let go on before its time")
    assert (told.name, told.note) == ("mia", "we know")
