"""Budgets over all runs under a real shift: a team's limit holds, is raised, moved and taken away while work waits."""

import threading
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connections

from approvals.models import Gate
from orchestrator import acts, remedies, services
from orchestrator.acts.moving import BudgetUnknown, ElsewhereMoved, NotThatMuch
from orchestrator.engine import budgeting, sweep
from orchestrator.invariants import violations
from orchestrator.models import Attempt, Budget, Event, Run, Task
from orchestrator.states import RunStatus
from tests import engine, factories
from tests.engine import eventually, finished, publish, shift, task
from tests.integration.engine.test_budgets import FAN, at_once, tended

pytestmark = pytest.mark.django_db(transaction=True)

MANAGER = "Workflow Orchestration Manager"
ONE = '- {key: a, type: automated, agent: test-spender, effort: {tokens: 60}, inputs: {tokens: "${input.tokens}"}}'


@pytest.fixture(autouse=True)
def _fresh_view() -> None:
    budgeting.view.forget()
    at_once.update(now=0, most=0)


@pytest.fixture
def mia() -> User:
    return factories.user("mia", MANAGER)


def limited(team: Group, limit: float, **columns: Any) -> Budget:
    return Budget.objects.create(scope="team", ref=team.pk, **{"resource": "tokens", "limit": limit, **columns})


def started(by: User, **given: Any) -> Run:
    return services.start_run(workflow="flow", input=given, by=by)


def perform(name: str, team: Group, by: User | None = None, **answers: Any) -> acts.Done:
    told = {"resource": "tokens", **answers}
    return acts.perform(acts.find("team", name), acts.of("team", team.pk), by=by, reason="it is worth it", answers=told)


def asks(run: Run) -> bool:
    return Task.objects.of_run(run.pk).filter(status="waiting", wait_for="gate").exists()


def idle() -> bool:
    return not Task.objects.filter(status__in=("ready", "running")).exists()


def used() -> int:
    return sum(Attempt.objects.values_list("tokens_in", flat=True))


def test_concurrent_runs_of_a_team_overspend_by_one_call_at_most_and_are_warned_and_halted_once(mia):
    publish(FAN.format(effort="effort: {tokens: 60},"))
    budget = limited(mia.groups.get(), 1000)
    runs = [started(mia, items=[60] * 15) for _ in range(4)]
    with shift(), shift():
        eventually(lambda: tended() and any(map(asks, runs)) and idle())

    budget.refresh_from_db()
    assert 1000 <= used() <= 1060
    assert (budget.spent, budget.reserved) == (used(), 0)
    assert at_once["most"] > 1
    assert Event.objects.filter(kind="budget.warned").count() == 1
    assert Event.objects.filter(kind="budget.exceeded").count() == 1
    assert Gate.objects.filter(status="open").count() == 1
    assert not list(violations())


@pytest.mark.parametrize(("each", "warned"), [([800], 0), ([801], 1), ([400, 400, 1, 50, 50], 1)])
def test_warning_comes_once_and_only_above_80_percent(mia, each, warned):
    publish(ONE.replace("60", "1"))
    limited(mia.groups.get(), 1000)
    with shift():
        for tokens in each:
            run = started(mia, tokens=tokens)
            eventually(lambda run=run: finished(run))

    assert Event.objects.filter(kind="budget.warned").count() == warned


def test_breach_names_its_reason_and_its_card_offers_to_raise_to_move_or_to_end(mia):
    publish(ONE)
    team, other = mia.groups.get(), Group.objects.create(name="Others")
    limited(team, 60, spent=60)
    limited(other, 500)
    run = started(mia, tokens=60)
    with shift():
        eventually(lambda: asks(run) and idle())

    gate = Gate.objects.get(run_id=run.pk)
    assert gate.rule == f"budget_exceeded: tokens of team {team.name}"
    assert Event.objects.get(run_id=run.pk, kind="budget.exceeded").data["words"] == f"tokens of team {team.name}"
    assert gate.queue.name == "operations"
    assert {"reject", "terminate"} <= set(gate.allowed)
    offered = remedies.of_task(task(run, "a"), mia)
    assert [(one.act.name, one.target.address) for one in offered] == [
        ("set-budget", str(team.pk)), ("move-budget", str(team.pk)),
    ]  # fmt: skip
    assert offered[0].answers == {"resource": "tokens", "limit": 120}
    assert remedies.of_task(task(run, "a"), factories.user("eve", "Reviewer")) == []


def test_raised_limit_lets_a_lone_task_go_on_and_withdraws_what_people_were_asked(mia):
    publish(ONE)
    limited(mia.groups.get(), 60, spent=60)
    run = started(mia, tokens=60)
    with shift():
        eventually(lambda: asks(run) and idle())
        perform("set-budget", mia.groups.get(), mia, limit=500)
        eventually(lambda: finished(run))

    assert run.status == RunStatus.SUCCEEDED
    assert Gate.objects.get(run_id=run.pk).status == "withdrawn"
    assert not list(violations())


def test_upkeep_lets_go_on_what_a_dead_web_process_left_waiting(mia):
    publish(ONE)
    budget = limited(mia.groups.get(), 60, spent=60)
    run = started(mia, tokens=60)
    with shift():
        eventually(lambda: asks(run) and idle())
        Budget.objects.filter(pk=budget.pk).update(limit=500)
        sweep.tend()
        eventually(lambda: finished(run))

    assert run.status == RunStatus.SUCCEEDED


def test_limit_taken_away_lets_everything_go_on(mia):
    publish(ONE)
    limited(mia.groups.get(), 60, spent=60)
    runs = [started(mia, tokens=60) for _ in range(3)]
    with shift():
        eventually(lambda: any(map(asks, runs)) and idle())
        perform("set-budget", mia.groups.get(), mia)
        eventually(lambda: all(map(finished, runs)))

    assert not Budget.objects.filter(scope="team").exists()
    assert {run.status for run in runs} == {RunStatus.SUCCEEDED}
    assert not list(violations())


def test_unused_budget_is_moved_between_teams_with_audit_and_moved_back(mia):
    publish(ONE)
    team, other = mia.groups.get(), Group.objects.create(name="Others")
    limited(team, 60, spent=60)
    limited(other, 500, spent=100, reserved=50)
    run = started(mia, tokens=60)
    with shift():
        eventually(lambda: asks(run) and idle())
        done = perform("move-budget", other, mia, **{"from": other.name, "to": team.name, "amount": 350})
        eventually(lambda: finished(run))

    assert run.status == RunStatus.SUCCEEDED
    assert dict(Budget.objects.filter(scope="team").values_list("ref", "limit")) == {team.pk: 410, other.pk: 150}
    told = Event.objects.get(kind="budget.changed")
    assert told.actor == "user:mia"
    assert told.data["reason"] == "it is worth it"
    assert (told.data["ref"], told.data["to"], told.data["amount"]) == (other.pk, team.pk, 350)
    back = {**done.undo.answers, "amount": 290}
    perform("move-budget", other, mia, **back)
    assert dict(Budget.objects.filter(scope="team").values_list("ref", "limit")) == {team.pk: 120, other.pk: 440}


@pytest.mark.parametrize(
    ("answers", "refusal"),
    [
        ({"from": "Others", "to": "Third", "amount": 351}, NotThatMuch),
        ({"from": "Others", "to": "Others", "amount": 1}, NotThatMuch),
        ({"from": "Others", "to": "Third", "amount": 1, "resource": "calls"}, BudgetUnknown),
        ({"from": "Third", "to": "Fourth", "amount": 1}, ElsewhereMoved),
    ],
)
def test_more_than_is_unused_or_to_a_team_without_a_limit_is_not_moved(answers, refusal):
    other = Group.objects.create(name="Others")
    limited(other, 500, spent=100, reserved=50)
    limited(other, 9, resource="calls")
    for name in ("Third", "Fourth"):
        limited(Group.objects.create(name=name), 10)

    with pytest.raises(refusal):
        perform("move-budget", other, **answers)

    assert not Event.objects.filter(kind="budget.changed").exists()


def test_two_moves_of_the_same_budget_at_once_move_it_once():
    other, third = Group.objects.create(name="Others"), Group.objects.create(name="Third")
    limited(other, 100)
    limited(third, 0)
    barrier, came = threading.Barrier(2), []

    def move() -> None:
        barrier.wait()
        try:
            perform("move-budget", other, **{"from": "Others", "to": "Third", "amount": 60})
            came.append("moved")
        except NotThatMuch:
            came.append("refused")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=move) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert sorted(came) == ["moved", "refused"]
    assert dict(Budget.objects.filter(scope="team").values_list("ref", "limit")) == {other.pk: 40, third.pk: 60}


def test_undo_of_a_first_limit_takes_it_away(mia):
    team = mia.groups.get()

    done = perform("set-budget", team, mia, limit=5)
    perform(done.undo.name, team, mia, **done.undo.answers)

    assert not Budget.objects.filter(scope="team").exists()
    assert [event.data["limit"] for event in Event.objects.filter(kind="budget.changed").order_by("id")] == [5, None]


def test_documents_that_do_not_fit_ask_once_and_upkeep_asks_nothing_again(mia):
    publish(
        "- key: each\n  type: map\n  over: input.items\n"
        '  body: {type: automated, agent: test-spender, inputs: {documents: "${item}"}}'
    )
    limited(mia.groups.get(), 5, resource="documents")
    run = started(mia, items=[[1, 2, 3]] * 3)
    with shift():
        eventually(lambda: tended() and asks(run) and idle())
        tries = Task.objects.of_run(run.pk).values_list("attempt", flat=True)
        before = list(tries)
        for _ in range(3):
            sweep.tend()
        eventually(idle)

        assert list(tries.all()) == before
        assert Gate.objects.filter(run_id=run.pk).count() == 1
    assert len(engine.calls) == 1
