"""Definitions may name agents that this process has not loaded, if the database knows them."""

import pytest

from agents.models import Agent, AgentVersion
from orchestrator import services
from orchestrator.catalogue import default as catalogue
from orchestrator.definitions.errors import DefinitionError
from orchestrator.models import Step

pytestmark = pytest.mark.django_db

SOURCE = """
metadata: {name: registered, title: Registered}
steps: [{key: one, type: automated, agent: "far-away", inputs: {text: hello}}]
"""


def register(number: int, *, isolation: str = "thread", required: str = "text") -> None:
    agent, _ = Agent.objects.get_or_create(name="far-away", defaults={"title": "Far away"})
    schema = {"type": "object", "properties": {"text": {}, "other": {}}, "required": [required]}
    AgentVersion.objects.create(
        agent=agent,
        number=number,
        kind="python",
        isolation=isolation,
        input_schema=schema,
        config={"budget": {"calls": 1}},
    )


def test_find_gives_the_newest_or_the_named_version() -> None:
    register(1)
    register(2)

    newest, first, none = catalogue.find("far-away"), catalogue.find("far-away", 1), catalogue.find("far-away", 9)

    assert isinstance(newest, AgentVersion)
    assert newest.number == 2
    assert isinstance(first, AgentVersion)
    assert none is None
    assert "far-away" in catalogue.names()


def test_publish_knows_contract_and_lane_of_a_registered_agent() -> None:
    register(1, isolation="thread")

    version = services.publish(source=SOURCE, file="registered.yaml", by=None)

    assert Step.objects.get(version=version).lane != "default"


def test_publish_refuses_what_a_registered_agent_does_not_take() -> None:
    register(1, required="other")

    with pytest.raises(DefinitionError, match=r"inputs.other: is required by far-away"):
        services.publish(source=SOURCE, file="registered.yaml", by=None)
