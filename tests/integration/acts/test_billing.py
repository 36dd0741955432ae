"""What others bill: counted once by its number, warned of once, and work stops where nothing is left."""

import threading
from typing import Any

import pytest

from agents.models import Agent
from orchestrator import acts, budget_rows
from orchestrator.acts.billing import BillKnown
from orchestrator.acts.moving import BudgetUnknown
from orchestrator.engine import budgeting
from orchestrator.models import Bill, Budget, Event, Workflow
from tests import people
from tests.api import as_user
from tests.engine import eventually, finished, publish, shift, start, task
from tests.hands import at_once

pytestmark = pytest.mark.django_db(transaction=True)
STEP = "  - {key: a, type: automated, agent: test-echo, effort: {cost: 1}}"


@pytest.fixture
def flow() -> Workflow:
    publish(STEP)
    found = Workflow.objects.get(name="flow")
    Budget.objects.create(scope="workflow", ref=found.pk, resource="cost", limit=100)
    budgeting.view.forget()
    return found


def bill(number: str, amount: float, **more: Any) -> acts.Done:
    answers = {"source": "cloud", "number": number, "amount": amount, **more}
    target = acts.locate("workflow", "flow")
    return acts.perform(acts.find("workflow", "record-bill"), target, by=None, reason="invoice", answers=answers)


def test_bill_is_counted_once_and_warned_of_once(flow: Workflow) -> None:
    bill("1", 50)
    assert not Event.objects.filter(kind="budget.warned").exists()
    bill("2", 31)
    bill("3", 1)
    assert Budget.objects.get().spent == 82
    assert Event.objects.filter(kind="budget.warned").count() == 1
    with pytest.raises(BillKnown):
        bill("3", 1)
    assert (Budget.objects.get().spent, Bill.objects.count()) == (82, 3)


def test_quota_that_a_bill_has_used_up_stops_work_and_money_back_lets_it_go_on(flow: Workflow) -> None:
    bill("1", 100)
    run = start()
    with shift():
        eventually(lambda: task(run, "a").wait_for == "budget" or task(run, "a").wait_for == "gate")
        assert not finished(run)
        bill("1-credit", -60)
        eventually(lambda: finished(run))
    assert run.status == "succeeded"


def test_same_bill_for_two_targets_at_once_is_counted_once_and_refused_once(flow: Workflow, monkeypatch: Any) -> None:
    """Each looks for it before the other has written: the locks are each target's own."""
    echo = Agent.objects.get(name="test-echo")
    Budget.objects.create(scope="agent", ref=echo.pk, resource="cost", limit=100)
    both, standing = threading.Barrier(2), budget_rows.standing

    def together(*about: Any) -> Any:
        both.wait(20)
        return standing(*about)

    monkeypatch.setattr(budget_rows, "standing", together)

    def count(scope: str, name: str) -> acts.Done:
        answers = {"source": "cloud", "number": "7", "amount": 12.5}
        act, target = acts.find(scope, "record-bill"), acts.locate(scope, name)
        return acts.perform(act, target, by=None, reason="invoice", answers=answers)

    failed = at_once(lambda: count("workflow", "flow"), lambda: count("agent", "test-echo"))

    assert [type(error) for error in failed] == [BillKnown]
    assert (Bill.objects.count(), sum(Budget.objects.values_list("spent", flat=True))) == (1, 12.5)


def test_without_a_budget_of_cost_there_is_nothing_to_count_against() -> None:
    publish(STEP)
    with pytest.raises(BudgetUnknown):
        bill("1", 5)


def test_program_sends_a_bill_over_rest(flow: Workflow) -> None:
    manager = people.person("mona", "Workflow Orchestration Manager")
    answers = {"source": "cloud", "number": "7", "amount": 12.5}
    sent = {"answers": answers, "reason": "invoice of November"}
    api = as_user(manager, "read", "publish")
    assert api.post("/workflows/flow/acts/record-bill", sent).status_code == 200
    assert api.post("/workflows/flow/acts/record-bill", sent).status_code == 409
    assert Budget.objects.get().spent == 12.5
