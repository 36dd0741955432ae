"""agents.guardrails.screen and declared: who pays for what, and what a registration may say."""

from typing import Any

import pytest

from agents.errors import InvalidRegistration
from agents.guardrails.declared import NOTHING, guard_of
from agents.guardrails.screen import Screen
from agents.registry import Registry, agent

CLOSED: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": False}
TAGGED: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "string", "x-tags": ["pii"]}}}


def registered(**facts: Any) -> Screen:
    registry = Registry()

    async def work(value: Any, ctx: Any) -> Any:
        return value

    agent("a", **{"input": CLOSED, "output": CLOSED, "registry": registry, **facts})(work)
    return registry.get("a").screen


def test_an_agent_that_declares_nothing_pays_for_one_look() -> None:
    screen = registered()
    assert guard_of("python", None) is NOTHING
    assert not screen.is_active
    assert screen.passes({"n": 1})
    assert screen.passes({})


def test_it_is_looked_at_closely_only_where_there_is_a_reason() -> None:
    screen = registered()
    assert not screen.passes({"n": 1, "more": 2})
    assert not screen.passes({"n": "wk-sealed:pii:anything"})  # type: ignore[dict-item]
    assert not registered(guard={}).passes({"n": 1})
    assert not registered(kind="llm").passes({"n": 1})
    assert not registered(output=TAGGED).passes({"n": 1})


def test_what_leaves_the_process_is_guarded_without_being_asked() -> None:
    guard = registered(kind="llm").guard
    assert (guard.secrets, guard.injection, guard.identity) == ("refuse", "flag", "tokens")
    assert registered(kind="llm", guard={"identity": "keep"}).guard.identity == "keep"


@pytest.mark.parametrize(
    ("guard", "problem"),
    [
        ({"see": ["pii"]}, "'see'"),
        ({"sees": ["gdpr"]}, "'gdpr'"),
        ({"sees": "pii"}, "'pii'"),
        ({"secrets": "maybe"}, "refuse, mask, off"),
        ({"detects": "yes"}, "true or false"),
        ({"purpose": "claims"}, "together"),
        ({"purpose": 3, "subject": "a"}, "must be texts"),
    ],
)
def test_a_declaration_that_means_nothing_is_refused(guard: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidRegistration, match=problem):
        registered(guard=guard)


def test_tags_that_nobody_knows_or_that_cannot_be_met_are_refused() -> None:
    typo = {"type": "object", "properties": {"n": {"x-tags": ["PII"]}}}
    with pytest.raises(InvalidRegistration, match="tags n as 'PII'"):
        registered(output=typo)
    with pytest.raises(InvalidRegistration, match="requires n, tagged pii"):
        registered(input={**TAGGED, "required": ["n"]})
    assert registered(input={**TAGGED, "required": ["n"]}, guard={"sees": ["pii"]})
