"""agents.guardrails.shapes: what a context contract lets through."""

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from agents.guardrails.shapes import Stripper, shape_of, tags_in


class Line(BaseModel):
    sku: str
    count: int


class Order(BaseModel):
    number: str
    lines: list[Line]
    note: str | None = None


def strip(schema: dict[str, Any], value: Any, *, sees: tuple[str, ...] = ()) -> tuple[Any, list[str]]:
    stripper = Stripper(frozenset(sees))
    return stripper.strip(value, shape_of(schema)), stripper.names


def test_fields_outside_the_contract_are_dropped_and_named_at_every_depth() -> None:
    given = {"number": "7", "lines": [{"sku": "a", "count": 1, "margin": 0.4}], "customer": {"ssn": "1"}}
    kept, names = strip(Order.model_json_schema(), given)
    assert kept == {"number": "7", "lines": [{"sku": "a", "count": 1}]}
    assert names == ["lines[].margin", "customer"]


def test_what_fits_is_the_very_same_object() -> None:
    given = {"number": "7", "lines": [{"sku": "a", "count": 1}], "note": None}
    kept, names = strip(Order.model_json_schema(), given)
    assert kept is given
    assert names == []


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {"type": "object", "properties": {"a": {}}, "additionalProperties": True},
        {"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "string"}},
        {"type": "object", "properties": {"a": {}}, "patternProperties": {"^x-": {}}},
        {"anyOf": [{"properties": {"a": {}}}, {"type": "object"}]},
    ],
)
def test_a_contract_that_takes_any_field_keeps_them(schema: dict[str, Any]) -> None:
    given = {"a": 1, "b": "2"}
    assert strip(schema, given) == (given, [])


def test_a_field_of_any_branch_is_kept() -> None:
    schema = {"oneOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}], "allOf": [{"properties": {"c": {}}}]}
    assert strip(schema, {"a": 1, "b": 2, "c": 3, "d": 4}) == ({"a": 1, "b": 2, "c": 3}, ["d"])


def test_an_optional_model_is_closed_too() -> None:
    class Holder(BaseModel):
        model_config = ConfigDict(extra="forbid")
        line: Line | None = None

    assert strip(Holder.model_json_schema(), {"line": {"sku": "a", "count": 1, "x": 2}})[1] == ["line.x"]


def test_a_schema_that_contains_itself_ends() -> None:
    tree = {
        "$defs": {"n": {"properties": {"kids": {"type": "array", "items": {"$ref": "#/$defs/n"}}}}},
        "$ref": "#/$defs/n",
    }
    value: Any = {"kids": []}
    for _ in range(40):
        value = {"kids": [value], "more": 1}
    kept, names = strip(tree, value)
    assert "more" in names
    assert "more" not in kept


def test_tagged_fields_are_dropped_unless_declared() -> None:
    class Patient(BaseModel):
        number: int
        diagnosis: str = Field(default="", json_schema_extra={"x-tags": ["phi"]})

    schema, given = Patient.model_json_schema(), {"number": 1, "diagnosis": "flu"}
    assert strip(schema, given) == ({"number": 1}, ["diagnosis"])
    assert strip(schema, given, sees=("pii",)) == ({"number": 1}, ["diagnosis"])
    assert strip(schema, given, sees=("phi",)) == (given, [])
    assert dict(tags_in(shape_of(schema))) == {"diagnosis": {"phi"}}
