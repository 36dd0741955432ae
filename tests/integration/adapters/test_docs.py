"""The examples of docs/adapters.md, run as they stand there."""

import os
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents import client, registry
from approvals.models import Gate
from approvals.services import decide
from orchestrator.models import Run
from tests import people
from tests.engine import eventually, finished, publish, shift, start, task
from tests.outside import secret_of, worker
from tests.remote_agent import SECRET, remote_agent

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "adapters.md").read_text()
PYTHON = re.findall(r"```python (\w+)\n(.*?)```", PAGE, re.DOTALL)
SHELL = dict(re.findall(r"```sh (\w+)\n(.*?)```", PAGE, re.DOTALL))


@pytest.fixture
def example() -> Iterator[Any]:
    """The names that an example defines."""
    made: list[str] = []

    def run(name: str) -> dict[str, Any]:
        module = types.ModuleType(f"docs_{name}")
        sys.modules[module.__name__] = module
        made.append(module.__name__)
        exec(dict(PYTHON)[name], module.__dict__)
        return module.__dict__

    yield run
    for name in made:
        del sys.modules[name]


def flow(agent: str, **given: Any) -> Run:
    inputs = ", ".join(f'{name}: "${{input.{name}}}"' for name in given)
    publish(f"  - {{key: work, type: automated, agent: {agent}, inputs: {{{inputs}}}}}")
    return start(**given)


def approved(run: Run) -> None:
    eventually(lambda: Gate.objects.filter(run=run, status="open").exists())
    gate = Gate.objects.get(run=run, status="open")
    boss = people.person("boss", "Human Oversight Coordinator")
    decide(gate_id=gate.pk, by=boss, verdict="approve", gate_version=gate.version, note="")


def test_external_python_example(example: Any, address: str):
    upper = example("external")["upper"]
    user, api = worker()
    body = {name: value for name, value in upper.registration.body().items() if value is not None}
    assert api.post("/workers/agents", body).status_code == 201
    with shift():
        run = flow("upper", text="hello")
        assert client.Worker(address, secret_of(user), agents=[upper], wait=20).run(calls=1) == 1
        eventually(lambda: finished(run))
    assert task(run, "work").output == {"text": "HELLO"}


def test_shell_example(address: str, tmp_path: Path):
    user, api = worker()
    text = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    assert api.post("/workers/agents", {"name": "lower", "input": text, "output": text}).status_code == 201
    env = {**os.environ, "URL": address, "TOKEN": secret_of(user)}
    with shift():
        run = flow("lower", text="HELLO")
        ended = subprocess.run(["sh", "-c", SHELL["external"]], check=False, env=env, cwd=tmp_path, timeout=60)
        eventually(lambda: finished(run))
    assert ended.returncode == 0
    assert task(run, "work").output == {"text": "hello"}


def test_http_example(example: Any, settings: Any, monkeypatch: pytest.MonkeyPatch):
    example("http")
    with remote_agent() as remote, shift():
        settings.REMOTE_AGENT_HOSTS = [remote.host]
        monkeypatch.setenv("TRANSLATE_URL", f"http://{remote.host}/")
        monkeypatch.setenv("TRANSLATE_SECRET", SECRET)
        run = flow("translate", do="hello")
        eventually(lambda: finished(run))
    assert task(run, "work").output["said"] == "hello"


def test_langgraph_example(example: Any):
    example("langgraph")
    with shift():
        run = flow("pay-by-graph", amount=7)
        approved(run)
        eventually(lambda: finished(run))
    assert task(run, "work").output == {"paid": 7}


def test_pydantic_ai_example(example: Any):
    example("pydantic_ai")
    with shift():
        run = flow("clerk", text="refund me")
        approved(run)
        eventually(lambda: finished(run))
    assert "refunded" in task(run, "work").output["text"]


def test_every_python_example_is_run_here():
    assert {name for name, _ in PYTHON} == {"external", "http", "langgraph", "pydantic_ai"}
    assert registry.default
