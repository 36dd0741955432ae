"""Answers of acts as programs may send them: every number that cannot be meant is refused in words, not with a 500."""

from typing import Any

import pytest

from orchestrator.models import Budget
from tests import engine, people
from tests.api import as_user

pytestmark = pytest.mark.django_db

NUMBERS = ["NaN", "1e400", "-Infinity", "1.5", "7.0", str(10**30), "-3", "true", '"7"']
TAKES = [
    ("run", "priority", "priority", {}), ("run", "fork", "event", {}), ("run", "rollback", "checkpoint", {}),
    ("run", "fork", "version", {"event": 1}), ("run", "write-state", "expected", {"key": "shared.x", "value": {}}),
    ("workflow", "cancel", "up_to", {}), ("agent", "breaker", "threshold", {"reset_s": 5}),
    ("run", "set-budget", "limit", {"resource": "tokens"}),
]  # fmt: skip


@pytest.mark.parametrize(("scope", "act", "field", "rest"), TAKES, ids=[f"{act}-{field}" for _, act, field, _ in TAKES])
def test_number_that_cannot_be_meant_is_refused(scope: str, act: str, field: str, rest: dict[str, Any]) -> None:
    mia = people.person("mia", "Workflow Orchestration Manager", "Agent Development Specialist")
    engine.publish("- {key: a, type: automated, agent: test-echo}")
    places = {"run": f"/runs/{engine.start().pk}", "workflow": "/workflows/flow", "agent": "/agents/test-echo"}
    others = "".join(f'"{name}": {engine_json(value)}, ' for name, value in rest.items())
    body = f'{{"reason": "x", "answers": {{{others}"{field}": %s}}}}'
    api = as_user(mia)

    answers = {number: api.post(f"{places[scope]}/acts/{act}", body % number) for number in NUMBERS}

    done = {number for number, answer in answers.items() if answer.status_code == 200}
    assert done == {"limit": {"1.5", "7.0"}, "priority": {"-3"}}.get(field, set())
    assert {answer.status_code for number, answer in answers.items() if number not in done} <= {404, 409, 422}
    assert set(Budget.objects.values_list("limit", flat=True)) <= {7.0}


def engine_json(value: object) -> str:
    return "{}" if value == {} else f'"{value}"' if isinstance(value, str) else str(value)
