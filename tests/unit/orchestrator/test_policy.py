"""What follows a failure: pure rules."""

import pytest

from orchestrator.definitions.plan import PlanStep, Retry
from orchestrator.engine.breakers import counts
from orchestrator.engine.outcomes import confidence, impact
from orchestrator.engine.policy import backoff, longest_wait, name_of, next_move, without_details


def step(**fields: object) -> PlanStep:
    return PlanStep(index=0, key="a", title="A", kind="automated", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "kind", "tries", "expected"),
    [
        ({}, "transient", 1, "retry"),
        ({}, "transient", 5, "retry"),
        ({}, "transient", 6, "ask"),  # five retries, then escalate
        ({}, "permanent", 1, "fail"),
        ({}, "business", 1, "fail"),
        ({"on_error": "fail"}, "transient", 6, "fail"),
        ({"on_error": "ask"}, "permanent", 1, "ask"),
        ({"on_error": "ask"}, "business", 1, "ask"),
        ({"on_error": "skip"}, "business", 1, "skip"),
        ({"optional": True}, "transient", 6, "skip"),
        ({"optional": True, "on_error": "ask"}, "transient", 6, "ask"),
        ({"fallback": "b"}, "transient", 5, "retry"),
        ({"fallback": "b"}, "transient", 6, "fall_back"),
        ({"fallback": "b", "on_error": "skip"}, "permanent", 1, "fall_back"),
        ({"fallback": "b"}, "business", 1, "fail"),
    ],
)
def test_next_move_by_class_and_on_error(fields, kind, tries, expected):
    assert next_move(step(**fields), kind, tries) == expected


def test_next_move_takes_the_fallback_at_once_while_the_breaker_is_open():
    assert next_move(step(fallback="b"), "transient", 1, breaker_open=True) == "fall_back"
    assert next_move(step(), "transient", 1, breaker_open=True) == "retry"


def test_backoff_is_random_below_a_bound_that_doubles_to_its_cap():
    retry = Retry(base=1, cap=10)

    assert [longest_wait(retry, failures) for failures in range(6)] == [1, 2, 4, 8, 10, 10]
    waits = [backoff(retry, 3) for _ in range(500)]
    assert all(0 <= wait <= 8 for wait in waits)
    assert len(set(waits)) > 400
    assert max(waits) > 6 > 2 > min(waits)
    assert longest_wait(retry, 10_000) == 10


def test_errors_say_how_often_it_was_tried_and_hide_details():
    error = {"code": "timeout", "attempts": 3, "message": "slow", "class": "TimeoutError", "stack": "a.py:1"}

    assert name_of(error) == "timeout_after_3_attempts"
    assert name_of({"code": "timeout", "attempts": 1}) == "timeout"
    assert without_details(error) == {"code": "timeout", "attempts": 3, "message": "slow"}


@pytest.mark.parametrize(
    ("kind", "code", "counted"),
    [
        ("transient", "timeout", True),
        ("transient", "unexpected", True),
        ("transient", "pool_busy", False),
        ("transient", "agent_not_found", False),
        ("permanent", "contract_output", True),
        ("permanent", "output_too_large", True),
        ("permanent", "contract_input", False),
        ("business", "closed", False),
    ],
)
def test_breaker_counts_what_speaks_against_the_agent(kind, code, counted):
    assert counts({"kind": kind, "code": code}) is counted


def test_confidence_is_the_mean_times_the_share_and_says_so():
    found = confidence([0.9, 0.7], done=2, failed=1)

    assert found.value == 0.53
    assert found.why == "0.80 is the mean of 2 stated confidences; 2 of 3 steps gave their output: 0.53."
    assert confidence([], done=3, failed=2).value == 0.6
    assert confidence([], done=0, failed=1).value == 0.0


def test_impact_names_what_lacks_the_output():
    assert impact("Look-up", []) == "What Look-up would have given is missing from the result."
    assert impact("Look-up", ["A", "B", "C", "D"]).startswith("Look-up gave nothing to A, B, C and 1 more")
