"""The rules of deciding, as values."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals import policy
from approvals.models import GateStatus, Verdict

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def through_jsonb(value):
    """How PostgreSQL's jsonb gives JSON back: numbers as decimals in full, keys in another order."""
    if isinstance(value, dict):
        return {key: through_jsonb(value[key]) for key in sorted(value, key=lambda key: (len(key), key))}
    if isinstance(value, list):
        return [through_jsonb(item) for item in value]
    if isinstance(value, float):
        return json.loads(f"{Decimal(repr(value)) + 0:f}")
    return value


@given(JSON)
def test_seal_survives_being_stored(value):
    assert policy.seal(through_jsonb(value)) == policy.seal(value)


@pytest.mark.parametrize(
    ("left", "right"),
    [({"a": 1}, {"a": "1"}), ({"a": None}, {}), ([1, 2], [2, 1]), ({"a": True}, {"a": 1}), ("a", "a "), (0.1, 0.2)],
)
def test_seal_tells_different_values_apart(left, right):
    assert policy.seal(left) != policy.seal(right)


@pytest.mark.parametrize(("left", "right"), [(1, 1.0), (-0.0, 0), (1e23, 10**23), ({"a": 1, "b": 2}, {"b": 2, "a": 1})])
def test_seal_of_the_same_value_in_another_spelling_is_the_same(left, right):
    assert policy.seal(left) == policy.seal(right)


def test_seal_refuses_what_is_not_json():
    with pytest.raises(ValueError, match="JSON"):
        policy.seal(float("nan"))


def test_every_verdict_has_an_outcome_that_is_a_gates_status():
    assert set(policy.OUTCOME) == set(Verdict.values)
    assert set(policy.OUTCOME.values()) <= set(GateStatus.values) - {"open", "withdrawn"}


@pytest.mark.parametrize(
    ("verdict", "risk", "needed"),
    [("approve", "high", False), ("approve", "critical", True), ("reject", "low", True), ("terminate", "low", True),
     ("request_changes", "low", True), ("complete", "medium", False), ("edit", "critical", True)],
)  # fmt: skip
def test_needs_note(verdict, risk, needed):
    assert policy.needs_note(verdict, risk) is needed


@pytest.mark.parametrize(
    ("explicit", "chain", "trail", "queue", "expected"),
    [
        pytest.param(None, {1: 2}, [], 1, 2, id="the queue's own"),
        pytest.param(3, {1: 2}, [], 1, 3, id="the step's choice first"),
        pytest.param(3, {3: 4}, [1], 3, 4, id="then the choice's own chain"),
        pytest.param(None, {1: None}, [], 1, None, id="end of the chain"),
        pytest.param(None, {1: 2, 2: 1}, [1], 2, None, id="a circle ends where it began"),
        pytest.param(1, {}, [], 1, None, id="itself is nobody further"),
        pytest.param(None, {}, [], 9, None, id="unknown queue"),
    ],
)
def test_next_queue(explicit, chain, trail, queue, expected):
    assert policy.next_queue(explicit=explicit, chain=chain, trail=trail, queue=queue) == expected


@given(
    st.dictionaries(st.integers(0, 6), st.none() | st.integers(0, 6)),
    st.none() | st.integers(0, 6),
    st.integers(0, 6),
)
def test_next_queue_always_comes_to_an_end(chain, explicit, queue):
    trail: list[int] = []
    while (further := policy.next_queue(explicit=explicit, chain=chain, trail=trail, queue=queue)) is not None:
        assert further not in trail
        trail, queue = [*trail, queue], further
        assert len(trail) <= 8


@given(st.text(alphabet=st.characters()))
def test_clean_text_can_always_be_stored(text):
    cleaned = policy.clean_text(text)

    assert "\x00" not in cleaned
    cleaned.encode()


@pytest.mark.parametrize(
    ("confidence", "words"),
    [(None, "no confidence claimed"), (1.0, "very sure"), (0.95, "very sure"), (0.94, "fairly sure"),
     (0.6, "unsure"), (0.59, "very unsure"), (0.0, "close to guessing")],
)  # fmt: skip
def test_confidence_words(confidence, words):
    assert policy.confidence_words(confidence) == words
