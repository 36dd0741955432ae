"""Event logs as earlier releases wrote them replay to the state that was stored beside them (scenario 35).

`tests/fixtures/event_logs_<n>.json` is what one release recorded; a release adds its own with
`tests/record_event_logs.py` and never edits another's.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.replay import Fact, replay

LOGS = Path(__file__).resolve().parents[2] / "fixtures"
RUN = 1 << 20
RECORDED = [
    pytest.param(run, id=f"{path.stem}-{run['name']}")
    for path in sorted(LOGS.glob("event_logs_*.json"))
    for run in json.loads(path.read_text())
]


@pytest.mark.parametrize("recorded", RECORDED)
def test_old_log_replays_to_the_stored_state(recorded: dict[str, Any]) -> None:
    facts = [Fact(kind, None if task is None else RUN | task, data or {}) for kind, task, data in recorded["facts"]]

    rebuilt = replay(
        recorded["dependencies"], facts, needs=recorded["needs"],
        graph_of=lambda version: recorded["graphs"][str(version)],
    )  # fmt: skip

    assert rebuilt.anomalies == []
    assert rebuilt.status == recorded["status"]
    assert len(rebuilt.tasks) == len(recorded["tasks"])
    for index, (status, attempt) in enumerate(recorded["tasks"]):
        assert rebuilt.agrees(index, status), (index, rebuilt.status_of(index), status)
        assert rebuilt.tasks[index].attempt == attempt


def test_every_release_is_recorded_and_the_newer_one_with_the_kinds_that_came_since() -> None:
    kinds = {
        path.stem: {kind for run in json.loads(path.read_text()) for kind, _task, _data in run["facts"]}
        for path in LOGS.glob("event_logs_*.json")
    }

    assert kinds["event_logs_1"] >= {"task.retry_scheduled", "task.skipped", "run.retried", "gate.withdrawn"}
    assert kinds["event_logs_2"] >= {
        "task.spawned", "task.fell_back", "task.reopened", "state.written", "checkpoint.made", "gate.decided",
        "run.paused", "run.resumed", "run.compensating", "run.partly_succeeded",
    }  # fmt: skip
    assert kinds["event_logs_3"] >= {
        "run.forked", "run.migrated", "run.rolled_back", "task.copied", "task.lost", "task.rolled_back",
    }  # fmt: skip
