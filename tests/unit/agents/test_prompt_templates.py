"""What a prompt's template may do, and what it costs at most."""

import time
from typing import Any

import pytest

from agents.prompts.errors import PromptInvalid
from agents.prompts.templates import MAX_TEXT, PromptText
from agents.prompts.variables import check, declared, render


@pytest.mark.parametrize(
    ("source", "values", "text"),
    [
        ("Hello {{ name }}!", {"name": "Ada"}, "Hello Ada!"),
        ("{% for i in items %}{{ loop.index }}. {{ i.title }}\n{% endfor %}", {"items": [{"title": "a"}]}, "1. a\n"),
        ("{% if tone == 'plain' %}Short.{% else %}Long.{% endif %}", {"tone": "plain"}, "Short."),
        ("{{ tags|join(', ') }}", {"tags": ["x", 1]}, "x, 1"),
        ("{{ note|default('none') }}", {}, "none"),
        ("{{ record }}", {"record": {"a": 1}}, '{\n  "a": 1\n}'),
        ("{{ '{{ 7 }}' }}", {}, "{{ 7 }}"),
    ],
)
def test_template_renders_as_declared(source: str, values: dict[str, Any], text: str) -> None:
    assert PromptText(source).render(values) == text


def test_value_is_never_a_template() -> None:
    assert PromptText("{{ a }}").render({"a": "{{ b }}{% for x in y %}"}) == "{{ b }}{% for x in y %}"


@pytest.mark.parametrize(
    "source",
    [
        "{{ a.__class__ }}",
        "{{ a['__class__'] }}",
        "{{ a|attr('__class__') }}",
        "{{ a.upper() }}",
        "{{ range(9) }}",
        "{% set a = a ~ a %}{{ a }}",
        "{{ a * 1000000000 }}",
        "{{ 10 ** 1000000000 }}",
        "{{ [a, a]|join }}",
        "{{ a|join(a) }}",
        "{{ a|replace('a', a) }}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% macro m() %}{% endmacro %}",
        "{% for x in a recursive %}{{ loop(x) }}{% endfor %}",
        "{{ missing }}",
        "{{ a",
        "{{ lipsum }}",
        "{{ self }}",
        "x" * 20_001,
    ],
)
def test_template_that_reaches_further_is_refused(source: str) -> None:
    with pytest.raises(PromptInvalid):
        PromptText(source).render({"a": "aaaa"})


@pytest.mark.parametrize(
    "source",
    [
        "{% for x in a %}{% for y in a %}{% for z in a %}{% endfor %}{% endfor %}{% endfor %}",
        "{% for x in a %}{% for y in a %}{{ y }}{% endfor %}{% endfor %}",
        "{% for x in a %}{% for y in a if y == 'none' %}{% endfor %}{% endfor %}" * 3,
        "{% for x in a %}{% for y in a %}{{ loop.length }}{% endfor %}{% endfor %}",
    ],
)
def test_template_that_would_run_for_ever_is_stopped(source: str) -> None:
    began = time.monotonic()

    with pytest.raises(PromptInvalid, match=r"too long|more than 200,000"):
        PromptText(source).render({"a": ["word" * 10] * 5000})

    assert time.monotonic() - began < 5


def test_long_text_and_large_values_are_refused() -> None:
    with pytest.raises(PromptInvalid, match=f"{MAX_TEXT:,} characters"):
        PromptText("{{ a }}").render({"a": "x" * (MAX_TEXT + 1)})
    with pytest.raises(PromptInvalid, match="bytes"):
        PromptText("{{ a }}").render({"a": "x" * 300_000})


def test_only_declared_variables_may_be_used() -> None:
    with pytest.raises(PromptInvalid, match="uses b without declaring it"):
        check("{{ a }} {{ b }}", declared([{"name": "a", "sample": "x"}]))


@pytest.mark.parametrize(
    ("variable", "problem"),
    [
        ({"name": "a"}, "a is required and has no value"),
        ({"name": "a", "type": "integer", "sample": True}, "a is not of type integer"),
        ({"name": "a", "type": "array", "sample": "x"}, "a is not of type array"),
    ],
)
def test_samples_must_render(variable: dict[str, Any], problem: str) -> None:
    with pytest.raises(PromptInvalid, match=problem):
        check("{{ a }}", declared([variable]))


@pytest.mark.parametrize(
    "raw", [[{"name": "_a"}], [{"name": "a"}, {"name": "a"}], [{"name": "a", "type": "code"}], "a", [{"n": 1}]]
)
def test_wrong_declaration_is_refused(raw: object) -> None:
    with pytest.raises(PromptInvalid):
        declared(raw)


def test_optional_variable_may_be_absent() -> None:
    variables = declared([{"name": "a", "required": False}])

    assert render("{% if a %}{{ a }}{% else %}nothing{% endif %}", variables, {}) == "nothing"
