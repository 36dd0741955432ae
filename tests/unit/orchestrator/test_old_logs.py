"""Event logs as earlier releases wrote them replay to the state that was stored beside them (scenario 35).

`tests/fixtures/event_logs_<n>.json` is what one release recorded; a release adds its own and never edits another's.
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

    rebuilt = replay(recorded["dependencies"], facts, needs=recorded["needs"])

    assert rebuilt.anomalies == []
    assert rebuilt.status == recorded["status"]
    assert len(rebuilt.tasks) == len(recorded["tasks"])
    for index, (status, attempt) in enumerate(recorded["tasks"]):
        assert rebuilt.agrees(index, status), (index, rebuilt.status_of(index), status)
        assert rebuilt.tasks[index].attempt == attempt


def test_there_are_recorded_logs() -> None:
    assert len(RECORDED) >= 6
