"""agents.cleaning: what is stored is plain JSON; numbers are never altered; nothing crashes or hangs."""

import dataclasses
import enum
import json
import math
import timeit
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, computed_field

from agents.cleaning import REPLACEMENT, Limits, clean, clean_text
from agents.errors import OutputRejected


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Name(str):
    __slots__ = ()


@dataclasses.dataclass
class Point:
    x: int
    label: str


class Report(BaseModel):
    title: str = Field(serialization_alias="heading")
    points: list[Point] = []

    @computed_field  # type: ignore[prop-decorator]
    @property
    def size(self) -> int:
        return len(self.points)


def deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def cyclic() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["self"] = value
    return value


def test_clean_plain_value_is_copied_unchanged() -> None:
    value = {"i": 1, "ok": True, "f": 0.1, "n": None, "list": [1, "ä"]}

    cleaned = clean(value)

    assert cleaned.value == value
    assert cleaned.value is not value
    assert (cleaned.changes, cleaned.large, cleaned.size) == ((), False, len(orjson.dumps(value)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param((1, (2,)), [1, [2]], id="tuple"),
        pytest.param({3, 1, 2}, [1, 2, 3], id="set"),
        pytest.param(date(2026, 1, 2), "2026-01-02", id="date"),
        pytest.param(datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00", id="datetime"),
        pytest.param(timedelta(minutes=1), 60.0, id="timedelta"),
        pytest.param(Decimal("1000.01"), 1000.01, id="decimal"),
        pytest.param(uuid.UUID(int=0), "00000000-0000-0000-0000-000000000000", id="uuid"),
        pytest.param(Colour.RED, "red", id="enum"),
        pytest.param(Level.HIGH, 3, id="int enum"),
        pytest.param(Name("a"), "a", id="str subclass"),
        pytest.param(Point(1, "a"), {"x": 1, "label": "a"}, id="dataclass"),
        pytest.param(
            Report(title="t", points=[Point(1, "a")]),
            {"heading": "t", "points": [{"x": 1, "label": "a"}], "size": 1},
            id="pydantic",
        ),
        pytest.param({1: "a", None: "b"}, {"1": "a", "None": "b"}, id="keys"),
        pytest.param("a\x00b\ud800", f"a{REPLACEMENT}b{REPLACEMENT}", id="text"),
        pytest.param("\\u0000", "\\u0000", id="escaped text is only text"),
    ],
)
def test_clean_python_value_becomes_json(value: object, expected: object) -> None:
    cleaned = clean({"v": value})

    assert cleaned.value == {"v": expected}
    assert type(cleaned.value["v"]) is type(expected)


@pytest.mark.parametrize(
    ("value", "change"),
    [
        pytest.param({"a": ["x\x00"]}, "a[0]: characters that cannot be stored were replaced", id="nul"),
        pytest.param({"a": {2, 1}}, "a: a set was turned into a sorted list", id="set"),
        pytest.param({"a": {1: 2}}, "a: key 1 was turned into text", id="key"),
        pytest.param({"a": Decimal(1) / Decimal(3)}, "a: a decimal was rounded", id="decimal"),
    ],
)
def test_clean_lossy_repair_is_listed(value: object, change: str) -> None:
    assert clean(value).changes == (change,)


@pytest.mark.parametrize(
    ("value", "reason", "path"),
    [
        pytest.param({"a": [math.nan]}, "not_finite", "a[0]", id="nan"),
        pytest.param({"a": math.inf}, "not_finite", "a", id="infinity"),
        pytest.param({"a": Decimal("NaN")}, "not_finite", "a", id="decimal nan"),
        pytest.param({"a": 10**200}, "number_too_large", "a", id="10**200"),
        pytest.param({"a": -(2**63) - 1}, "number_too_large", "a", id="below 64 bits"),
        pytest.param({1: "a", "1": "b"}, "duplicate_key", "(top level)", id="keys that meet"),
        pytest.param({"x": "a" * 5_000_000}, "too_large", "(top level)", id="5 MB of text"),
        pytest.param({"x": {"a" * 5_000_000, 1}}, "too_large", "(top level)", id="5 MB, not plain"),
        pytest.param({"x": b"bytes"}, "not_json", "x", id="bytes"),
        pytest.param({"x": object()}, "not_json", "x", id="object"),
        pytest.param({"x": Point}, "not_json", "x", id="a class"),
        pytest.param({(1, 2): 1}, "not_json", "(top level)", id="tuple key"),
        pytest.param({"x": [None] * 100}, "too_large", "x[47]", id="too many values"),
    ],
)
def test_clean_unstorable_value_is_refused_with_its_place(value: object, reason: str, path: str) -> None:
    limits = Limits(nodes=49) if path == "x[47]" else Limits()

    with pytest.raises(OutputRejected) as refused:
        clean(value, limits)

    assert (refused.value.reason, refused.value.path) == (reason, path)


@pytest.mark.parametrize("value", [deep(100_000), cyclic(), deep(300), deep(101)], ids=["100k", "cycle", "300", "101"])
def test_clean_deep_value_is_refused(value: object) -> None:
    with pytest.raises(OutputRejected) as refused:
        clean(value)

    assert refused.value.reason == "too_deep"


def test_clean_deepest_allowed_value_passes() -> None:
    value = deep(99)

    assert clean(value).value == value


def test_clean_wide_value_is_not_taken_for_a_deep_one() -> None:
    value = {"rows": [{"i": i} for i in range(500)]}

    assert clean(value).value == value


def test_clean_more_than_64_kb_is_flagged_large() -> None:
    assert clean({"x": "a" * 70_000}).large
    assert not clean({"x": "a" * 60_000}).large


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param('{"a": 1, "a": 2}', "duplicate_key", id="duplicate"),
        pytest.param('{"a": NaN}', "not_finite", id="nan"),
        pytest.param('{"a": -Infinity}', "not_finite", id="infinity"),
        pytest.param('{"a": 1e999}', "not_finite", id="overflow"),
        pytest.param('{"a": ' + "9" * 6000 + "}", "number_too_large", id="6,000 digits"),
        pytest.param("[" * 100_000 + "]" * 100_000, "too_deep", id="deep"),
        pytest.param("[" * 150 + "]" * 150, "too_deep", id="a little too deep"),
        pytest.param("not json", "not_json", id="prose"),
        pytest.param(b'{"a": "\xff"}', "not_json", id="not utf-8"),
        pytest.param('"' + "x" * 5_000_000 + '"', "too_large", id="large"),
    ],
)
def test_clean_text_bad_text_is_refused(text: str | bytes, reason: str) -> None:
    with pytest.raises(OutputRejected) as refused:
        clean_text(text)

    assert refused.value.reason == reason


def test_clean_text_lone_surrogate_is_replaced() -> None:
    cleaned = clean_text('{"a": "\\ud800\\u0000"}')

    assert cleaned.value == {"a": REPLACEMENT * 2}
    assert len(cleaned.changes) == 1


any_text = st.text(st.characters(codec=None, categories=None), max_size=20)
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.floats()
    | any_text
    | st.binary(max_size=3)
    | st.decimals()
    | st.dates()
    | st.uuids(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(any_text | st.integers() | st.booleans(), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(anything)
@settings(max_examples=300, deadline=None)
def test_clean_anything_is_stored_or_refused(value: object) -> None:
    try:
        cleaned = clean(value)
    except OutputRejected:
        return

    text = json.dumps(cleaned.value, allow_nan=False)
    assert "\\u0000" not in text.replace("\\\\", "")
    assert json.loads(text) == cleaned.value
    assert clean(cleaned.value).value == cleaned.value  # cleaning twice changes nothing
    assert clean(cleaned.value).changes == ()


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)


@given(plain)
@settings(max_examples=200, deadline=None)
def test_clean_text_agrees_with_clean(value: object) -> None:
    text = json.dumps(value)

    assert clean_text(text) == clean(json.loads(text))


def test_clean_small_output_costs_microseconds() -> None:
    value = {"i": 1, "ok": True}

    best = min(timeit.repeat(lambda: clean(value), number=1000, repeat=5)) / 1000

    assert best < 10e-6
