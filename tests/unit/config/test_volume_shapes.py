"""Synthetic history is what the engine would have stored: the log of each kind of run, replayed, gives its tasks."""

import pytest

from config.volume import rows, shapes
from config.volume.shapes import FATES, FLOWS, RUN_STATUS, Flow, Sizes
from orchestrator.replay import Fact, replay


def _dependencies(flow: Flow) -> list[list[int]]:
    looks = [[0] for _ in range(flow.weigh - 1)]
    return [[], *looks, list(range(1, flow.weigh)), *([before] for before in range(flow.weigh, flow.size - 1))]


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_script_replayed_gives_the_stored_tasks(flow: Flow, fate: str) -> None:
    facts = [
        Fact(said.kind, said.step, said.data or {"gate": 1, "verdict": "approve"})
        for said in shapes.script(flow, fate, per_task=10)
    ]

    rebuilt = replay(_dependencies(flow), facts)

    assert rebuilt.anomalies == []
    assert rebuilt.status == RUN_STATUS[fate]
    stored = [(task.status, task.attempt) for task in shapes.tasks(flow, fate)]
    assert [(rebuilt.status_of(at), task.attempt) for at, task in enumerate(rebuilt.tasks)] == stored


@pytest.mark.parametrize("tasks", [1_000, 10_000, 1_000_000])
def test_sizes_give_as_much_as_was_asked_for(tasks: int) -> None:
    sizes = Sizes(tasks=tasks, gates=tasks // 50, open_gates=tasks // 200, events=10 * tasks)

    found = rows.count(sizes)

    assert sizes.problem() == ""
    assert 0 <= found.tasks - tasks < 40  # the last run is whole
    assert (found.gates, found.open_gates) == (sizes.gates, sizes.open_gates)
    assert found.events == pytest.approx(sizes.events, rel=0.02)


@pytest.mark.parametrize(
    ("sizes", "word"),
    [
        (Sizes(tasks=1_000, gates=10, open_gates=11, events=10_000), "open gates"),
        (Sizes(tasks=1_000, gates=900, open_gates=10, events=10_000), "at most once"),
        (Sizes(tasks=1_000, gates=10, open_gates=5, events=100), "three events"),
    ],
)
def test_sizes_that_cannot_be_say_why(sizes: Sizes, word: str) -> None:
    assert word in sizes.problem()
