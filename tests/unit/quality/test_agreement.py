"""Consensus, and confidence times authority (D023, D024): what prevails, and that the others are kept."""

import pytest

from agents.quality.agreement import AUTHORITY, Answer, is_tied, synthesise, weight


def test_weight_is_confidence_times_authority() -> None:
    assert AUTHORITY == {"regulatory": 1.0, "sop": 0.8, "general": 0.6}
    assert weight(0.9, AUTHORITY["sop"]) == pytest.approx(0.72)
    assert weight(None, 1.0) == 0.5


def test_weight_lets_one_authority_outweigh_two_others_and_keeps_their_dissent() -> None:
    answers = [
        Answer("notes", {"level": "low"}, 0.5, AUTHORITY["general"], task=1),
        Answer("blog", {"level": "low"}, 0.6, AUTHORITY["general"], task=2),
        Answer("law", {"level": "high"}, 0.9, AUTHORITY["regulatory"], task=3),
    ]

    verdict = synthesise(answers, ["level"], by_count=False)

    assert verdict is not None
    assert verdict.output == {"level": "high"}
    assert verdict.sides[0].weight == pytest.approx(0.9)
    assert verdict.sides[0].share == pytest.approx(0.9 / 1.56, abs=1e-6)
    (dissent,) = verdict.dissent
    assert (dissent.value, dissent.writers, dissent.tasks) == ({"level": "low"}, ("notes", "blog"), (1, 2))
    assert dissent.weight == pytest.approx(0.66)


def test_consensus_counts_voices_first() -> None:
    answers = [Answer("a", {"x": 1}, 0.1), Answer("b", {"x": 1}, 0.2), Answer("c", {"x": 2}, 0.99)]

    verdict = synthesise(answers)

    assert verdict is not None
    assert (verdict.output, verdict.agreeing, verdict.confidence) == ({"x": 1}, 2, 0.2)


def test_confidence_is_no_part_of_what_must_agree() -> None:
    verdict = synthesise([Answer("a", {"x": 1, "confidence": 0.3}), Answer("b", {"x": 1, "confidence": 0.4})])

    assert verdict is not None
    assert verdict.agreeing == 2


def test_tie_is_seen() -> None:
    verdict = synthesise([Answer("a", {"x": 1}, 0.5), Answer("b", {"x": 2}, 0.5)], by_count=False)

    assert verdict is not None
    assert is_tied(verdict)
    assert synthesise([]) is None
