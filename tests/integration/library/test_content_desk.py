"""The three specialists of content production have entitlements of their own, and none of each other's (A090)."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from agents import registry
from agents.library.samples import News
from agents.policies.view import default as view
from agents.tools import recording
from approvals import demo, demo_content
from orchestrator import services
from orchestrator.models import Event, Run
from tests import people
from tests.api import as_user
from tests.engine import eventually, finished, shift, statuses

pytestmark = pytest.mark.django_db(transaction=True)
TOOLS = {
    "news-researcher": ("content.facts", {"text": "a"}),
    "brief-writer": ("content.style", {}),
    "copy-optimiser": ("content.measure", {"copy_text": "a", "source": "a"}),
}


@pytest.fixture(autouse=True)
def _agents(tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = tmp_path
    view.forget()
    registry.autodiscover()
    registry.sync()
    recording.sync()
    demo.seed_queues()


def test_each_is_denied_what_the_other_two_may():
    demo_content.seed_policy()
    api = as_user(people.person("dev", "Agent Development Specialist"), "read")
    for agent in TOOLS:
        for owner, (tool, arguments) in TOOLS.items():
            asked = {"agent": agent, "tool": tool, "arguments": arguments}
            ruling = api.post("/policies/check", asked).json()
            assert ruling["allowed"] == (agent == owner), (agent, tool, ruling)


@pytest.mark.parametrize("entitled", [True, False])
def test_workflow_uses_each_tool_by_its_own_agent_and_works_without_them(entitled: bool):
    if entitled:
        demo_content.seed_policy()
        view.forget()
    source = Path("orchestrator/library/content-production.yaml").read_text()
    services.publish(source=source, file="content-production.yaml", by=None)
    run: Run = services.start_run(
        workflow="content-production", input=News().sample(0, date(2026, 1, 1)).input, by=None
    )
    with shift():
        eventually(lambda: finished(run) or statuses(run)["optimise"] == "waiting")
    assert statuses(run)["optimise"] == "waiting"
    called = Event.objects.filter(run_id=run.pk, kind="tool.called")
    used = {(event.actor.removeprefix("agent:"), event.data["tool"]) for event in called}
    assert used == ({(agent, tool) for agent, (tool, _) in TOOLS.items()} if entitled else set())
