"""The start form follows the workflow's input schema."""

import pytest

from orchestrator import forms

SCHEMA = {
    "type": "object",
    "required": ["host", "amount"],
    "properties": {
        "host": {"type": "string", "maxLength": 60, "title": "Host name"},
        "story": {"type": "string"},
        "amount": {"type": "integer"},
        "share": {"type": "number"},
        "urgent": {"type": "boolean"},
        "level": {"type": "string", "enum": ["low", "high"]},
        "currency": {"const": "USD"},
        "due": {"type": "string", "format": "date"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
}
FIELDS = forms.fields_of(SCHEMA)


def test_fields_of_flat_schema_makes_one_control_for_each_property():
    kinds = {field.name: field.kind for field in FIELDS}

    assert kinds == {
        "host": "line", "story": "text", "amount": "integer", "share": "number", "urgent": "yes_no", "level": "choice",
        "currency": "choice", "due": "date", "tags": "json",
    }  # fmt: skip
    assert next(field.options for field in FIELDS if field.name == "currency") == ("USD",)
    assert FIELDS[0].title == "Host name"
    assert (
        [field.name for field in FIELDS if field.required] == [field.name for field in FIELDS[:2]] == ["host", "amount"]
    )


def test_fields_of_schema_without_properties_is_empty():
    assert forms.fields_of({}) == ()


def test_read_filled_in_form_gives_typed_values_and_leaves_out_what_is_empty():
    posted = {
        "input.host": "db-02",
        "input.amount": "12",
        "input.share": "0.5",
        "input.urgent": "on",
        "input.tags": '["a"]',
    }

    answer = forms.read(FIELDS, posted)

    assert answer.is_readable
    assert answer.document == {"host": "db-02", "amount": 12, "share": 0.5, "urgent": True, "tags": ["a"]}


@pytest.mark.parametrize(
    ("posted", "name", "problem"),
    [
        ({"input.amount": "1"}, "host", "Fill this in."),
        ({"input.host": "a", "input.amount": "many"}, "amount", "This is not a whole number."),
        ({"input.host": "a", "input.amount": "1", "input.tags": "[a"}, "tags", "This is not JSON."),
    ],
)
def test_read_unreadable_field_is_named_and_what_was_typed_is_kept(posted, name, problem):
    answer = forms.read(FIELDS, posted)

    assert not answer.is_readable
    assert [(field.name, field.problem) for field in answer.fields if field.problem] == [(name, problem)]
    assert all(field.value == posted.get(field.control, "") for field in answer.fields)


@pytest.mark.parametrize("text", ["{", "[1]", "7"])
def test_read_json_refuses_what_is_not_an_object(text):
    assert forms.read_json(text)[1]


def test_options_of_a_choice_are_shown_in_the_words_beside_them() -> None:
    [known, plain] = forms.fields_of(
        {
            "properties": {"who": forms.choice("Whose", {"ana": "Ana Ribeiro"}), "how": {"enum": ["fast"]}},
            "required": ["who"],
        }
    )

    assert known.choices == [("ana", "Ana Ribeiro")]
    assert plain.choices == [("fast", "fast")]


def test_nothing_is_chosen_that_the_schema_does_not_name() -> None:
    spec = {
        "properties": {"level": {"enum": ["low", "high"]}, "kind": {"const": "refund"}, "pace": {"enum": ["a", "b"]}}
    }
    spec["properties"]["pace"]["default"] = "b"

    chosen = {field.name: field.value for field in forms.fields_of({**spec, "required": ["level", "kind", "pace"]})}

    assert chosen == {"level": "", "kind": "refund", "pace": "b"}
    assert {field.name: field.value for field in forms.fields_of(spec)}["kind"] == ""


@pytest.mark.parametrize(
    ("posted", "is_unfinished"),
    [
        ({"input.host": "a"}, True),
        ({"input.host": "a", "input.amount": "many"}, False),
        ({"input.host": "a", "input.amount": "1"}, False),
    ],
    ids=["missing", "wrong", "complete"],
)
def test_answer_is_unfinished_while_something_is_only_missing(posted: dict[str, str], is_unfinished: bool) -> None:
    assert forms.read(FIELDS, posted).is_unfinished is is_unfinished


@pytest.mark.parametrize(("value", "is_hidden"), [("7", True), ("", False)])
def test_what_a_link_names_is_hidden_where_there_is_such_a_link(value: str, is_hidden: bool) -> None:
    [field] = forms.fields_of({"properties": {"change": {"type": "integer", forms.NAMED: True, "default": value}}})

    assert field.is_hidden is is_hidden


def test_whole_numbers_with_words_are_chosen_by_them_and_stay_numbers() -> None:
    number = {"type": "integer", "minimum": 1, forms.WORDS: {"2": "2 · plan approved", "1": "1 · severity assessed"}}
    fields = forms.fields_of({"properties": {"checkpoint": number}})

    assert (fields[0].kind, fields[0].choices[0]) == ("choice", ("2", "2 · plan approved"))
    assert forms.read(fields, {"input.checkpoint": "1"}).document == {"checkpoint": 1}
    assert forms.read(fields, {"input.checkpoint": "one"}).fields[0].problem == "This is not a whole number."
