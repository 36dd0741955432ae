"""A workflow switched to one agent runs to its end with it, and with its own agents after the switch back."""

from typing import Any

import pytest

from agents import registry
from approvals import demo
from orchestrator import acts, services
from orchestrator.acts import installing
from orchestrator.gallery import templates
from orchestrator.invariants import violations
from orchestrator.models import Attempt, Run
from tests.engine import eventually, finished, shift

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _agents(tmp_path: Any, settings: Any) -> None:
    settings.DATA_DIR = tmp_path
    registry.autodiscover()
    registry.sync()
    demo.seed_queues()


def switch(name: str, **answers: str) -> None:
    found = acts.locate("workflow", "refund-approval")
    acts.perform(acts.find("workflow", name), found, by=None, reason="so", answers=answers)


def done_by(run: Run) -> set[str]:
    with shift():
        eventually(lambda: finished(run))
    assert run.status == "succeeded", run.error
    return set(Attempt.objects.filter(task__run=run).values_list("task__agent__name", flat=True))


def test_one_switch_leads_to_one_agent_and_one_back() -> None:
    found = templates.find("refund-approval")
    assert found is not None
    installing.install(found, by=None, reason="for the test")
    given = found.samples[0].input

    switch("single-agent", agent="refund-generalist")
    alone = services.start_run(workflow=found.name, input=given, by=None, actor="feed")
    assert done_by(alone) == {"refund-generalist"}

    switch("several-agents")
    again = services.start_run(workflow=found.name, input={**given, "order_id": "ORD-2"}, by=None, actor="feed")
    assert done_by(again) == {"refund-checker", "refund-payer"}
    assert not list(violations())
