"""Incidents by name, date and category, on the real file; and what they call for of a system's controls."""

from datetime import date

import pytest

from agents.library import named_incidents
from agents.library.incidents import load
from agents.library.legal import regulation
from agents.library.legal.regulation import Control, Obligation

SINCE, UNTIL = "2023-01-01", "2025-12-31"


def test_a_name_is_found_as_a_whole_word_only_and_within_its_days_only() -> None:
    found = named_incidents.naming(["langchain"], since=SINCE, until=UNTIL)
    assert len(found) > 10
    assert all("langchain" in f"{one.title}\n{one.affected}".lower() for one in found)
    assert all(SINCE[: len(one.date)] <= one.date <= f"{UNTIL}~" for one in found)
    assert named_incidents.naming(["langchai"], since=SINCE, until=UNTIL) == []
    assert named_incidents.naming(["lang.hain"], since=SINCE, until=UNTIL) == []  # a name is no pattern
    assert named_incidents.naming(["langchain"], since="2031-01-01", until="2031-12-31") == []


def test_counts_add_up_and_the_gravest_come_first_the_newest_of_them_before_others() -> None:
    found = named_incidents.naming(["langchain"], since=SINCE, until=UNTIL)
    counted = named_incidents.count(found, most=7)
    assert counted.total == sum(counted.by_severity.values()) == sum(counted.by_year.values()) == len(found)
    order = [(named_incidents.SEVERITIES.index(one.severity), one.date) for one in counted.gravest]
    assert [rank for rank, _ in order] == sorted(rank for rank, _ in order)
    same = [day for rank, day in order if rank == order[0][0]]
    assert same == sorted(same, reverse=True)


def test_categories_are_those_of_the_file() -> None:
    known = named_incidents.categories()
    one = min(known)
    found = named_incidents.of_categories([one], since="2000-01-01", until="2030-12-31")
    assert found
    assert {incident.category for incident in found} == {one}
    assert named_incidents.of_categories(["no such"], since="2000-01-01", until="2030-12-31") == []


# What incidents call for, and how well controls cover it


@pytest.mark.parametrize(
    ("evidence", "tested", "state"),
    [
        ("report 7", date(2026, 11, 28), "covered"),
        ("report 7", date(2025, 11, 28), "covered"),  # 365 days
        ("report 7", date(2025, 11, 27), "stale"),
        ("report 7", date(2026, 11, 29), "stale"),  # a test of tomorrow is none
        ("report 7", None, "stale"),
        ("  ", date(2026, 11, 28), "declared only"),
    ],
)
def test_a_control_counts_by_its_evidence_and_the_age_of_its_test(
    evidence: str, tested: date | None, state: str
) -> None:
    control = Control("c1", "Filter", ("LLM01",), evidence, "ann", tested)
    assert regulation.state("LLM01", [control], date(2026, 11, 28)) == (state, control)
    assert regulation.state("LLM02", [control], date(2026, 11, 28)) == ("none", None)


def test_of_several_controls_the_best_counts() -> None:
    said = Control("said", "Said", ("LLM01",))
    shown = Control("shown", "Shown", ("LLM01",), "report", "ann", date(2026, 11, 1))
    assert regulation.state("LLM01", [said, shown], date(2026, 11, 28)) == ("covered", shown)


@pytest.mark.parametrize(
    ("severe", "state", "level"),
    [(10, "none", "high"), (9, "none", "medium"), (10, "stale", "medium"), (9, "declared only", "low")],
)
def test_a_gap_is_as_urgent_as_incidents_are_many_and_severe(severe: int, state: str, level: str) -> None:
    found = Obligation("LLM01", "OWASP", "reported", 20, severe, ())
    assert regulation.level(found, state) == level  # type: ignore[arg-type]


def test_obligations_are_what_incidents_list_themselves_and_what_is_inferred_is_said_to_be() -> None:
    incidents = (
        named_incidents.of_categories(["prompt_injection"], since="2024-01-01", until="2025-12-31")
        or list(load())[:400]
    )
    found = regulation.obligations(incidents, ["prompt_injection"])
    assert found
    for one in found:
        if one.basis == "reported":
            calling = [i for i in incidents if one.id in (*i.owasp_llm, *i.nist_ai_rmf)]
            assert one.incidents == len(calling)
            assert one.severe == sum(i.severity in {"critical", "high"} for i in calling)
    assert [(-one.severe, -one.incidents, one.id) for one in found] == sorted(
        (-one.severe, -one.incidents, one.id) for one in found
    )
    assert 0 <= regulation.reported_share(incidents) <= 1
    assert regulation.reported_share([]) == 0.0
