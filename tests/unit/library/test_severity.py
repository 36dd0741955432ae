"""The committed model: its card tells the truth, its confidence is calibrated, and it never sees the answer."""

import re

import numpy as np
import pytest

from agents.library import severity
from agents.library.incidents import LEVELS, Incident, load, narrative, part
from agents.library.training import severity as training


@pytest.fixture(scope="module")
def incidents() -> list[Incident]:
    return load()


def test_card_figures_are_what_the_committed_model_does(incidents: list[Incident]) -> None:
    measured = training.evaluate(severity.model(), incidents)
    claimed = severity.card()["held_out"]
    assert isinstance(claimed, dict)

    assert measured.keys() == claimed.keys()
    for name, value in measured.items():
        assert claimed[name] == pytest.approx(value, abs=0.002), name


def test_confidence_on_held_out_incidents_is_calibrated_and_better_than_guessing(incidents: list[Incident]) -> None:
    measured = training.evaluate(severity.model(), incidents)

    assert measured["expected_calibration_error"] < 0.05  # type: ignore[operator]
    assert measured["accuracy"] > measured["accuracy_of_always_guessing_the_commonest"] + 0.15  # type: ignore[operator]


def test_split_keeps_near_duplicates_together_and_is_70_15_15(incidents: list[Incident]) -> None:
    parts = [part(incident) for incident in incidents]
    same_text: dict[str, set[str]] = {}
    for incident, where in zip(incidents, parts, strict=True):
        same_text.setdefault(f"{incident.title}|{incident.description}", set()).add(where)

    assert all(len(where) == 1 for where in same_text.values())
    shares = [parts.count(name) / len(parts) for name in ("train", "calibrate", "test")]
    assert shares == pytest.approx([0.70, 0.15, 0.15], abs=0.02)


def test_alert_and_terms_do_not_hold_the_label(incidents: list[Incident]) -> None:
    stated = re.compile(r"cvss|severity|\bcritical\b|\bsevere\b")

    assert all("severity" not in incident.alert() for incident in incidents[::50])
    leaked = [term for incident in incidents[::7] for term in training.terms_of(incident) if stated.search(term)]
    assert leaked == []


@pytest.mark.parametrize(
    "grade", ["CVSS 9.8", "critical severity", "Severity: High", "a critical flaw", "CVSS:3.1/AV:N 8.8"]
)
def test_terms_of_a_text_that_grades_itself_are_those_without_the_grade(grade: str) -> None:
    with_grade = set(severity.terms(f"Path traversal in the server. {grade}."))

    assert not {"critical", "severity", "cvss", "high"} & {word for term in with_grade for word in term.split()}


def test_assess_is_fast_enough_for_every_alert_and_sums_to_one(incidents: list[Incident]) -> None:
    assessed = [severity.model().assess(training.terms_of(incident)) for incident in incidents[::100]]

    assert all(sum(item.probabilities.values()) == pytest.approx(1, abs=0.001) for item in assessed)
    assert all(item.confidence == max(item.probabilities.values()) for item in assessed)
    assert {item.level for item in assessed} >= {"medium", "high", "critical"}


def test_assess_of_an_empty_text_is_unsure_rather_than_wrong() -> None:
    assessed = severity.model().assess([])

    assert assessed.reasons == ()
    assert assessed.confidence < 0.6


def test_training_twice_gives_the_same_model(incidents: list[Incident]) -> None:
    some = incidents[::12]

    first, second = training.train(some), training.train(some)

    assert np.array_equal(first.coefficients, second.coefficients)
    assert first.names == second.names
    assert first.temperature == second.temperature


def test_save_and_read_keep_every_score(tmp_path, incidents: list[Incident]) -> None:  # type: ignore[no-untyped-def]
    severity.save(severity.model(), tmp_path / "again.npz")
    found = training.terms_of(incidents[5])

    assert np.array_equal(severity.read(tmp_path / "again.npz").scores(found), severity.model().scores(found))
    assert severity.MODEL_FILE.stat().st_size < 3_000_000
    assert severity.model().coefficients.shape[0] == len(LEVELS)


def test_calibration_error_of_an_overconfident_model_is_large() -> None:
    sure = np.tile([0.97, 0.01, 0.01, 0.01], (100, 1))
    truth = np.array([0] * 50 + [1] * 50)

    assert training.calibration_error(sure, truth) == pytest.approx(0.47)


def test_narrative_drops_what_only_says_who_lists_it() -> None:
    text = narrative(
        "A title",
        "Tracked by the OECD AI Incidents and Hazards Monitor (AIM) as OECD-AIM-2020-01-09-a61b, dated 2020-01-09. "
        "Classified attack vector: rce. "
        "See the AIM incident page (https://oecd.ai/x) and its cited news sources for full narrative detail.",
        "Acme",
    )

    assert text == "A title\nAffected: Acme"
