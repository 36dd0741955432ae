"""The recommender ranks by ATT&CK's relations, holds containment back, and does what a note asks."""

import pytest

from agents.library.remediation import Plan, TechniqueRef, recommend

TECHNIQUES = [
    TechniqueRef("T1190", "Exploit Public-Facing Application", 0.3),
    TechniqueRef("T1203", "Exploitation for Client Execution", 0.25),
]


def _recommend(note: str = "", critical: float = 0.6) -> Plan:
    return recommend(TECHNIQUES, target="Langflow", critical=critical, note=note)


def test_recommend_ranks_what_answers_more_techniques_higher() -> None:
    plan = _recommend()

    assert [action.score for action in plan.actions] == sorted((action.score for action in plan.actions), reverse=True)
    assert plan.actions[0].basis == ("T1190", "T1203")
    assert plan.changes == ()


def test_recommend_holds_containment_back_unless_critical_harm_is_likely() -> None:
    assert any(action.kind == "containment" for action in _recommend(critical=0.35).actions)
    assert not any(action.kind == "containment" for action in _recommend(critical=0.3499).actions)


@pytest.mark.parametrize(
    "note", ["no isolation please", "Less invasive!", "don't block anything", "keep it online", "without containment"]
)
def test_recommend_with_a_note_against_containment_drops_it_and_says_so(note: str) -> None:
    plan = _recommend(note)

    assert not any(action.kind == "containment" for action in plan.actions)
    assert plan.changes[0] == "Understood: no containment."
    assert any(change.startswith("Dropped: Application Isolation") for change in plan.changes)


@pytest.mark.parametrize("note", ["only monitoring", "just watch it", "Monitor only."])
def test_recommend_with_only_monitoring_proposes_nothing_else(note: str) -> None:
    plan = _recommend(note)

    assert {action.kind for action in plan.actions} == {"monitoring"}


def test_recommend_asked_to_isolate_puts_containment_first_even_if_unlikely_critical() -> None:
    plan = _recommend("Isolate it now, top 3", critical=0.1)

    assert [action.kind for action in plan.actions[:2]] == ["containment", "containment"]
    assert len(plan.actions) == 3


def test_recommend_without_a_named_mitigation_drops_exactly_that() -> None:
    plan = _recommend("please drop M1050 and M1048")

    assert not {"M1050", "M1048"} & {action.source for action in plan.actions}
    assert "M1051" in {action.source for action in plan.actions}


def test_recommend_with_a_note_it_does_not_understand_says_so_and_changes_nothing() -> None:
    plan = _recommend("the weather is nice")

    assert plan.actions == _recommend().actions
    assert "not understood" in plan.changes[0]


def test_recommend_without_techniques_proposes_nothing() -> None:
    assert recommend([], target="x", critical=0.9).actions == ()


def test_alternatives_are_never_among_the_actions() -> None:
    plan = _recommend()

    assert plan.alternatives
    assert not set(plan.alternatives) & set(plan.actions)
