"""The advisor's verdict: it begins simple, and says which signs warn."""

import pytest

from orchestrator.patterns import advising


def answers(*, single: int, several: int, ready: int) -> dict[str, bool]:
    yes = {"single": single, "several": several, "ready": ready}
    return {
        name: number < yes[group] for group, checks in advising.GROUPS.items() for number, name in enumerate(checks)
    }


@pytest.mark.parametrize(
    ("single", "several", "ready", "phase"),
    [
        (5, 0, 0, "single"),
        (0, 1, 5, "single"),
        (5, 3, 5, "single"),
        (0, 5, 1, "single"),
        (2, 3, 5, "two"),
        (1, 5, 3, "two"),
        (2, 4, 4, "full"),
        (2, 5, 5, "full"),
        (1, 5, 5, "advanced"),
    ],
)
def test_verdict(single: int, several: int, ready: int, phase: str) -> None:
    verdict = advising.judge(answers(single=single, several=several, ready=ready))

    assert verdict.phase == phase
    assert verdict.counts == {"single": single, "several": several, "ready": ready}


def test_five_checks_in_each_of_three_groups() -> None:
    assert [len(checks) for checks in advising.GROUPS.values()] == [5, 5, 5]
    assert len(advising.QUESTIONS) == 15


def test_every_sign_matches_where_nothing_speaks_for_several() -> None:
    verdict = advising.judge(answers(single=5, several=0, ready=0))

    assert len(verdict.signs) == 8
    assert advising.judge(answers(single=0, several=5, ready=5)).signs == ()


@pytest.mark.parametrize(
    ("agents", "itself", "phase"),
    [(1, False, "single"), (1, True, "single"), (2, False, "two"), (3, False, "full"), (3, True, "advanced")],
)
def test_phase_that_a_workflow_is_in(agents: int, itself: bool, phase: str) -> None:
    assert advising.phase_of(agents, coordinates_itself=itself) == phase
