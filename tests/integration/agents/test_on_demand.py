"""agents.on_demand: a worker loads of the library what a step names, and all of it for what is nowhere recorded."""

import sys

import pytest

from agents import on_demand, registry
from agents.calling import call
from agents.tools import registry as tools
from agents.types import AgentRequest, Failed
from orchestrator.engine import threads

pytestmark = pytest.mark.django_db(transaction=True)

ROUTER = "complexity-router"


@pytest.fixture
def nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has not met the library, in a database that knows all of it."""
    registry.autodiscover()
    registry.sync()
    monkeypatch.setattr(registry.default, "_versions", {})
    monkeypatch.setattr(registry.default, "_newest", {})
    monkeypatch.setattr(tools.default, "_versions", {})
    monkeypatch.setattr(on_demand._library, "is_loaded", False)
    for name in [name for name in sys.modules if name.startswith(registry.LIBRARY)]:
        monkeypatch.delitem(sys.modules, name)


def test_an_agent_brings_its_module_and_no_other(nothing_loaded: None) -> None:
    assert on_demand.may_have(ROUTER)

    on_demand.load(ROUTER)

    assert registry.find(ROUTER) is not None
    assert registry.find("incident-intake") is None
    assert "agents.library.incident_agents" not in sys.modules
    assert not on_demand.may_have(ROUTER)


def test_what_is_recorded_nowhere_is_looked_for_everywhere_once(nothing_loaded: None) -> None:
    on_demand.load("no-such-agent")

    assert registry.find(ROUTER) is not None
    assert not on_demand.may_have("no-such-agent")


async def test_whoever_calls_an_agent_of_the_library_gets_it(nothing_loaded: None) -> None:
    request = AgentRequest(ROUTER, None, {"nonsense": 1}, "key", 1, 10)

    outcome = await call(request, threads=threads.agents(), processes=threads.processes())

    assert isinstance(outcome, Failed)
    assert outcome.code == "contract_input"


async def test_a_tool_brings_the_library(nothing_loaded: None) -> None:
    await on_demand.look_for_tools(["no.such.tool"])

    assert tools.default.names()
