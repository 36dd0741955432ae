"""Complexity routing: the lines, and what lies on them."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agents.context import AgentContext
from agents.library.routing import Case, complexity_router, route
from agents.types import AgentRequest

CALLED = AgentContext(AgentRequest("complexity-router", None, {}, "key", 1, 5.0))


@pytest.mark.parametrize(
    ("complexity", "expected"),
    [
        (0.0, "single_agent"),
        (0.29, "single_agent"),
        (0.30, "hierarchical_2_level"),
        (0.69, "hierarchical_2_level"),
        (0.70, "full_multi_agent"),
        (1.0, "full_multi_agent"),
    ],
)
def test_route_draws_its_lines_at_03_and_07(complexity, expected):
    assert route(complexity) == expected


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_route_never_gives_a_more_complex_case_fewer_agents(one, other, low, high):
    order = ["single_agent", "hierarchical_2_level", "full_multi_agent"]
    lines = {"single_below": min(low, high), "full_from": max(low, high)}

    assert order.index(route(min(one, other), **lines)) <= order.index(route(max(one, other), **lines))


def test_router_takes_a_workflows_own_lines_and_falls_back_when_told():
    def routed(**case: object) -> str:
        return asyncio.run(complexity_router(Case.model_validate(case), CALLED)).route

    assert routed(complexity=0.5) == "hierarchical_2_level"
    assert routed(complexity=0.5, single_below=0.6, full_from=0.9) == "single_agent"
    assert routed(complexity=0.95, fall_back=True) == "single_agent"
    with pytest.raises(ValidationError, match="single_below"):
        Case.model_validate({"complexity": 0.5, "single_below": 0.9})
