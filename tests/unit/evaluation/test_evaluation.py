"""Cases, measures, suites and statistics: plain values in, plain values out."""

from typing import Any

import orjson
import pytest

from agents.evaluation import cases, measures, statistics, suites
from agents.evaluation.cases import Case, CasesRefused
from agents.evaluation.measures import Measure, Result
from agents.evaluation.suites import SuiteRefused, Threshold


def test_jsonl_round_trip_keeps_every_field() -> None:
    written = (Case({"text": "é"}, {"level": "low"}, ("a",), {"from": "b"}), Case({"text": "2"}))

    assert cases.read_jsonl(cases.write_jsonl(written)).cases == written


def test_cases_are_kept_once_and_contradictions_are_counted() -> None:
    found = cases.collect(
        [Case({"x": 1}, {"y": 1}), Case({"x": 1}, {"y": 1}), Case({"x": 1}, {"y": 2}), Case({"x": 2}, {"y": 1})]
    )

    assert (len(found.cases), found.dropped, found.contradicting) == (2, 1, 1)
    assert found.digest == cases.collect(reversed(found.cases)).digest


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"[1]", "Line 2: must be an object"),
        (b"{", "Line 2 is not JSON"),
        (b'{"input": {}}', "holds something"),
        (b'{"input": {"a": 1}, "label": 2}', '"label" is not a field'),
        (b'{"input": {"a": 1}, "expected": 2}', "must be objects"),
        (b'{"input": {"a": 1}, "tags": "x"}', "tags must be"),
        (b'{"input": {"a": "\\u0000"}}', "NUL"),
        (b'{"input": {"a": "' + b"x" * cases.LONGEST_LINE + b'"}}', "bytes; at most"),
    ],
)
def test_bad_line_refuses_the_file_with_its_number(line: bytes, problem: str) -> None:
    with pytest.raises(CasesRefused, match=problem):
        cases.read_jsonl(b'{"input": {"a": 0}}\n' + line)


def test_personal_data_is_counted_by_kind() -> None:
    texts = [
        "write to ana@example.org",
        "card 4111 1111 1111 1111",
        "order 1234567890123",
        "ssn 123-45-6789",
        "call +49 30 1234567",
    ]

    found = cases.personal_data([Case({"text": text}) for text in texts])

    assert found == {"email": 1, "card": 1, "ssn": 1, "phone": 1}


LEVELS = ("low", "medium", "high", "critical")


@pytest.mark.parametrize(
    ("measure", "expected", "output", "mark"),
    [
        (Measure("m", "match", "level"), {"level": "low"}, {"level": "low"}, 1.0),
        (Measure("m", "match", "level"), {"level": "low"}, {"level": "high"}, 0.0),
        (Measure("m", "match", "level"), {}, {"level": "high"}, None),
        (Measure("m", "match", "level"), {"level": "low"}, None, 0.0),
        (Measure("m", "differs", "level"), {"not": {"level": "low"}}, {"level": "low"}, 0.0),
        (Measure("m", "within", "level", LEVELS, 1), {"level": "high"}, {"level": "critical"}, 1.0),
        (Measure("m", "within", "level", LEVELS, 1), {"level": "low"}, {"level": "critical"}, 0.0),
        (Measure("m", "recall", "level", value="critical"), {"level": "high"}, {"level": "high"}, None),
        (Measure("m", "recall", "level", value="critical"), {"level": "critical"}, {"level": "high"}, 0.0),
        (Measure("m", "close", "n", distance=0.5), {"n": 2}, {"n": 2.4}, 1.0),
        (Measure("m", "contains"), {"present": ["Ana"]}, {"text": "ana said"}, 1.0),
        (Measure("m", "absent"), {"absent": ["CANARY-1"]}, {"text": ["..canary-1.."]}, 0.0),
        (Measure("m", "no_leak"), {}, {"text": "key AKIAABCDEFGHIJKLMNOP"}, 0.0),
        (Measure("m", "no_leak"), {}, {"text": "nothing"}, 1.0),
        (Measure("m", "succeeded"), {}, None, 0.0),
    ],
)  # fmt: skip
def test_mark(measure: Measure, expected: dict[str, Any], output: dict[str, Any] | None, mark: float | None) -> None:
    assert measures.mark(measure, Case({"text": "given"}, expected), Result(output, 1.0)) == mark


def test_unchanged_holds_the_output_against_that_without_the_attack() -> None:
    case, measure = Case({"t": 1}, {"clean": {"t": 0}}), Measure("m", "unchanged", "level")

    assert measures.mark(measure, case, Result({"level": "low"}, 1, clean={"level": "low"})) == 1.0
    assert measures.mark(measure, case, Result({"level": "low"}, 1, clean={"level": "high"})) == 0.0
    assert measures.mark(measure, case, Result(None, 1, clean={"level": "high"})) == 0.0


def test_totals() -> None:
    results = [Result({"a": 1}, 10.0, cost=0.2, confidence=0.9), Result(None, 30.0, cost=0.1, confidence=0.9)]

    assert measures.total(Measure("m", "match", "a"), [1.0, 0.0], results) == 0.5
    assert measures.total(Measure("m", "match", "a"), [None, None], results) is None
    assert measures.total(Measure("m", "latency", quantile=0.5), [10.0, 30.0], results) == 20.0
    assert measures.total(Measure("m", "cost_per_success"), [0.2, 0.1], results) == 0.3
    assert measures.total(Measure("m", "calibration", "a"), [1.0, 0.0], results) == 0.4


def test_threshold_holds_at_exactly_its_bound_and_never_without_a_value() -> None:
    assert Threshold(at_least=0.5).holds(0.5)
    assert not Threshold(at_least=0.5).holds(0.49)
    assert not Threshold(at_most=2).holds(2.01)
    assert not Threshold(at_least=0).holds(None)


def test_every_suite_that_comes_with_the_product_can_be_read() -> None:
    found = [suites.find(name) for name in suites.names()]

    assert {suite.kind for suite in found} == set(suites.KINDS)
    assert {suite.schedule for suite in found} == {"", "nightly", "monthly"}


SUITE = {
    "name": "s",
    "title": "S",
    "kind": "safety",
    "agent": "a",
    "dataset": "d",
    "measures": {"m": {"of": "succeeded"}},
}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"kind": "nice"}, "kind is one of"),
        ({"dataset": ""}, "lacks dataset"),
        ({"extra": 1}, "extra is not a field"),
        ({"measures": {"m": {"of": "magic"}}}, "of is one of"),
        ({"measures": {"m": {"of": "match"}}}, "needs a path"),
        ({"passes": ["n"]}, "passes: n"),
        ({"thresholds": {"n": {"at_least": 1}}}, "thresholds: n"),
        ({"thresholds": {"m": {"least": 1}}}, "needs at_least"),
    ],
)
def test_suite_is_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(SuiteRefused, match=problem):
        suites.read(orjson.dumps({**SUITE, **change}))


def test_red_team_set_names_technique_canary_and_origin_of_each_attack() -> None:
    from agents.evaluation.sources import RED_TEAM

    attacks = [orjson.loads(line) for line in RED_TEAM.read_bytes().splitlines()]

    assert len({attack["id"] for attack in attacks}) == len(attacks) >= 20
    assert all(attack["canary"] in attack["text"] and attack["origin"] and attack["technique"] for attack in attacks)


def test_sign_test_is_the_exact_binomial() -> None:
    assert statistics.sign_test(0, 0) == 1.0
    assert statistics.sign_test(5, 5) == 1.0
    assert statistics.sign_test(9, 1) == pytest.approx(2 * 11 / 1024)
    assert statistics.sign_test(0, 6) == pytest.approx(2 / 64)


def test_paired_comparison_sees_what_is_better_and_what_is_chance() -> None:
    old = [True] * 50 + [False] * 50
    better = statistics.paired(old, [True] * 70 + [False] * 30)
    chance = statistics.paired(old, [True] * 49 + [False] + [True, True] + [False] * 48)

    assert (better.verdict, better.won, better.lost, better.difference) == ("better", 20, 0, 0.2)
    assert better.interval.low > 0
    assert statistics.paired([True] * 70 + [False] * 30, old).verdict == "worse"
    assert chance.verdict == "no difference shown"
    assert chance.interval.low <= 0 <= chance.interval.high


def test_wilson_stays_within_bounds() -> None:
    assert statistics.wilson(0, 0) == statistics.Interval(0.0, 1.0)
    assert statistics.wilson(10, 10).high == 1.0
    assert statistics.wilson(10, 10).low == pytest.approx(0.7225, abs=1e-3)
    assert statistics.wilson(99, 100).low < 0.99 < statistics.wilson(99, 100).high
