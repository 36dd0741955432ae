"""Whatever is stored as a word of ours has one that people say."""

from collections.abc import Collection
from typing import get_args

import pytest
from django.utils import translation

from agents.evaluation.suites import KINDS
from agents.models import AgentVersion
from agents.quality.agreement import AUTHORITY
from agents.quality.types import WEIGHTS
from config.stored_words import WORDS, word
from orchestrator.definitions.plan import StepKind


@pytest.mark.parametrize(
    ("of", "stored"),
    [
        ("agent", AgentVersion.Kind.values),
        ("isolation", AgentVersion.Isolation.values),
        ("suite", KINDS),
        ("authority", AUTHORITY),
        ("check", WEIGHTS),
    ],
)
def test_every_stored_word_of_a_sort_has_words(of: str, stored: Collection[str]) -> None:
    assert set(WORDS[of]) >= set(stored)


@pytest.mark.parametrize("kind", get_args(StepKind.__value__))
def test_every_kind_of_step_has_words(kind: str) -> None:
    with translation.override("de"):
        assert word(kind, "step") != kind


def test_word_that_nobody_knows_is_shown_as_it_is() -> None:
    assert word("clairvoyant", "agent") == "clairvoyant"
