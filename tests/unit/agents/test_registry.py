"""agents.registry and agents.specs: names and versions, and registrations that are refused."""

from typing import Any

import pytest
from pydantic import BaseModel

from agents.errors import AgentNotFound, DuplicateAgent, InvalidRegistration
from agents.registry import Registry, agent

OBJECT = {"type": "object"}


class Model(BaseModel):
    x: int


async def work(value: Any, ctx: Any) -> Any:
    """Does the work."""
    return value


def sync_work(value: Any, ctx: Any) -> Any:
    return value


def test_agent_registered_is_found_by_name_and_version() -> None:
    registry = Registry()
    agent("a", input=Model, output=OBJECT, registry=registry, capabilities=["x"], tags=["t"], owner="me")(work)
    agent("a", version=3, input=OBJECT, output=OBJECT, registry=registry)(sync_work)

    first, newest = registry.get("a", 1), registry.get("a")

    assert (first.isolation, first.title, first.description) == ("loop", "A", "Does the work.")
    assert (first.input.model, first.capabilities, first.tags, first.owner) == (Model, ("x",), ("t",), "me")
    assert (newest.version, newest.isolation) == (3, "thread")
    assert registry.names() == ["a"]
    assert registry.find("a", 2) is None


def test_agent_decorator_returns_the_function_unchanged() -> None:
    assert agent("a", input=OBJECT, output=OBJECT, registry=Registry())(work) is work


def test_get_unknown_agent_says_what_to_do() -> None:
    with pytest.raises(AgentNotFound, match="no agent 'b' version 2; register it"):
        Registry().get("b", 2)


def test_add_second_function_under_the_same_number_names_both_places() -> None:
    registry = Registry()
    agent("a", input=OBJECT, output=OBJECT, registry=registry)(work)

    with pytest.raises(DuplicateAgent) as refused:
        agent("a", input=OBJECT, output=OBJECT, registry=registry)(sync_work)

    assert str(refused.value).count("test_registry.py:") == 2
    assert registry.get("a").function is work


def test_add_same_function_twice_is_one_agent() -> None:
    registry = Registry()
    for _ in range(2):
        agent("a", input=OBJECT, output=OBJECT, registry=registry)(work)

    assert len(registry.specs()) == 1


@pytest.mark.parametrize(
    ("facts", "function", "problem"),
    [
        pytest.param({"name": "No Spaces"}, work, "lower-case", id="name"),
        pytest.param({"version": 0}, work, "numbered from 1", id="version"),
        pytest.param({"isolation": "fork"}, work, "not one of", id="isolation"),
        pytest.param({"isolation": "thread"}, work, "async", id="async in a thread"),
        pytest.param({"isolation": "process"}, lambda value, ctx: 1, "top level", id="lambda in a process"),
        pytest.param({}, lambda value: 1, "two arguments", id="one argument"),
        pytest.param({"timeout": 0.0}, work, "timeout", id="timeout"),
        pytest.param({"max_concurrency": 0}, work, "at least 1", id="limit"),
        pytest.param({"output": {"type": "objct"}}, work, "output contract", id="contract"),
    ],
)
def test_agent_wrong_registration_is_refused(facts: dict[str, Any], function: Any, problem: str) -> None:
    registry = Registry()

    with pytest.raises(InvalidRegistration, match=problem):
        agent(**{"name": "a", "input": OBJECT, "output": OBJECT, "registry": registry, **facts})(function)

    assert registry.names() == []


def test_digest_follows_contract_and_place() -> None:
    registry = Registry()
    agent("a", input=OBJECT, output=OBJECT, registry=registry)(work)
    agent("b", input=OBJECT, output=OBJECT, registry=registry, title="Another title")(work)
    agent("c", input=Model, output=OBJECT, registry=registry)(work)
    agent("d", input=OBJECT, output=OBJECT, registry=registry)(sync_work)

    digests = {name: registry.get(name).digest for name in registry.names()}

    assert digests["a"] == digests["b"]
    assert len(set(digests.values())) == 3
