"""A literature review whose reader makes a source up is stopped before people: nothing is written from it."""

from dataclasses import replace
from typing import Any

import pytest

from agents import registry
from agents.library import literature_agents
from approvals import demo
from approvals.models import Gate
from orchestrator import services
from orchestrator.acts import installing
from orchestrator.gallery import templates
from tests.engine import eventually, shift, statuses

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _agents(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's agents in a registry that a test may change."""
    registry.autodiscover()
    versions = {name: dict(of) for name, of in registry.default._versions.items()}
    monkeypatch.setattr(registry.default, "_versions", versions)
    monkeypatch.setattr(registry.default, "_newest", dict(registry.default._newest))
    registry.sync()
    demo.seed_queues()


def test_fabricated_source_blocks_the_review() -> None:
    def forge(given: literature_agents.ReadInput, ctx: Any) -> literature_agents.Claims:
        honest = literature_agents.read(given, ctx).claims
        return literature_agents.Claims(claims=[honest[0].model_copy(update={"source": "INC-99999"}), *honest[1:]])

    registry.default.put(replace(registry.default.get("literature-reader"), function=forge))
    found = templates.find("literature-review")
    assert found is not None
    installing.install(found, by=None, reason="for the test")

    run = services.start_run(workflow=found.name, input=found.samples[0].input, by=None, actor="feed")
    with shift():
        eventually(lambda: Gate.objects.filter(run=run, status="open").exists())

    gate = Gate.objects.get(run=run)
    assert gate.risk == "critical"
    assert "fabricated" in str(gate.subject)
    assert (statuses(run)["read"], statuses(run)["write"]) == ("waiting", "blocked")
