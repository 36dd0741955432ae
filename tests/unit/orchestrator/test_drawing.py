"""The graph shows what each step does now."""

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.definitions.graph import layout
from orchestrator.definitions.plan import Plan, PlanStep
from orchestrator.drawing import LINE_LENGTH, Mark, picture, span

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def chain(count: int) -> Plan:
    steps = tuple(
        PlanStep(i, f"s{i}", f"Step {i}", "automated", dependencies=(i - 1,) if i else (),
                 successors=(i + 1,) if i < count - 1 else ())
        for i in range(count)
    )  # fmt: skip
    return Plan("chain", steps)


def fan(count: int) -> Plan:
    leaves = tuple(range(1, count + 1))
    inner = tuple(PlanStep(i, f"leaf{i}", f"Leaf {i}", "automated", dependencies=(0,), agent="worker") for i in leaves)
    return Plan("fan", (PlanStep(0, "root", "Root", "automated", successors=leaves), *inner))


def test_picture_boxes_carry_status_detail_and_words_for_those_who_do_not_see_it():
    marks = {0: Mark("succeeded", started_at=NOW - timedelta(seconds=14), ended_at=NOW), 1: Mark("waiting", "gate")}

    first, second, third = picture(layout(chain(3)), marks, now=NOW).boxes

    assert (first.status, first.detail) == ("succeeded", "14 s")
    assert (second.status, second.detail) == ("waiting", "waits for a person")
    assert second.label == "Step 1: waiting, waits for a person"
    assert third.status == ""


@pytest.mark.parametrize(
    ("title", "lines"),
    [
        ("Assess severity", ("Assess severity",)),
        ("Recommend remediation steps", ("Recommend", "remediation steps")),
        ("Find ATT&CK techniques", ("Find ATT&CK", "techniques")),
        ("Notify authorities/customers", ("Notify authorities", "/customers")),
        ("Donaudampfschifffahrtskapitän", ("Donaudampfschifffa", "hrtskapitän")),
    ],
)
def test_title_is_broken_into_two_lines_and_not_cut(title, lines):
    plan = Plan("one", (PlanStep(0, "s", title, "automated"),))

    (box,) = picture(layout(plan), {}, now=NOW).boxes

    assert box.lines == lines


@pytest.mark.parametrize("gap", range(29))
def test_title_of_twenty_eight_characters_is_never_cut(gap):
    title = "x" * gap + " " + "y" * (28 - gap - 1) if gap < 28 else "x" * 28

    (box,) = picture(layout(Plan("one", (PlanStep(0, "s", title, "automated"),))), {}, now=NOW).boxes

    assert "".join(box.lines).replace(" ", "") == title.replace(" ", "")
    assert max(map(len, box.lines)) <= LINE_LENGTH


def test_longer_title_says_that_it_is_cut():
    plan = Plan("one", (PlanStep(0, "s", "word " * 20, "automated"),))

    (box,) = picture(layout(plan), {}, now=NOW).boxes

    assert len(box.lines) == 2
    assert box.lines[1].endswith("…")


def test_picture_of_five_thousand_tasks_folds_them_into_one_box_with_progress():
    marks = {i: Mark("succeeded" if i <= 3_000 else "running") for i in range(1, 5_001)}

    found = picture(layout(fan(5_000)), marks, now=NOW)

    assert len(found.boxes) == 2
    folded = found.boxes[1]
    assert (folded.status, folded.count, folded.done, folded.detail) == ("running", 5_000, 3_000, "3000 of 5000")
    assert folded.key.startswith("~")


def test_picture_folded_box_with_a_failure_looks_failed():
    marks = {i: Mark("failed" if i == 7 else "succeeded") for i in range(1, 101)}

    assert picture(layout(fan(100)), marks, now=NOW).boxes[1].status == "failed"


def test_picture_edges_into_work_are_active():
    marks = {0: Mark("succeeded"), 1: Mark("running", started_at=NOW), 2: Mark("blocked")}

    assert [line.active for line in picture(layout(chain(3)), marks, now=NOW).lines] == [True, False]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.012, "12 ms"), (0.24, "0.2 s"), (14, "14 s"), (251, "4 min 11 s"), (11_100, "3 h 5 min"), (200_000, "2 days")],
)
def test_span_reads_in_its_two_largest_units(seconds, words):
    assert span(seconds) == words
