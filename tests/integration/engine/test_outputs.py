"""Whatever an agent returns, its task ends, once, with a typed reason; nothing loops and no neighbour suffers."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from agents.registry import agent
from agents.types import Json
from approvals.models import Gate
from orchestrator.engine.delivery import unpack
from orchestrator.models import Run, Task
from tests import engine
from tests.engine import OPEN, eventually, finished, publish, shift, start, task
from tests.hands import reviewer, violations

pytestmark = pytest.mark.django_db(transaction=True)


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


ODD: dict[str, Callable[[], Any]] = {
    "nul": lambda: {"text": "a\x00b"},
    "surrogate": lambda: {"text": "a\ud800b"},
    "nan": lambda: {"n": float("nan")},
    "number": lambda: {"n": 10**200},
    "megabytes": lambda: {"text": "x" * 20_000_000},
    "deep": lambda: {"d": deep(100_000)},
    "opaque": lambda: {"o": object()},
    "exponent": lambda: {"n": 1e308, "m": 5e-324},
    "key": lambda: {"a\x00": 1},
    "list": lambda: [1, 2],
}
STORED = {"nul", "surrogate", "exponent", "key"}


@agent(name="test-odd", version=1, title="Odd", input=OPEN, output=OPEN, capabilities=[])
async def odd(input: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Return something that JSON or PostgreSQL cannot hold."""
    engine.calls.append((f"odd-{input['kind']}", ctx.attempt))
    made: dict[str, Json] = ODD[input["kind"]]()
    return made


@pytest.fixture
def ana() -> User:
    return reviewer()


def run_beside_a_neighbour(fields: str = "") -> tuple[dict[str, Run], Run]:
    publish("  - {key: a, type: automated, agent: test-echo}", name="neighbour")
    runs = {}
    for kind in ODD:
        publish(
            f"  - {{key: a, type: automated, agent: test-odd, inputs: {{kind: {kind}}}{fields}}}", name=f"odd-{kind}"
        )
        runs[kind] = start(f"odd-{kind}")
    return runs, start("neighbour")


def test_every_odd_output_ends_its_task_once_with_a_typed_reason(ana: User) -> None:
    runs, neighbour = run_beside_a_neighbour()

    with shift():
        eventually(lambda: all(finished(run) for run in [*runs.values(), neighbour]))

    assert neighbour.status == "succeeded"
    for kind, run in runs.items():
        assert run.status == ("succeeded" if kind in STORED else "failed"), kind
        if kind not in STORED:
            assert run.error["code"].startswith(("output_", "contract_")), run.error
    assert sorted(what for what, _ in engine.calls if what.startswith("odd")) == sorted(f"odd-{kind}" for kind in ODD)
    assert unpack(task(runs["nul"], "a").output) == {"text": "a\N{REPLACEMENT CHARACTER}b"}
    assert violations() == []


def test_odd_outputs_under_a_gate_or_as_a_file_reach_people_or_end(ana: User) -> None:
    fields = ', gate: {when: "true", queue: default, title: "${string(output)}"}'
    runs, neighbour = run_beside_a_neighbour(fields)

    def settled(run: Run) -> bool:
        return finished(run) or Gate.objects.filter(run=run, status="open").exists()

    with shift():
        eventually(lambda: finished(neighbour) and all(settled(run) for run in runs.values()))

    assert not Task.objects.filter(status__in=["running", "ready"]).exists()
    assert len([what for what, _ in engine.calls if what.startswith("odd")]) == len(ODD)
    assert violations() == []
