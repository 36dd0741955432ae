"""Fields from a schema and values, and the values back: exact where nobody typed, refused where nobody can read."""

import pytest

from agents.types import Json
from approvals import forms

SCHEMA: dict[str, Json] = {
    "required": ["summary", "amount"],
    "properties": {
        "summary": {"type": "string"},
        "amount": {"type": "number"},
        "count": {"type": "integer"},
        "final": {"type": "boolean"},
        "kind": {"type": "string", "enum": ["host", "user"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "steps": {"type": "array", "items": {"type": "object"}},
        "link": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
}
STORED: dict[str, Json] = {
    "summary": "Isolate\nthe host", "amount": 12.10, "count": 3, "final": True, "kind": "host", "tags": ["a", "b"],
    "steps": [{"n": 1}], "link": None, "extra": "kept",
}  # fmt: skip


def posted(**changed: str) -> dict[str, str]:
    fields = forms.fields_of(SCHEMA, STORED)
    return {field.control: field.text for field in fields} | {f"answer.{name}": text for name, text in changed.items()}


def test_fields_are_the_kind_that_people_can_edit_and_json_comes_last() -> None:
    kinds = {field.name: field.kind for field in forms.fields_of(SCHEMA, STORED)}

    assert kinds == {
        "summary": "text", "amount": "number", "count": "integer", "final": "yes_no", "kind": "choice", "tags": "lines",
        "extra": "line", "steps": "json", "link": "json",
    }  # fmt: skip
    assert list(kinds)[-2:] == ["steps", "link"]


def test_untouched_form_gives_back_exactly_what_was_stored() -> None:
    browser = {name: text.replace("\n", "\r\n") for name, text in posted().items()}

    reading = forms.read(forms.fields_of(SCHEMA, STORED), STORED, browser)

    assert reading.document == STORED
    assert reading.is_readable


def test_typed_values_are_read_by_their_kind() -> None:
    changed = posted(amount="20.5", count="4", final="", tags="x\n\n y ", steps='[{"n": 2}]', summary="", kind="user")

    document = forms.read(forms.fields_of(SCHEMA, STORED), STORED, changed).document

    assert document == STORED | {
        "amount": 20.5, "count": 4, "final": False, "tags": ["x", "y"], "steps": [{"n": 2}], "summary": "",
        "kind": "user",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text"), [("amount", "many"), ("count", "1.5"), ("steps", "[{"), ("amount", "nan"), ("amount", "")]
)
def test_what_cannot_be_read_is_kept_and_marked(name: str, text: str) -> None:
    reading = forms.read(forms.fields_of(SCHEMA, STORED), STORED, posted(**{name: text}))

    field = next(field for field in reading.fields if field.name == name)
    assert (field.text, bool(field.problem), reading.is_readable) == (text, True, False)


def test_empty_manual_form_asks_for_what_is_required_and_leaves_the_rest_out() -> None:
    schema: dict[str, Json] = {
        "required": ["finding"],
        "properties": {"finding": {"type": "string"}, "aside": {"type": "string"}, "clean": {"type": "boolean"}},
    }
    fields = forms.fields_of(schema, {})

    reading = forms.read(fields, {}, {})
    filled = forms.read(fields, {}, {"answer.finding": "all well"})

    assert [field.name for field in reading.fields if field.problem] == ["finding"]
    assert filled.document == {"finding": "all well", "clean": False}


def test_draft_fills_the_fields_and_still_counts_as_a_change() -> None:
    fields = forms.with_values(forms.fields_of(SCHEMA, STORED), {"amount": 99})

    reading = forms.read(fields, STORED, {field.control: field.text for field in fields})

    assert reading.document == STORED | {"amount": 99}


def test_fields_stand_in_the_order_of_what_is_required_then_the_rest() -> None:
    schema: dict[str, Json] = {
        "required": ["severity", "contact"],
        "properties": {"loss": {"type": "number"}, "contact": {"type": "string"}, "severity": {"type": "string"}},
    }

    assert [field.name for field in forms.fields_of(schema, {})] == ["severity", "contact", "loss"]


def test_needed_text_that_was_emptied_is_missing_in_work_and_a_text_in_an_edit() -> None:
    fields = forms.fields_of(SCHEMA, STORED)

    work = forms.read(fields, STORED, posted(summary=""), is_work=True)
    edit = forms.read(fields, STORED, posted(summary=""))

    assert [field.name for field in work.fields if field.problem] == ["summary"]
    assert edit.is_readable


@pytest.mark.parametrize("path", ["steps", "steps[0].n", "steps.n"])
def test_problem_is_marked_at_the_field_that_its_path_leads_into(path: str) -> None:
    marked = forms.with_problem(forms.fields_of(SCHEMA, STORED), path, "too small")

    assert [(field.name, field.problem) for field in marked if field.problem] == [("steps", "too small")]


def test_json_is_folded_unless_it_is_needed_or_wrong() -> None:
    schema: dict[str, Json] = {
        "required": ["steps"], "properties": {"steps": {"type": "object"}, "aside": {"type": "object"}},
    }  # fmt: skip

    missing = forms.fields_of(schema, {})
    wrong = forms.with_problem(forms.fields_of(schema, {"steps": {}, "aside": {}}), "aside", "no")

    assert [field.is_folded for field in missing] == [False, True]
    assert [field.is_folded for field in wrong] == [True, False]
