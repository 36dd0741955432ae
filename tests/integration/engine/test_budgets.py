"""Budgets under a real shift: held before a call, spent after it, said when low; people asked when they end."""

import asyncio
from typing import Any

import pytest
from django.db import transaction

from agents.models import Agent
from agents.registry import agent
from agents.types import Completed, Json, Usage
from approvals.models import Gate
from orchestrator import acts, services
from orchestrator.engine import budgeting, sweep
from orchestrator.invariants import violations
from orchestrator.models import Attempt, Budget, Event, Reservation, Run, Task, Workflow
from orchestrator.states import RunStatus
from tests import engine, factories
from tests.engine import OPEN, eventually, finished, publish, shift, start

pytestmark = pytest.mark.django_db(transaction=True)

at_once = {"now": 0, "most": 0}


@agent(name="test-spender", version=1, title="Spender", input=OPEN, output=OPEN, capabilities=["spend"])
async def spender(input: dict[str, Any], ctx: Any) -> Completed:
    """Use as many tokens as it is told to, for a moment."""
    engine.calls.append(("spend", ctx.attempt))
    at_once["now"] += 1
    at_once["most"] = max(at_once.values())
    await asyncio.sleep(0.01)
    at_once["now"] -= 1
    tokens = int(input.get("tokens", 60))
    return Completed(output={"at": input.get("at", 0)}, usage=Usage(tokens, 0, cost=tokens / 1000))


@pytest.fixture(autouse=True)
def _fresh_view() -> None:
    budgeting.view.forget()
    at_once.update(now=0, most=0)


FAN = """
- key: each
  type: map
  over: input.items
  body: {{type: automated, agent: test-spender, {effort} inputs: {{tokens: "${{item}}", at: "${{at}}"}}}}
"""


def published_fan(budgets: str, effort: str = "", more: str = "") -> None:
    publish(FAN.format(effort=effort), rest=f"configuration: {{budgets: {budgets} {more}}}")


def budget(run: Run, resource: str = "tokens", scope: str = "run") -> Budget:
    return Budget.objects.get(scope=scope, ref=run.pk, resource=resource)


def used(run: Run) -> int:
    return sum(
        Attempt.objects.filter(task_id__gte=run.pk << 20, task_id__lt=(run.pk + 1) << 20).values_list(
            "tokens_in", flat=True
        )
    )


def kinds(run: Run, kind: str) -> list[dict[str, Json]]:
    return list(Event.objects.filter(run_id=run.pk, kind=kind).values_list("data", flat=True))


def test_what_calls_use_is_spent_and_nothing_stays_held():
    published_fan("{tokens: 10000, cost: 100, calls: 50}")
    run = start(items=[60] * 12)
    with shift():
        eventually(lambda: finished(run))

    assert run.status == RunStatus.SUCCEEDED
    assert budget(run).spent == 720 == used(run)
    assert budget(run, "calls").spent == 12
    assert budget(run, "cost").spent == pytest.approx(0.72)
    assert budget(run).reserved == 0
    assert not Reservation.objects.exists()
    assert kinds(run, "budget.warned") == []
    assert not list(violations())


@pytest.mark.parametrize("effort", ["", "effort: {tokens: 60},"])
def test_budget_that_ends_amid_a_fan_out_is_overspent_by_one_call_at_most(effort):
    published_fan("{tokens: 1000}", effort)
    run = start(items=[60] * 40)
    with shift():
        eventually(lambda: Task.objects.of_run(run.pk).filter(wait_for="gate").exists())
        eventually(lambda: not Task.objects.of_run(run.pk).filter(status__in=["ready", "running"]).exists())

        assert 1000 <= used(run) <= 1060
        assert budget(run).spent == used(run)
        assert Task.objects.of_run(run.pk).filter(wait_for="gate").count() == 1
        assert Task.objects.of_run(run.pk).filter(wait_for="budget").count() == 40 - 17 - 1
        assert len(kinds(run, "budget.exceeded")) == 1
        assert len(kinds(run, "budget.warned")) == 1
        assert kinds(run, "budget.exceeded")[0]["words"] == f"tokens of run {run.pk}"
        assert not list(violations())
    assert at_once["most"] > 1


def raised(run: Run, to: float) -> None:
    target = acts.of("run", run.pk)
    acts.perform(
        acts.find("run", "set-budget"),
        target,
        by=factories.user("mia", "Workflow Orchestration Manager"),
        reason="it is worth it",
        answers={"resource": "tokens", "limit": to},
    )


def test_raised_limit_lets_everything_that_waits_go_on_and_takes_the_question_back():
    published_fan("{tokens: 300}")
    run = start(items=[60] * 12)
    with shift():
        eventually(lambda: task_waits(run))
        raised(run, 5000)
        eventually(lambda: finished(run))

    assert run.status == RunStatus.SUCCEEDED
    assert used(run) == 720
    assert kinds(run, "budget.changed")[0]["reason"] == "it is worth it"
    assert [gate.status for gate in Gate.objects.filter(run_id=run.pk)] == ["withdrawn"]
    assert not list(violations())


def tended() -> bool:
    sweep.tend()
    return True


def task_waits(run: Run) -> bool:
    live = Task.objects.of_run(run.pk)
    return live.filter(wait_for="gate").exists() and not live.filter(status__in=["ready", "running"]).exists()


def test_question_answered_without_more_budget_is_asked_again():
    published_fan("{tokens: 60}")
    run = start(items=[60] * 3)
    with shift():
        eventually(lambda: task_waits(run))
        with transaction.atomic():
            services.lock_run(run.pk)
            services.skip_task(task_id=Task.objects.of_run(run.pk).get(wait_for="gate").pk, actor="user:mia")
        sweep.tend()
        eventually(lambda: task_waits(run))

    assert Task.objects.of_run(run.pk).filter(status="skipped").count() == 1
    assert used(run) == 60
    assert not list(violations())


def test_shares_cap_each_agent_and_moving_unused_budget_helps():
    steps = """
- {key: first, type: automated, agent: test-spender, inputs: {tokens: 300}}
- {key: second, type: automated, agent: test-spender, inputs: {tokens: 300}}
- {key: other, type: automated, agent: test-echo, inputs: {what: x}}
"""
    shares = "{test-spender: 0.3, test-echo: 0.7}"
    publish(
        steps, rest=f"configuration: {{budgets: {{tokens: 1000}}, shares: {shares}}}\ndependencies: {{second: [first]}}"
    )
    run = start()
    with shift():
        eventually(lambda: task_waits(run))
        assert kinds(run, "budget.exceeded")[0]["words"] == f"tokens of test-spender in run {run.pk}"
        acts.perform(
            acts.find("run", "move-budget"),
            acts.of("run", run.pk),
            by=factories.user("mia", "Workflow Orchestration Manager"),
            reason="the other needs none",
            answers={"resource": "tokens", "from": "test-echo", "to": "test-spender", "amount": 400},
        )
        eventually(lambda: finished(run))

    assert run.status == RunStatus.SUCCEEDED
    limits = dict(
        Budget.objects.filter(scope="run_agent", ref=run.pk, resource="tokens").values_list("agent__name", "limit")
    )
    assert limits == {"test-spender": 700, "test-echo": 300}
    assert not list(violations())


def test_agents_own_budget_for_a_run_holds_where_a_definition_could_exceed_it():
    publish(FAN.format(effort=""))
    Budget.objects.create(
        scope="run_agent", ref=0, agent=Agent.objects.get(name="test-spender"), resource="calls", limit=5
    )
    run = start(items=[0] * 9)
    with shift():
        eventually(lambda: task_waits(run))

    assert len(engine.calls) == 5
    assert kinds(run, "budget.exceeded")[0]["words"] == f"calls of test-spender in run {run.pk}"


def test_call_that_no_budget_covers_asks_no_budget():
    publish("- {key: a, type: automated, agent: test-spender, inputs: {tokens: 5}}")
    run = start()
    with shift():
        eventually(lambda: finished(run))

    assert not Budget.objects.exists()
    assert "used" not in kinds(run, "task.succeeded")[0]


@pytest.mark.parametrize("scope", ["workflow", "agent", "team"])
def test_standing_budgets_hold_over_all_runs(scope):
    publish("- {key: a, type: automated, agent: test-spender, inputs: {tokens: 60}}")
    mia = factories.user("mia", "Workflow Orchestration Manager")
    refs = {
        "workflow": Workflow.objects.get().pk,
        "agent": Agent.objects.get(name="test-spender").pk,
        "team": mia.groups.get().pk,
    }
    Budget.objects.create(scope=scope, ref=refs[scope], resource="tokens", limit=100)
    with shift():
        runs = [services.start_run(workflow="flow", input={}, by=mia) for _ in range(3)]
        eventually(lambda: tended() and sum(map(finished, runs)) == 2 and any(map(task_waits, runs)))

    assert Budget.objects.get(scope=scope).spent == 120
    assert not list(violations())


def test_killed_and_cancelled_calls_hold_nothing_afterwards():
    publish(
        "- {key: a, type: automated, agent: test-patient, timeout: 1h}\n",
        rest="configuration: {budgets: {minutes: 600}}",
    )
    run = start()
    with shift():
        eventually(Reservation.objects.exists)
        assert budget(run, "minutes").reserved == 60
        services.cancel_run(run_id=run.pk, by=None, reason="enough")

    assert not Reservation.objects.exists()
    assert budget(run, "minutes").reserved == 0
    assert not list(violations())
