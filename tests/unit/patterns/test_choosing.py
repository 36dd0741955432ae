"""Four answers, one pattern, and help for every pattern there is."""

from dataclasses import fields
from itertools import product

import pytest

from orchestrator.patterns import choosing, plain
from orchestrator.patterns.registry import Help


@pytest.mark.parametrize(
    ("said", "fits"),
    [
        ("linear", "sequential"),
        ("parallel", "parallel"),
        ("linear dynamic", "conditional"),
        ("collaboration", "group_chat"),
        ("parallel collaboration", "concurrent_sync"),
        ("dynamic collaboration", "supervised_planner"),
        ("parallel dynamic collaboration", "swarm"),
    ],
)
def test_answers_lead_to_one_pattern(said, fits):
    advice = choosing.recommend(**{name: name in said.split() for name in choosing.QUESTIONS})

    assert advice.pattern == fits
    assert len(advice.reasons) == 4


def test_every_recommendation_is_a_pattern_that_has_a_page():
    known = {entry.name for entry in plain.entries()}

    for linear, parallel, dynamic, collaboration in product([True, False], repeat=4):
        advice = choosing.recommend(linear=linear, parallel=parallel, dynamic=dynamic, collaboration=collaboration)
        assert advice.pattern in known
        assert len(set(advice.reasons)) == 4


def test_reasons_say_what_was_answered():
    yes = choosing.recommend(linear=True, parallel=True, dynamic=True, collaboration=True)
    no = choosing.recommend(linear=False, parallel=False, dynamic=False, collaboration=False)

    assert not set(yes.reasons) & set(no.reasons)


@pytest.mark.parametrize("entry", list(plain.entries()), ids=lambda entry: entry.name)
def test_help_has_all_seven_parts_and_a_template(entry):
    for part in fields(Help):
        assert getattr(entry.help, part.name).strip(), part.name
    assert entry.help.template.startswith("metadata:")
    assert entry.step == (f"pattern: {entry.name}\n" in entry.help.template)


def test_the_thirteen_patterns_are_there():
    assert {entry.name for entry in plain.entries()} >= {
        *("sequential", "parallel", "conditional", "concurrent_sync", "hierarchy", "group_chat", "magentic"),
        *("refinement", "supervised_planner", "planner_state_machine", "choreography", "swarm", "saga"),
    }
