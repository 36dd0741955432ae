"""State rebuilt from facts alone. The run: a fans out to b and c, which d joins; e approves d."""

import pytest

from orchestrator.replay import Fact, replay

SHAPE = [[], [0], [0], [1, 2], [3]]
A, B, C, D, E = range(5)
RUN = 1 << 20
LETTERS = {
    "blocked": "b", "ready": "R", "running": "r", "waiting": "w",
    "succeeded": "s", "failed": "f", "skipped": "k", "cancelled": "c",
}  # fmt: skip


def run(*facts: tuple[str, int | None, dict] | tuple[str, int | None]):
    started = [Fact("run.started", None, {})]
    return replay(
        SHAPE, started + [Fact(f[0], None if f[1] is None else RUN | f[1], f[2] if len(f) > 2 else {}) for f in facts]
    )


def done(*tasks: int) -> list[tuple]:
    return [fact for task in tasks for fact in (("task.started", task, {"attempt": 1}), ("task.succeeded", task, {}))]


def statuses(state) -> str:
    """Statuses by letter: b(locked) R(eady) r(unning) w(aiting) s(ucceeded) f(ailed) k(skipped) c(ancelled)."""
    letters = {
        "blocked": "b",
        "ready": "R",
        "running": "r",
        "waiting": "w",
        "succeeded": "s",
        "failed": "f",
        "skipped": "k",
    }
    return "".join(letters.get(state.status_of(index), "c") for index in range(5))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param([], "Rbbbb", id="started"),
        pytest.param([("task.started", A, {"attempt": 1})], "rbbbb", id="claimed"),
        pytest.param(done(A), "sRRbb", id="fan-out"),
        pytest.param(done(A, B), "ssRbb", id="join-waits"),
        pytest.param(done(A, B, C), "sssRb", id="join-fires"),
        pytest.param([*done(A, B), ("task.skipped", C, {})], "sskRb", id="branch-not-taken"),
        pytest.param([*done(A), ("task.started", B, {"attempt": 1}), ("task.lost", B, {})], "sRRbb", id="lost"),
        pytest.param(
            [*done(A), ("task.started", B, {"attempt": 1}), ("task.lost", B, {"quarantined": True})],
            "swRbb", id="quarantined",
        ),
        pytest.param([*done(A), ("task.started", B, {"attempt": 1}), ("task.released", B, {})], "sRRbb", id="released"),
        pytest.param([*done(A), ("task.started", B, {"attempt": 1}), ("task.late_result", B, {})], "srRbb", id="late"),
        pytest.param([*done(A), ("task.cancelled", None, {}), ("run.cancelled", None, {})], "scccc", id="cancelled"),
        pytest.param(
            [*done(A), ("task.started", B, {"attempt": 1}), ("task.failed", B, {}), ("task.cancelled", None, {}),
             ("run.failed", None, {}), ("task.reopened", None, {"tasks": [1, 2, 3, 4]}), ("run.retried", None, {})],
            "sRRbb", id="retried",
        ),
        pytest.param(
            [*done(A, B, C, D), ("task.started", E, {"attempt": 1}), ("task.waiting", E, {}),
             ("gate.decided", E, {"verdict": "request_changes"}), ("task.revised", D, {})],
            "sssRb", id="sent-back-by-a-later-step",
        ),
        pytest.param(
            [*done(A, B, C), ("task.started", D, {"attempt": 1}), ("task.waiting", D, {}),
             ("gate.decided", D, {"verdict": "approve"})],
            "ssswb", id="decided-and-not-yet-released",
        ),
    ],
)  # fmt: skip
def test_replay_of_facts_gives_statuses(facts, expected):
    state = run(*facts)

    assert statuses(state) == expected
    assert state.anomalies == []


def test_replay_counts_attempts():
    state = run(("task.started", A, {"attempt": 1}), ("task.lost", A, {}), ("task.started", A, {"attempt": 2}))

    assert state.tasks[A].attempt == 2


@pytest.mark.parametrize("stored", ["waiting", "ready"])
def test_replay_of_a_scheduled_retry_agrees_before_and_after_its_timer(stored):
    state = run(("task.started", A, {"attempt": 1}), ("task.retry_scheduled", A, {}))

    assert state.agrees(A, stored)
    assert not state.agrees(A, "running")


@pytest.mark.parametrize(
    ("facts", "anomaly"),
    [
        pytest.param([*done(A, B), ("task.started", D, {"attempt": 1})], "before everything", id="join-too-early"),
        pytest.param(
            [*done(A), ("task.started", A, {"attempt": 2})], "again while it was succeeded", id="after-its-end"
        ),
        pytest.param([("task.started", A, {"attempt": 3})], "attempt 3 after attempt 0", id="attempt-jumps"),
        pytest.param([("run.succeeded", None), ("run.failed", None)], "after the run was succeeded", id="two-ends"),
        pytest.param([("task.started", 9, {"attempt": 1})], "which the run does not have", id="unknown-step"),
    ],
)
def test_replay_of_impossible_facts_says_so(facts, anomaly):
    assert anomaly in run(*facts).anomalies[0]


def test_replay_of_a_prefix_is_the_run_as_it_was_then():
    facts = done(A, B, C)

    assert [statuses(run(*facts[:n])) for n in (0, 2, 4, 6)] == ["Rbbbb", "sRRbb", "ssRbb", "sssRb"]
