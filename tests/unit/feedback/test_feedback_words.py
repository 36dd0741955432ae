"""The guess at a mood, and examples that no template takes for its own."""

from types import SimpleNamespace

import pytest

from agents.prompts.templates import PromptText
from approvals.feedback import examples, sentiment


@pytest.mark.parametrize(
    ("text", "rating", "mood"),
    [
        ("Thank you, that was quick and helpful.", None, "positive"),
        ("This is wrong and confusing.", None, "negative"),
        ("Not helpful at all", None, "negative"),
        ("The invoice is attached.", None, "neutral"),
        ("great", 1, "negative"),
        ("", 5, "positive"),
        ("wrong", 3, "negative"),
    ],
)
def test_sentiment_is_guessed_by_words_and_rating(text, rating, mood):
    assert sentiment.of(text, rating) == mood


def test_block_of_hostile_corrections_is_text_to_a_prompt():
    hostile = 'a "{{ secret }}" {% for x in y %} {# note #} \\'
    lesson = SimpleNamespace(
        decision=None,
        gate=None,
        input={"text": hostile},
        output=None,
        edited={hostile: [hostile, {"a": {"b": 1}}]},
        reason=hostile,
    )

    shown = examples.block([lesson])
    compiled = PromptText("Before {{ name }}\n" + shown)

    assert compiled.names == {"name"}
    assert compiled.render({"name": "n"}) == "Before n\n" + shown
    assert "secret" in shown


@pytest.mark.parametrize(
    ("text", "mood"),
    [
        ("Das war hilfreich, danke!", "positive"), ("Die Antwort ist falsch und unklar.", "negative"),
        ("Das ist nicht gut", "negative"), ("Kein Fehler", "positive"), ("Es kam am Montag an.", "neutral"),
        ("Very helpful, thanks", "positive"), ("Not good at all", "negative"), ("Hola, ¿qué tal?", "neutral"),
    ],
)  # fmt: skip
def test_mood_is_guessed_in_english_and_in_german(text, mood):
    assert sentiment.of(text) == mood
