"""What changed between two values."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals import diffs
from approvals.diffs import Change, Piece


def test_changes_names_the_leaf_and_the_words():
    found = diffs.changes({"a": {"b": ["one two"]}, "c": 1}, {"a": {"b": ["one three"]}, "c": 1})

    assert found == (Change("a.b[0]", (Piece("same", "one "), Piece("gone", "two"), Piece("new", "three"))),)


@pytest.mark.parametrize(
    ("before", "after", "paths"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": "1"}, []),
        ({"a": 1}, {"a": 2, "b": 3}, ["a", "b"]),
        ({"a": 1, "gone": 2}, {"a": 1}, ["gone"]),
        ({"a": []}, {"a": [1]}, ["a[0]"]),
        ({"a": {}}, {"a": {"b": 1}}, ["a.b"]),
        ({"a": []}, {"ab": [1]}, ["ab[0]", "a"]),
        ({"a": "x"}, {"a": [1]}, ["a[0]", "a"]),
        (None, {"a": 1}, ["a", "(all)"]),
    ],
)
def test_changes_lists_what_differs(before, after, paths):
    assert [change.path for change in diffs.changes(before, after)] == paths


@given(st.text(), st.text())
def test_words_rebuild_both_texts(before, after):
    pieces = diffs.words(before, after)

    assert "".join(piece.text for piece in pieces if piece.op != "new") == before
    assert "".join(piece.text for piece in pieces if piece.op != "gone") == after


def test_words_of_long_texts_stay_quick():
    before, after = ("alpha beta " * 200_000), ("beta alpha " * 200_000)
    started = time.perf_counter()

    diffs.words(before, after)

    assert time.perf_counter() - started < 5


def test_changes_is_bounded():
    assert len(diffs.changes({}, {str(n): n for n in range(10_000)})) == diffs.MAX_CHANGES
