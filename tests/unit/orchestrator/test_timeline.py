"""Bars say where a run's time went."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from orchestrator.timeline import Lived, timeline

START = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def lived(key: str, *, ready: float, tries: list[tuple[float, float | None]], **fields: object) -> Lived:
    spans = tuple((at(first), None if last is None else at(last)) for first, last in tries)
    gates = tuple((at(first), None if last is None else at(last)) for first, last in fields.pop("gates", ()))  # type: ignore[attr-defined]
    return Lived(key, key.title(), str(fields.get("status", "succeeded")), at(ready), None, spans, gates)


def shares(task: Lived, *, end: float = 100) -> list[tuple[str, float]]:
    bars = timeline([task], start=START, end=at(end)).bars
    return [(segment.share, segment.seconds) for segment in bars[0].segments]


def test_timeline_gap_before_the_first_try_is_the_queue():
    assert shares(lived("a", ready=10, tries=[(15, 40)])) == [("queue", 5), ("work", 25)]


def test_timeline_gap_between_two_tries_is_the_pause_before_a_retry():
    assert shares(lived("a", ready=0, tries=[(0, 10), (30, 50)])) == [("work", 10), ("pause", 20), ("work", 20)]


def test_timeline_time_with_people_is_human_and_lasts_while_the_gate_is_open():
    assert shares(lived("a", ready=0, tries=[(0, 10)], gates=[(10, None)])) == [("work", 10), ("human", 90)]


def test_timeline_running_try_lasts_until_now():
    assert shares(lived("a", ready=0, tries=[(20, None)]))[-1] == ("work", 80)


def test_timeline_ready_task_waits_for_a_worker_until_now():
    assert shares(lived("a", ready=60, tries=[], status="ready")) == [("queue", 40)]


def test_timeline_bars_come_in_the_order_in_which_steps_began():
    found = timeline([lived("late", ready=50, tries=[]), lived("early", ready=1, tries=[])], start=START, end=at(60))

    assert [bar.key for bar in found.bars] == ["early", "late"]


def test_timeline_segments_stay_inside_the_picture_and_can_be_seen():
    found = timeline([lived("a", ready=0, tries=[(99.999, 100)])], start=START, end=at(100)).bars[0].segments

    assert all(part.x >= 0 and part.x + part.width <= 100.01 and part.width >= 0.4 for part in found)


def test_timeline_of_thousands_of_steps_draws_some_and_says_how_many_are_left_out():
    found = timeline([lived(f"s{i}", ready=i, tries=[]) for i in range(500)], start=START, end=at(600))

    assert len(found.bars) == 120
    assert found.hidden == 380


def test_timeline_has_few_round_ticks_for_any_length():
    for seconds in (0.2, 3, 59, 600, 9000, 500_000):
        assert 1 <= len(timeline([], start=START, end=at(seconds)).ticks) <= 8


def test_timeline_task_that_waits_for_the_outside_is_drawn_until_now():
    assert shares(lived("a", ready=0, tries=[(0, 1)], status="waiting")) == [("work", 1), ("pause", 99)]


def test_timeline_critical_path_leads_back_by_what_was_waited_for_longest():
    def ended(key: str, until: float, *before: str, is_planned: bool = True) -> Lived:
        return Lived(key, key.title(), "succeeded", at(0), at(until), ((at(0), at(until)),), (), before, is_planned)

    tasks = [
        ended("start", 1), ended("quick", 2, "start"), ended("slow", 9, "start"), ended("join", 10, "quick", "slow"),
        ended("aside", 3, "start"), ended("join.1", 50, is_planned=False),
    ]  # fmt: skip
    found = timeline(tasks, start=START, end=at(60))

    assert found.path == ("Start", "Slow", "Join")
    assert [bar.key for bar in found.bars if bar.is_critical] == ["join", "slow", "start"]
    assert timeline([ended("alone", 1)], start=START, end=at(2)).path == ()


def test_timeline_says_what_the_time_on_the_critical_path_went_into():
    first = lived("a", ready=0, tries=[(5, 30)], gates=[(30, 50)])
    beside = lived("b", ready=0, tries=[(0, 20)])
    last = replace(lived("c", ready=50, tries=[(50, 60)]), before=["a", "b"], ended_at=at(60))

    found = timeline([replace(first, ended_at=at(50)), replace(beside, ended_at=at(20)), last], start=START, end=at(60))

    assert found.path == ("A", "C")
    assert found.path_shares == {"queue": 5, "work": 35, "human": 20, "pause": 0}
    assert found.shares["work"] == 55


def test_timeline_try_longer_than_its_step_may_take_is_over_and_one_within_is_not():
    within, over = lived("a", ready=0, tries=[(10, 12)]), lived("b", ready=0, tries=[(0, 1), (2, 7)])
    tasks = [replace(within, budget_s=2.0), replace(over, budget_s=4.0), lived("c", ready=0, tries=[(0, 90)])]

    bars = {bar.key: bar for bar in timeline(tasks, start=START, end=at(100)).bars}

    assert {key: bar.is_over for key, bar in bars.items()} == {"a": False, "b": True, "c": False}
    assert bars["b"].slowest_s == 5
