"""The three definitions, walked with their real agents: what runs, what is delivered, and when people are asked."""

import sys
from datetime import date

import pytest

from agents.library.incidents import Incident, load, part
from agents.library.payments import FilePayments
from agents.library.samples import News, Refunds
from tests.unit.library.walk import Walk, plan, walk

NOTE = {"analyst_note": {"note": "Two customers were told."}}


@pytest.fixture(scope="module")
def held_out() -> list[Incident]:
    return [incident for incident in load() if part(incident) == "test"]


@pytest.fixture(scope="module")
def walks(held_out: list[Incident]) -> list[tuple[Incident, Walk]]:
    """A hundred and fourteen incidents that no model was trained on, through the whole workflow."""
    incident_response = plan("incident-response")
    return [(incident, walk(incident_response, incident.alert(), NOTE)) for incident in held_out[::20]]


def test_incident_response_delivers_a_report_for_every_incident(walks: list[tuple[Incident, Walk]]) -> None:
    for incident, done in walks:
        assert list(done.delivered) == [f"{incident.id}-report.md"]
        assert done.outputs["report"]["unsupported"] == 0


def test_incident_response_asks_people_about_a_tenth_to_a_fifth(walks: list[tuple[Incident, Walk]]) -> None:
    share = sum("recommend" in done.gates for _, done in walks) / len(walks)

    assert 0.08 <= share <= 0.25


def test_incident_response_gate_opens_exactly_for_its_reasons(walks: list[tuple[Incident, Walk]]) -> None:
    for _, done in walks:
        severity, urgent = done.outputs["severity"], done.outputs.get("recommend")
        expected = urgent is not None and (
            severity["level"] == "critical"
            or float(str(severity["critical"])) >= 0.35
            or float(str(severity["confidence"])) < 0.42
            or urgent["containment"]
        )
        assert ("recommend" in done.gates) == bool(expected)
        assert ("analyst_note" in done.gates) == (severity["level"] == "critical")


def test_incident_response_routine_incidents_ask_nobody_and_contain_nothing(walks: list[tuple[Incident, Walk]]) -> None:
    routine = [done for _, done in walks if "routine_plan" in done.outputs]

    assert routine
    assert all(done.gates == [] and not done.outputs["routine_plan"]["containment"] for done in routine)


def test_incident_response_gate_shows_claims_alternatives_and_canonical_actions(
    walks: list[tuple[Incident, Walk]],
) -> None:
    asked = [(incident, done) for incident, done in walks if "recommend" in done.gate_values]

    assert asked
    for incident, done in asked:
        shown = done.gate_values["recommend"]
        assert incident.id in str(shown["title"])
        assert shown["risk"] == done.outputs["severity"]["level"]
        assert done.outputs["recommend"]["confidence"] == done.outputs["severity"]["confidence"]
        assert isinstance(shown["evidence"], list)
        assert {"claim", "source", "quote", "status"} <= shown["evidence"][0].keys()  # type: ignore[union-attr]
        assert isinstance(shown["action"], dict)
        assert shown["action"]["operation"] == "release_plan"


def test_incident_response_report_holds_the_analysts_note_only_on_the_critical_route(
    walks: list[tuple[Incident, Walk]],
) -> None:
    for _, done in walks:
        report = next(iter(done.delivered.values()))
        assert ("Two customers were told" in report) == ("analyst_note" in done.gates)


def test_incident_response_with_only_id_and_title_still_reports() -> None:
    done = walk(plan("incident-response"), {"id": "X-1", "title": "Something happened"}, NOTE)

    assert "X-1-report.md" in done.delivered


def test_content_production_publishes_verbatim_copy() -> None:
    news = News().sample(2, date(2026, 1, 1)).input

    done = walk(plan("content-production"), news)

    assert done.gates == ["optimise"]
    assert all(sentence["status"] == "verified" for sentence in done.outputs["optimise"]["evidence"])  # type: ignore[index,union-attr,call-overload]
    assert done.outputs["optimise"]["confidence"] == 1.0
    assert str(done.outputs["publish"]["headline"]) in str(news["text"])
    assert len(done.delivered) == 1


@pytest.mark.parametrize(
    ("cents", "gates"),
    [(99_999, []), (100_000, []), (100_001, ["check"]), (1_000_000_000, ["check"]), (1, [])],
    ids=["999.99", "1000.00", "1000.01", "ten-million", "one-cent"],
)
def test_refund_approval_waits_above_exactly_1000_dollars(cents: int, gates: list[str], settings, tmp_path) -> None:  # type: ignore[no-untyped-def]
    settings.DATA_DIR = tmp_path
    request = {**Refunds().sample(0, date(2026, 1, 1)).input, "amount_cents": cents, "paid_cents": 1_000_000_000}

    done = walk(plan("refund-approval"), request)

    assert done.gates == gates
    assert [receipt.amount_cents for receipt in FilePayments(tmp_path / "payments").receipts()] == [cents]


def test_library_agents_import_nothing_heavy() -> None:
    import subprocess

    code = (
        "import django, os, sys; os.environ['DJANGO_SETTINGS_MODULE']='config.settings'; django.setup();"
        "from agents import registry; registry.autodiscover();"
        "print([m for m in ('sklearn', 'scipy', 'nltk', 'gensim', 'sumy') if m in sys.modules])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    ).stdout

    assert printed.strip() == "[]"
