"""Our LexRank against sumy's, and what a summary promises."""

from datetime import date

import pytest

from agents.library.samples import News
from agents.library.summary import rank, summarise
from agents.library.text import content_words, sentences


class _Words:
    """sumy's tokenizer interface over our words."""

    def to_words(self, text: str) -> list[str]:
        return content_words(text)


def _news(number: int) -> str:
    return str(News().sample(number, date(2026, 1, 1)).input["text"])


@pytest.mark.parametrize("number", [0, 7, 41, 123])
def test_rank_agrees_with_sumy(number: int) -> None:
    from sumy.models.dom import ObjectDocumentModel, Paragraph  # a second for whoever collects this file
    from sumy.models.dom import Sentence as SumySentence
    from sumy.summarizers.lex_rank import LexRankSummarizer

    found = sentences(_news(number))
    document = ObjectDocumentModel([Paragraph([SumySentence(s.text, _Words()) for s in found])])
    theirs = LexRankSummarizer()
    theirs.epsilon = 1e-4
    words = [theirs._to_words_set(sentence) for sentence in document.sentences]
    matrix = theirs._create_matrix(words, theirs.threshold, theirs._compute_tf(words), theirs._compute_idf(words))

    ours = rank(found)

    scores = theirs.power_method(matrix, theirs.epsilon)
    assert ours == pytest.approx(list(scores / scores.sum()), abs=1e-3)


def test_summarise_returns_verbatim_sentences_in_order() -> None:
    text = _news(3)

    ranked = summarise(text, limit=3)

    assert len(ranked) == 3
    assert all(text[item.sentence.start : item.sentence.end] == item.sentence.text for item in ranked)
    assert [item.sentence.start for item in ranked] == sorted(item.sentence.start for item in ranked)


@pytest.mark.parametrize("text", ["", "   ", "One.", "?!"], ids=["empty", "blank", "one-word", "signs"])
def test_summarise_of_next_to_nothing_does_not_fail(text: str) -> None:
    assert len(summarise(text, limit=3)) <= 1
