"""What the content agents compute."""

import pytest

from agents.library.editorial import brief, findings, headline, key_facts, readability, word_limit_of
from agents.library.text import Sentence

SOURCE = (
    "Hundreds of people have been forced to vacate their homes in the Highlands as strong winds pushed a bushfire. "
    "An estimated 500 residents have left. The minister said the plan was a breakthrough. It rained."
)


def test_key_facts_are_verbatim_and_prefer_numbers() -> None:
    facts = key_facts(SOURCE, limit=2)

    assert all(SOURCE[fact.sentence.start : fact.sentence.end] == fact.sentence.text for fact in facts)
    assert "number" in {fact.kind for fact in facts}


def test_headline_is_a_verbatim_beginning_that_fits() -> None:
    made = headline(SOURCE)

    assert SOURCE.startswith(made)
    assert len(made) <= 90
    assert not made.endswith((" ", ","))


def test_brief_never_exceeds_its_words_unless_one_sentence_does() -> None:
    facts = [Sentence(0, 1, "one two three"), Sentence(2, 3, "four five six seven"), Sentence(4, 5, "eight")]

    assert [fact.text for fact in brief(facts, 4)] == ["one two three", "eight"]
    assert len(brief(facts, 1)) == 1


@pytest.mark.parametrize(
    ("copy", "rule"),
    [
        ("The minister said the plan was a breakthrough.", "banned_claim"),
        ("An estimated 900 residents have left.", "unsupported_number"),
        ("Aliens landed.", "not_in_source"),
    ],
)
def test_findings_names_what_an_editor_must_look_at(copy: str, rule: str) -> None:
    assert rule in {finding.rule for finding in findings(copy, SOURCE)}


def test_findings_of_a_verbatim_sober_sentence_is_empty() -> None:
    assert findings("An estimated 500 residents have left.", SOURCE) == []


def test_readability_of_short_words_is_easier() -> None:
    assert (
        readability("The cat sat on the mat.").ease
        > readability("Institutional considerations necessitate deliberation.").ease
    )
    assert readability("").words == 0


@pytest.mark.parametrize(
    ("note", "words"), [("at most 60 words", 60), ("shorter please", 45), ("more detail", 180), ("nice", 90)]
)
def test_word_limit_follows_the_note(note: str, words: int) -> None:
    assert word_limit_of(note, 90) == words
