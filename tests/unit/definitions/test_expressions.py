"""Expressions: values, limits, and errors that never read as false."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.definitions.expressions import (
    ExpressionError,
    ExpressionFailed,
    ExpressionInvalid,
    ExpressionUndefined,
    check,
    evaluate,
    holds,
    render_text,
    resolve,
)

CONTEXT: dict[str, Any] = {
    "input": {
        "table": [{"n": n, "all": list(range(20))} for n in range(900)],
        "amount": 1000.01,
        "count": 3,
        "tags": ["pii"],
        "long": list(range(2000)),
        "big": "x" * 10_000,
    },
    "steps": {"triage": {"score": 0.4, "items": [1, 2, 3], "none": None, "a-b": 1}},
    "output": {"kind": "containment"},
    "confidence": 0.79,
    "attempt": 1,
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("steps.triage.score", 0.4),
        ("${steps.triage.score}", 0.4),
        ('steps["triage"]["a-b"]', 1),
        ("input.amount > 1000.0", True),
        ("input.amount > 1000", True),
        ("confidence < 0.8 && ('pii' in input.tags || input.count > 100)", True),
        ("has(steps.skipped)", False),
        ("has(steps.skipped) ? steps.skipped.x : 7", 7),
        ("steps.triage.items.map(item, item * 2)", [2, 4, 6]),
        ("steps.triage.items.filter(item, item > 1).map(item, item + 1)", [3, 4]),
        ("[1, 2].exists(item, item == 2)", True),
        ("{'a': input.count}", {"a": 3}),
        ("duration('1h')", 3600.0),
        ("timestamp('2026-01-01T00:00:00Z')", "2026-01-01T00:00:00+00:00"),
        ("steps.triage.none", None),
        ("true || steps.skipped.x", True),
    ],
)
def test_evaluate_gives_a_plain_value(expression: str, value: object) -> None:
    assert evaluate(expression, CONTEXT) == value


@pytest.mark.parametrize(
    "expression",
    ["steps.skipped.x", "steps.triage.nope", "input.nope > 1", "steps.triage.items[9] > 1", "steps.skipped.x && true"],
)
def test_evaluate_of_something_missing_is_undefined(expression: str) -> None:
    with pytest.raises(ExpressionUndefined):
        evaluate(expression, CONTEXT)


@pytest.mark.parametrize("name", ["output", "confidence", "attempt"])
def test_evaluate_with_a_variable_absent_is_undefined(name: str) -> None:
    with pytest.raises(ExpressionUndefined):
        evaluate(f"{name} == 1", {"input": {}, "steps": {}})


@pytest.mark.parametrize(
    "expression", ["confidence < '0.8'", "1 / 0", "1.0 / 0.0", "input.amount.x", "input.tags[0].matches('(')"]
)
def test_evaluate_of_wrong_types_fails(expression: str) -> None:
    with pytest.raises(ExpressionFailed):
        evaluate(expression, CONTEXT)


def test_evaluate_with_unknown_confidence_is_an_error_not_false() -> None:
    with pytest.raises(ExpressionError):
        holds("confidence < 0.8", {**CONTEXT, "confidence": None})


def test_holds_of_a_value_that_is_not_a_truth_fails() -> None:
    with pytest.raises(ExpressionFailed, match="not true or false"):
        holds("input.count", CONTEXT)


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("", "is empty"),
        ("1 +", "is not CEL"),
        ("foo", "is not known"),
        ("foo(1)", "is not a function"),
        ("dyn(1)", "is not a function"),
        ("cel.bind(x, 1, x)", "is not a function"),
        ("steps", "needs the name of a step"),
        ("steps.map(k, k)", "needs the name of a step"),
        ("r'raw'", "prefix"),
        ("'''a'''", "triple"),
        ("1 // steps.a", "not understood"),
        ("Message{a: 1}", "builds a message"),
        (".steps.a", "after nothing"),
        ("input.tags.map(input, 1)", "choose another"),
        ("input.tags.map(x, input.tags.map(y, y))", "macro inside a macro"),
        ("(input.tags + input.tags).map(x, x)", "computed value"),
        ("[input.tags + input.tags][0].map(x, x)", "computed value"),
        ("{'a': input.tags}.a.map(x, x)", "computed value"),
        ("input.tags.map(x, x) + x", "is not known"),
        ("1" + "+1" * 60, 'more than 40 "+"'),
        ("(" * 30 + "1" + ")" * 30, "nested"),
        ("1" * 2001, "characters long"),
        ("((1)", "never closed"),
        ("1)", "closes nothing"),
        ("${input.a", "without its"),
    ],
)
def test_check_refuses(expression: str, says: str) -> None:
    with pytest.raises(ExpressionInvalid, match=None) as caught:
        check(expression)
    assert says in str(caught.value)


def test_evaluate_of_a_macro_over_a_long_list_fails() -> None:
    with pytest.raises(ExpressionFailed, match="runs over 2,000 items"):
        evaluate("input.long.map(x, x)", CONTEXT)


def test_evaluate_of_a_macro_that_copies_much_again_and_again_fails() -> None:
    with pytest.raises(ExpressionFailed, match="copies too much"):
        evaluate("input.table.map(x, x.all)", CONTEXT)


def test_check_tells_what_is_referred_to() -> None:
    source = check("steps.a.x > 1 && steps['b'].y.exists(item, item.z == input.limit)")

    assert {str(reference) for reference in source.references} == {"steps.a.x", "steps.b.y", "input.limit"}


def test_resolve_replaces_expressions_at_any_depth() -> None:
    written = {"a": "${input.count}", "b": ["${steps.triage.items}", "plain", 1], "c": {"d": "n=${input.count}."}}

    assert resolve(written, CONTEXT) == {"a": 3, "b": [[1, 2, 3], "plain", 1], "c": {"d": "n=3."}}


def test_resolve_never_reads_a_value_as_an_expression() -> None:
    context = {"input": {"text": "${steps.secret.key}"}, "steps": {"secret": {"key": "leak"}}}

    assert resolve({"a": "${input.text}", "b": "> ${input.text}"}, context) == {
        "a": "${steps.secret.key}",
        "b": "> ${steps.secret.key}",
    }


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("Refund ${input.amount} for ${input.count}", "Refund 1000.01 for 3"),
        ("${input.count}${input.count}", "33"),
        ("costs $5 and $${input.count}", "costs $5 and ${input.count}"),
        ('${ {"a": "}"}.a }', "}"),
        ("${steps.triage.none}|${true}|${input.tags}", "|true|pii"),
        ("", ""),
    ],
)
def test_render_text_replaces_parts(text: str, rendered: str) -> None:
    assert render_text(text, CONTEXT) == rendered


@given(st.text(alphabet="inputsteps.triage[]{}()\"'+-*/<>=!&|?:, 0123456789\\\n$", max_size=60))
def test_evaluate_of_any_text_gives_a_value_or_a_typed_error(expression: str) -> None:
    try:
        evaluate(expression, CONTEXT)
    except ExpressionError as problem:
        assert str(problem)  # noqa: PT017


names = st.sampled_from(["a", "b", "c"])
values = st.recursive(st.integers(-9, 9) | st.booleans(), lambda inner: st.dictionaries(names, inner), max_leaves=8)


@given(values, st.lists(names, max_size=4))
def test_evaluate_of_a_path_agrees_with_cel(value: object, path: list[str]) -> None:
    plain = ".".join(["input", *path])
    context = {"input": value}

    assert _outcome(plain, context) == _outcome(f"true ? {plain} : 0", context)


def _outcome(expression: str, context: dict[str, Any]) -> object:
    try:
        return evaluate(expression, context)
    except ExpressionError:
        return ExpressionError
