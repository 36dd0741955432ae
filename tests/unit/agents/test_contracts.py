"""agents.contracts: violations name the field; wrong schemas and remote references are refused when registered."""

import math
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from agents.contracts import compile_contract
from agents.errors import ContractViolation, InvalidContract


class Item(BaseModel):
    name: str
    score: float = Field(ge=0, le=1)


class Order(BaseModel):
    items: list[Item]
    kind: Literal["a", "b"] = "a"


VALID: dict[str, Any] = {"items": [{"name": "x", "score": 0.5}]}


def test_contract_valid_value_passes() -> None:
    compile_contract(Order).check(VALID)


@pytest.mark.parametrize(
    ("value", "path", "problem"),
    [
        pytest.param({}, "(top level)", '"items" is a required property', id="missing"),
        pytest.param({"items": [{"name": "x", "score": 2}]}, "items[0].score", "greater than the maximum", id="range"),
        pytest.param({"items": [{"name": 1, "score": 1}]}, "items[0].name", 'not of type "string"', id="type"),
        pytest.param({**VALID, "kind": "c"}, "kind", '"a" or "b"', id="choice"),
        pytest.param({**VALID, "kind": "c" * 9000}, "kind", "…", id="a long value is not repeated"),
    ],
)
def test_contract_violation_names_the_field(value: Any, path: str, problem: str) -> None:
    with pytest.raises(ContractViolation) as violation:
        compile_contract(Order).check(value)

    assert violation.value.path == path
    assert problem in violation.value.problem
    assert len(violation.value.problem) <= 300


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_contract_number_that_is_not_finite_is_refused(number: float) -> None:
    with pytest.raises(ContractViolation) as violation:
        compile_contract({}).check({"a": [None, {"b": number}]})

    assert violation.value.path == "a[1].b"


def test_contract_same_schema_is_compiled_once() -> None:
    assert compile_contract({"type": "object", "title": "x"}) is compile_contract({"title": "x", "type": "object"})


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        pytest.param({"type": "objct"}, "type", id="unknown type"),
        pytest.param({"properties": {"a": {"pattern": "(["}}}, "properties.a.pattern", id="bad pattern"),
        pytest.param({"$ref": "https://example.com/s.json"}, "$ref", id="remote"),
        pytest.param({"items": [1]}, "items", id="not a schema"),
        pytest.param({"allOf": [{"$ref": "file:///etc/passwd"}]}, "allOf[0].$ref", id="file"),
        pytest.param({"$ref": "#/$defs/none"}, "(top level)", id="dangling"),
        pytest.param({"default": 10**200}, "(top level)", id="not storable"),
    ],
)
def test_compile_contract_wrong_schema_is_refused(schema: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidContract) as refused:
        compile_contract(schema)

    assert refused.value.facts["path"] == path


def test_compile_contract_property_named_ref_is_allowed() -> None:
    compile_contract({"type": "object", "properties": {"$ref": {"type": "string"}}}).check({"$ref": "x"})


def test_contract_recursive_schema_survives_a_deep_value() -> None:
    contract = compile_contract(
        {"$defs": {"n": {"type": "array", "items": {"$ref": "#/$defs/n"}}}, "$ref": "#/$defs/n"}
    )
    value: list[Any] = []
    for _ in range(95):
        value = [value]

    contract.check(value)
