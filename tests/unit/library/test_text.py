"""Sentences and quotes keep their place in the source."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agents.library.text import is_quote, key_phrases, sentences


@given(st.text(max_size=300))
def test_sentences_of_any_text_are_verbatim_and_in_order(text: str) -> None:
    found = sentences(text)

    assert all(text[sentence.start : sentence.end] == sentence.text for sentence in found)
    assert all(left.end <= right.start for left, right in pairwise(found))


def test_sentences_with_abbreviations_are_not_cut() -> None:
    found = sentences("Dr. Smith of Example Inc. called, e.g. twice. Nobody answered.")

    assert [sentence.text for sentence in found] == [
        "Dr. Smith of Example Inc. called, e.g. twice.",
        "Nobody answered.",
    ]


def test_key_phrases_are_written_as_in_the_text() -> None:
    text = "Prompt injection lets attackers read the Customer Data. Prompt injection is common."

    assert all(phrase in text for phrase in key_phrases(text))
    assert "Customer Data" in key_phrases(text)


def test_is_quote_with_one_word_changed_is_false() -> None:
    assert is_quote("The plant was shut\n down on Monday.", "shut down on Monday")
    assert not is_quote("The plant was shut down on Monday.", "shut down on Tuesday")
    assert not is_quote("anything", "  ")
