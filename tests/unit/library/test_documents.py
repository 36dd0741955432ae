"""Document question and answer, and the literature review: in the documents' words, or not at all."""

from typing import Any

import pytest

from agents.library import corpora
from agents.library import document_agents as documents
from agents.library import literature_agents as literature
from agents.library.corpora import Document, Index
from agents.quality import accuracy
from agents.quality.types import QualitySpec

BOAT = "The ferry to the island sailed at noon. It carried 41 passengers and two goats."
FIRE = "A fire in the harbour destroyed 12 boats on Monday. Nobody was hurt, the harbour master said."
TEA = "Tea is grown on the hills behind the town. The harvest was poor this year."
CONTEXT: Any = None


@pytest.fixture(autouse=True)
def _collection(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"D-1": BOAT, "D-2": FIRE, "D-3": TEA}
    index = Index([Document(id_, text[:20], text, f"https://example.org/{id_}") for id_, text in texts.items()])
    monkeypatch.setattr(corpora, "index", lambda collection: index)
    monkeypatch.setattr(documents.embedding, "has_model", lambda: False)


def asked(question: str) -> documents.Answered:
    found = documents.retrieve(documents.Question(question=question, collection="news"), CONTEXT)
    given = documents.AnswerInput(question=question, passages=found.passages, retrieved_at=found.retrieved_at)
    return documents.answer(given, CONTEXT)


def test_answer_is_a_quotation_with_its_document_and_place() -> None:
    found = asked("What did the fire in the harbour destroy?")

    assert found.answered
    assert found.answer == "A fire in the harbour destroyed 12 boats on Monday."
    assert [(one.source, one.quote, one.status) for one in found.evidence] == [("D-2", found.answer, "verified")]
    assert "characters 0-51" in found.markdown


@pytest.mark.parametrize(
    "question",
    ["Who invented the telephone exchange?", "Which fire destroyed the harbour in 1987?", "Where is coffee grown?"],
)
def test_question_without_an_answer_is_told_so(question: str) -> None:
    found = asked(question)

    assert (found.answered, found.answer, found.evidence) == (False, documents.NO_ANSWER, [])


def test_meaning_below_its_limit_answers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "meanings", lambda question, texts: [0.7] * len(texts))

    assert not asked("What did the fire in the harbour destroy?").answered


def test_each_claim_keeps_source_time_and_quote_and_a_fabricated_one_is_flagged() -> None:
    topic = literature.Topic(topic="fire and boats in the harbour", collection="news")
    sources = literature.search(topic, CONTEXT).sources
    given = literature.ReadInput(topic=topic.topic, sources=sources)
    claims = literature.read(given, CONTEXT)

    [claim] = claims.claims
    assert (claim.source, claim.address) == ("D-2", "https://example.org/D-2")
    assert claim.retrieved_at.endswith("+00:00")
    assert FIRE[claim.start : claim.end] == claim.quote
    held = accuracy.sources_of(given.model_dump())
    spec = QualitySpec(claims="claims")
    assert accuracy.check(spec, claims.model_dump(), held, weight=1).passed
    forged = claims.model_copy(update={"claims": [claim.model_copy(update={"source": "D-99"})]})
    [finding] = accuracy.check(spec, forged.model_dump(), held, weight=1).findings
    assert "fabricated" in finding.message


def test_review_cites_every_claim_and_groups_what_shares_a_word() -> None:
    claim = {"start": 0, "end": 5, "address": "https://example.org", "retrieved_at": "2026-01-01T00:00:00+00:00"}
    told = ["Boats burned in Oslo.", "Boats sank in Bergen.", "Tea was poor."]
    claims = [
        literature.ClaimOut(claim=text, quote=text, source=f"D-{number}", **claim)  # type: ignore[arg-type]
        for number, text in enumerate(told, 1)
    ]

    review = literature.write(literature.ReviewInput(topic="harbours", claims=claims, searched=9), CONTEXT)

    assert len(review.themes) == 1
    assert review.confidence == 0.667
    for number, text in enumerate(told, 1):
        assert f"- {text} [{number}]" in review.markdown
        assert f"{number}. D-{number}, https://example.org, retrieved 2026-01-01" in review.markdown
