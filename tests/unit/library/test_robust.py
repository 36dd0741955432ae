"""Robust statistics of readings: known answers, what a few wrong readings must not change, and real weather."""

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import NormalDist
from typing import Any

import pytest

from agents.errors import Business
from agents.library.business import series
from agents.library.maintenance import maintenance_agents, robust
from agents.library.maintenance.maintenance_agents import Window
from agents.library.maintenance.robust import Reading

START = datetime(2026, 1, 1, tzinfo=UTC)
NOISE = [NormalDist().inv_cdf((n * 37 % 100 + 0.5) / 100) for n in range(100)]  # a normal sample, in a fixed disorder


def readings(values: list[float], *, hours: float = 24) -> list[Reading]:
    return [Reading(START + timedelta(hours=hours * n), value) for n, value in enumerate(values)]


def window(values: list[float], *, hours: float = 24, **more: Any) -> Window:
    listed = [{"at": one.at.isoformat(), "value": one.value} for one in readings(values, hours=hours)]
    return Window.model_validate({"asset": "A", "sensor": "S", "readings": listed, **more})


def test_scale_of_a_normal_sample_is_its_deviation_and_half_of_it_may_be_wrong() -> None:
    assert robust.scale(NOISE) == pytest.approx(1, abs=0.02)
    assert robust.scale([*NOISE, *[1e6] * 40]) < 3


def test_modified_score_is_that_of_iglewicz_and_hoaglin() -> None:
    values = [2.1, 2.6, 2.4, 2.5, 2.3, 2.1, 2.3, 2.6, 8.2, 8.3]  # median 2.45, MAD 0.15... worked by hand below
    middle = sorted(values)[4] / 2 + sorted(values)[5] / 2
    deviations = sorted(abs(value - middle) for value in values)
    mad = (deviations[4] + deviations[5]) / 2

    found = robust.scores(readings(values), readings(values))

    assert found[8] == pytest.approx(0.6745 * (8.2 - middle) / mad, rel=1e-3)
    assert [one.value for one, _ in robust.outliers(readings(values), readings(values))] == [8.2, 8.3]


def test_what_the_sensor_cannot_tell_apart_is_no_outlier() -> None:
    values = [20.0] * 50 + [20.1, *[20.0] * 49]

    assert robust.outliers(readings(values), readings(values))
    assert not robust.outliers(readings(values), readings(values), 0.2)


def test_theil_sen_slope_is_not_moved_by_outliers() -> None:
    days = [float(n) for n in range(30)]

    assert robust.slope([2 * day for day in days], days) == 2
    assert robust.slope([*(2 * day for day in days[:-3]), 500, 500, 500], days) == pytest.approx(2)


def test_kendalls_chance_is_that_of_the_table() -> None:
    # n = 10 in order: S = 45, variance 125, z = 44 / 11.18 = 3.935; two-sided 0.0000831 by the normal table.
    assert robust.kendall_p([float(n) for n in range(10)]) == pytest.approx(8.3e-05, rel=0.01)
    assert robust.kendall_p([1.0] * 10) == 1.0


def test_drift_is_told_when_it_is_sure_and_large_beside_scatter_and_accuracy() -> None:
    rising = readings([0.1 * n + noise for n, noise in enumerate(NOISE)])

    assert robust.drift(rising) == pytest.approx(0.1, abs=0.01)
    assert robust.drift(rising, 50) is None
    assert robust.drift(readings(NOISE)) is None


def test_each_hour_of_the_day_has_its_own_normal_value() -> None:
    days = [10.0 if 8 <= hour % 24 < 18 else 0.0 for hour in range(24 * 8)]
    days[24 * 7 + 12] = 0.0  # normal at night, wrong at noon

    found = robust.outliers(readings(days, hours=1), readings(days, hours=1))

    assert [one.at.hour for one, _ in found] == [12]


def test_stuck_values_and_gaps_are_found_where_they_are() -> None:
    stuck = robust.stuck(readings([*NOISE[:20], *[0.5] * robust.STUCK, *NOISE[:5]]))
    holed = [
        *readings(NOISE[:10]),
        *(Reading(one.at + timedelta(days=20), one.value) for one in readings(NOISE[10:20])),
    ]

    assert [len(run) for run in stuck] == [robust.STUCK]
    assert [(after.at - before.at).days for before, after in robust.gaps(holed)] == [11]


@pytest.mark.parametrize(
    ("values", "more", "priority"),
    [
        (NOISE, {}, "none"),
        ([*NOISE[:50], 9.0, *NOISE[51:]], {}, "planned"),
        ([*NOISE[:99], 9.0], {}, "urgent"),
        (NOISE, {"high": 2.0}, "urgent"),
        ([*NOISE[:80], *[0.5] * 15], {}, "urgent"),
        ([*NOISE[:40], *[0.5] * 15, *NOISE[40:80]], {}, "planned"),
    ],
    ids=["healthy", "once", "now far out", "limit", "stuck now", "was stuck"],
)
def test_priority_follows_what_is_wrong_now(values: list[float], more: dict[str, Any], priority: str) -> None:
    assert maintenance_agents.detect(window(values, **more), None).priority == priority  # type: ignore[arg-type]


def test_worst_reading_below_a_low_limit_is_the_lowest() -> None:
    found = maintenance_agents.detect(window([*NOISE[:60], -9.0], low=-2.5), None)  # type: ignore[arg-type]

    assert "the worst -9" in found.findings[0].text


def test_readings_out_of_order_are_refused_in_a_sentence() -> None:
    given = window(NOISE[:30])
    given.readings.reverse()

    with pytest.raises(Business, match=r"not in order of time; .*\.$"):
        maintenance_agents.detect(given, None)  # type: ignore[arg-type]


def test_shipped_readings_are_the_files_but_for_those_that_say_otherwise() -> None:
    path = series._folder() / "seattle-weather.csv"
    with path.open() as file:
        wind = {row["date"].replace("/", "-"): float(row["wind"]) for row in csv.DictReader(file)}
    lines = Path("orchestrator/gallery/iot-maintenance/inputs.jsonl").read_text().splitlines()
    samples = [json.loads(line)["input"] for line in lines]

    for sample in samples[:2]:
        assert {one["at"][:10]: one["value"] for one in sample["readings"]}.items() <= wind.items()
    with (path.parent / "sf-temps.csv").open() as file:
        heat = {row["date"].replace("/", "-").replace(" ", "T"): float(row["temp"]) for row in csv.DictReader(file)}
    real, stuck = ({one["at"][:19]: one["value"] for one in sample["readings"]} for sample in samples[2:])
    assert real.items() <= heat.items()
    assert "stuck by us" in samples[3]["sensor"]
    assert len(real.items() - stuck.items()) <= 24
