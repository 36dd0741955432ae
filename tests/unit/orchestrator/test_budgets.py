"""Budgets by rule: shares, bounds and needs."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import budgets
from orchestrator.definitions.limits import budget_flaws
from orchestrator.definitions.plan import LoopSpec, MapSpec, Plan, PlanStep, Retry

STEP = PlanStep(index=0, key="a", title="A", kind="automated", agent="reader", timeout=60, retry=Retry(attempts=2))
ANALYSIS = {"orchestrator": 0.1, "extraction": 0.3, "analysis": 0.4, "synthesis": 0.2}


def plan(*steps: PlanStep, **fields: object) -> Plan:
    return Plan(name="p", steps=steps, **fields)  # type: ignore[arg-type]


def test_shares_of_document_analysis_become_caps_of_its_agents():
    made = plan(STEP, budgets={"tokens": 100_000}, shares=ANALYSIS)

    def cap(agent: str) -> float:
        return next(c.limit for c in budgets.caps(made, agent, {}) if c.scope == "run_agent" and c.resource == "tokens")

    assert [cap(agent) for agent in ("extraction", "analysis", "synthesis", "anybody else")] == [
        30_000, 40_000, 20_000, 10_000,
    ]  # fmt: skip


def test_an_agents_own_budget_binds_where_it_is_less_than_its_share():
    made = plan(STEP, budgets={"tokens": 100_000}, shares=ANALYSIS)

    caps = {c.resource: c.limit for c in budgets.caps(made, "analysis", {"tokens": 5000, "calls": 7}) if c.own}

    assert caps == {"tokens": 5000, "calls": 7}


@pytest.mark.parametrize(
    ("shares", "problem"),
    [
        ({"reader": 0.5}, "sum to 0.5"),
        ({"reader": 0.5, "orchestrator": 0.6}, "sum to 1.1"),
        ({"reader": 0.5, "writer": 0.5}, "no step uses"),
        ({"orchestrator": 0.0, "reader": 1.0}, "must be a number above 0"),
    ],
)
def test_shares_that_do_not_divide_a_budget_are_refused(shares, problem):
    configuration = {"budgets": {"tokens": 10}, "shares": shares}

    assert any(problem in f"{field} {message}" for field, message, _ in budget_flaws(configuration, {"reader"}))


def test_shares_must_leave_something_for_every_agent_and_need_a_budget():
    left_out = list(budget_flaws({"budgets": {"tokens": 10}, "shares": {"reader": 1.0}}, {"reader", "writer"}))
    nothing = list(budget_flaws({"shares": {"reader": 1.0}}, {"reader"}))

    assert left_out[0][1] == "leave nothing for writer"
    assert nothing[0][1] == "divides nothing"
    thirds = {"a": 0.333333, "b": 0.333333, "c": 0.333334}
    assert not list(budget_flaws({"budgets": {"tokens": 10}, "shares": thirds}, "abc"))


@given(st.integers(1, 50), st.integers(1, 20), st.integers(1, 8))
def test_bound_counts_every_try_of_every_item_and_round(items, rounds, tries):
    step = replace(STEP, retry=Retry(attempts=tries))
    mapped = replace(STEP, kind="map", agent="", body=step, map=MapSpec(over="${input}", most=items))
    looped = replace(STEP, kind="loop", agent="", body=step, loop=LoopSpec(until="true", most=rounds))

    found = budgets.bounds(plan(step, mapped, looped))["reader"]

    assert found.calls == tries * (1 + items + rounds)
    assert found.minutes == pytest.approx(found.calls)
    assert not budgets.may_exceed(found, {"calls": found.calls, "minutes": found.minutes + 1, "documents": 1e9})
    assert budgets.may_exceed(found, {"calls": found.calls - 1})


def test_bound_is_infinite_where_a_pattern_decides():
    found = budgets.bounds(plan(replace(STEP, kind="pattern", agent="", pattern="chat")))["whoever"]

    assert math.isinf(found.calls)
    assert budgets.may_exceed(found, {"calls": 1e9})


def test_needs_are_known_from_the_step_an_earlier_call_or_not_at_all():
    assert budgets.needs(STEP, 3, None) == {"calls": 1, "documents": 3, "minutes": 1.0, "tokens": None, "cost": None}
    assert budgets.needs(STEP, 1, {"tokens": 80.0})["tokens"] == 80
    assert budgets.needs(replace(STEP, effort={"tokens": 50}), 1, {"tokens": 80.0})["tokens"] == 50
    assert budgets.documents_in({"documents": [1, 2, 3]}) == 3
    assert budgets.documents_in({"documents": "one"}) == 1
