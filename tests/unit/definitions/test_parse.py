"""Text to plain values: what YAML and JSON would quietly accept is refused."""

import json
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.definitions.errors import DefinitionError
from orchestrator.definitions.parse import parse


def refused(text: str) -> str:
    with pytest.raises(DefinitionError) as caught:
        parse(text, file="w.yaml")
    return str(caught.value)


def test_parse_yaml_reads_core_schema_scalars() -> None:
    values = parse(
        "a: on\nb: 12:30\nc: 2020-01-01\nd: 1e3\ne: 007\nf: ~\ng: true\nh: '1'\ni: -.5", file="w.yaml"
    ).values

    assert values == {
        "a": "on", "b": "12:30", "c": "2020-01-01", "d": 1000.0, "e": 7, "f": None, "g": True, "h": "1", "i": -0.5,
    }  # fmt: skip


def test_parse_tells_where_a_mapping_starts() -> None:
    parsed = parse("a: 1\nb:\n  c: 2\n", file="w.yaml")

    assert isinstance(parsed.values, dict)
    assert parsed.line(parsed.values["b"]) == 3


@pytest.mark.parametrize("text", ["gate: true\ngate: false", '{"gate": true, "gate": false}'], ids=["yaml", "json"])
def test_parse_with_a_repeated_key_is_refused(text: str) -> None:
    assert 'the key "gate" stands twice' in refused(text)


@pytest.mark.parametrize("text", ["a: .nan", "a: -.inf", "a: 1e999", '{"a": NaN}', '{"a": Infinity}', '{"a": 1e999}'])
def test_parse_with_a_number_that_is_not_finite_is_refused(text: str) -> None:
    assert "is not a finite number" in refused(text)


@pytest.mark.parametrize("text", ["a: 99999999999999999999", '{"a": 99999999999999999999}'])
def test_parse_with_a_huge_integer_is_refused(text: str) -> None:
    assert "too large for a whole number" in refused(text)


@pytest.mark.parametrize(
    "text",
    ["a: !!python/object/apply:os.system [ls]", "a: !!python/name:os.system", "a: !custom x", "a: !!binary eA=="],
)
def test_parse_with_a_tag_is_refused(text: str) -> None:
    assert "uses the tag" in refused(text)


@pytest.mark.parametrize(
    "text",
    [
        "a\u202eb: 1",
        "a\u200b: 1",
        "\ufb01le: 1",
        "a: x\u2066y",
        '{"a": "\\u0000"}',
        '{"a": "\\ud800"}',
        '{"\\u202ea": 1}',
    ],
)
def test_parse_with_hidden_or_lookalike_characters_is_refused(text: str) -> None:
    assert "hidden" in refused(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<<: {a: 1}", "merge key"),
        ("? [a]\n: b", "used as a key"),
        ("---\na: 1\n---\nb: 1", "more than one document"),
        ("a: &a [*a]", "no finished anchor"),
        ("a: [1", "is not YAML"),
        ('{"a": tru}', "is not JSON"),
        ("a: *nope", "no finished anchor"),
    ],
)
def test_parse_of_what_is_not_plain_is_refused(text: str, says: str) -> None:
    assert says in refused(text)


def test_parse_error_names_file_and_line() -> None:
    assert refused("a: 1\nb: 2\na: 3").startswith("w.yaml:3: ")


def test_parse_resolves_a_few_aliases() -> None:
    text = dedent("""
        retry: &retry {attempts: 3}
        again: *retry
    """)

    assert parse(text, file="w.yaml").values == {"retry": {"attempts": 3}, "again": {"attempts": 3}}


texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(texts.filter(lambda key: key != "<<"), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.dictionaries(texts.filter(lambda key: key != "<<"), plain, max_size=5))
def test_parse_reads_back_any_json(values: dict[str, object]) -> None:
    assert parse(json.dumps(values), file="w.json").values == values


@given(st.text(max_size=300))
def test_parse_of_any_text_gives_values_or_a_typed_error(text: str) -> None:
    try:
        parse(text, file="w.yaml")
    except DefinitionError as problem:
        assert str(problem).startswith("w.yaml")  # noqa: PT017  either way is fine; nothing else may escape


@given(
    st.lists(st.sampled_from(["a", ":", " ", "\n", "- ", "[", "]", "{", "}", "&x", "*x", "'", '"', "!", "|", ">", "#"]))
)
def test_parse_of_yaml_like_noise_gives_values_or_a_typed_error(pieces: list[str]) -> None:
    try:
        parse("".join(pieces), file="w.yaml")
    except DefinitionError as problem:
        assert problem.problems  # noqa: PT017
