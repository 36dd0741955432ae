"""What steps hand to each other: types that can never fit are refused when a workflow is published."""

from collections.abc import Callable

import pytest

from orchestrator.definitions.flow import types_of
from orchestrator.definitions.plan import Plan

READER = "- {key: read, type: automated, agent: reader, inputs: {text: hello}}\n"


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ("{text: '${steps.read.score}'}", '"steps.read.score" is a number, but a string is wanted'),
        ("{text: a, limit: '${steps.read.summary}'}", '"steps.read.summary" is a string, but a number is wanted'),
        ("{text: '${input.count}'}", '"input.count" is a number, but a string is wanted'),
        ("{text: '${steps.note.urgent}'}", '"steps.note.urgent" is true or false, but a string is wanted'),
    ],
)
def test_compile_refuses_an_input_that_cannot_be_produced(
    refusal: Callable[[str], str], inputs: str, says: str
) -> None:
    assert says in refusal(workflow(inputs))


@pytest.mark.parametrize(
    "inputs",
    [
        "{text: '${steps.read.summary}', limit: '${input.count}'}",
        "{text: '${string(steps.read.score)}'}",  # computed: known when it runs
        "{text: 'score ${steps.read.score}'}",  # a text with an expression in it is a text
    ],
)
def test_compile_accepts_an_input_that_may_fit(compiled: Callable[[str], Plan], inputs: str) -> None:
    assert compiled(workflow(inputs)).steps


def workflow(inputs: str) -> str:
    form = "{type: object, properties: {urgent: {type: boolean}}}"
    return (
        f"steps:\n{READER}- {{key: note, type: manual, queue: analysts, form: {form}}}\n"
        f"- {{key: use, type: automated, agent: reader, inputs: {inputs}}}\n"
        "dependencies: {use: [read, note]}\n"
        "configuration: {input: {type: object, properties: {count: {type: integer}}}}\n"
    )


@pytest.mark.parametrize(
    ("schema", "types"),
    [
        ({"type": "integer"}, {"number"}),
        ({"type": ["string", "null"]}, {"string", "null"}),
        ({"enum": [1, "a"]}, {"number", "string"}),
        ({"const": True}, {"boolean"}),
        ({"anyOf": [{"type": "string"}, {"type": "array"}]}, {"string", "array"}),
        ({}, {"string", "number", "boolean", "array", "object", "null"}),
    ],
)
def test_types_of_a_schema(schema: dict[str, object], types: set[str]) -> None:
    assert types_of(schema) == types
