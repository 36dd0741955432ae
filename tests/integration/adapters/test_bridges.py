"""What is particular to each bridge: nothing runs twice, edits count, a worker's death is survived."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agents.adapters.bridges.langgraph import langgraph_agent
from agents.adapters.bridges.pydantic_ai import pydantic_ai_agent
from agents.budgets import AMPLE
from approvals.models import Gate
from approvals.services import decide
from orchestrator.models import Run, StateEntry
from tests import bridged, people
from tests.engine import eventually, finished, publish, shift, start, task
from tests.outside import secret_of, worker

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[3]
ANY: Any = {"input": {"type": "object"}, "output": {"type": "object"}, "facts": {"budget": AMPLE}}
langgraph_agent("bridge-graph", bridged.graph, **ANY, answer=lambda state: {"said": state["said"]})
pydantic_ai_agent(
    "bridge-model", bridged.model_agent, **ANY, prompt=lambda given: str(given["do"]), answer=bridged.said
)


@pytest.fixture(autouse=True)
def forget() -> None:
    bridged.visited.clear()


def asked(run: Run) -> Gate:
    eventually(lambda: Gate.objects.filter(run=run, status="open").exists())
    return Gate.objects.get(run=run, status="open")


def decided(run: Run, verdict: str = "approve", edited: Any = None) -> None:
    gate = asked(run)
    boss = people.person("boss", "Human Oversight Coordinator")
    decide(gate_id=gate.pk, by=boss, verdict=verdict, gate_version=gate.version, note="", edited=edited)


def begun(agent: str) -> Run:
    publish(f'  - {{key: work, type: automated, agent: {agent}, inputs: {{do: "ask"}}}}')
    return start()


def test_graph_goes_on_in_another_worker_from_its_last_node():
    run = begun("bridge-graph")
    with shift():
        asked(run)
    assert StateEntry.objects.filter(run=run, key="work.langgraph").exists()
    with shift():  # the first worker is gone
        decided(run)
        eventually(lambda: finished(run))
    assert task(run, "work").output == {"said": "paid 5"}
    assert bridged.visited == ["think", "pay", "pay", "paid"]  # LangGraph runs the interrupted node again, no other


def test_what_people_edit_is_what_the_graph_gets():
    run = begun("bridge-graph")
    with shift():
        decided(run, "edit", {"value": {"pay": 3}})
        eventually(lambda: finished(run))
    assert task(run, "work").output == {"said": "paid 3"}


def test_rejected_question_ends_the_step():
    run = begun("bridge-graph")
    with shift():
        gate = asked(run)
        boss = people.person("boss", "Human Oversight Coordinator")
        decide(gate_id=gate.pk, by=boss, verdict="reject", gate_version=gate.version, note="no money")
        eventually(lambda: finished(run))
    assert run.status == "failed"
    assert "paid" not in bridged.visited


def test_tool_is_called_once_with_the_arguments_that_people_left():
    run = begun("bridge-model")
    with shift():
        assert asked(run).subject["action"]["calls"] == [{"id": "call-1", "tool": "pay", "arguments": {"amount": 5}}]
        assert bridged.visited == []
        decided(run, "edit", {"arguments": {"call-1": {"amount": 4}}})
        eventually(lambda: finished(run))
    assert bridged.visited == ["tool 4"]
    assert task(run, "work").output == {"said": "paid 4"}


def test_call_that_people_take_out_is_denied():
    run = begun("bridge-model")
    with shift():
        decided(run, "edit", {"arguments": {}})
        eventually(lambda: finished(run))
    assert bridged.visited == []
    assert "did not allow" in str(task(run, "work").output)


def test_openai_agents_sdk_asks_and_resumes_in_an_environment_of_its_own(address: str, tmp_path: Path):
    user, api = worker()
    text = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    api.post("/workers/agents", {"name": "openai-clerk", "input": text, "output": text, "timeout": 30})
    publish('  - {key: work, type: automated, agent: openai-clerk, inputs: {text: "pay"}}')
    shutil.copytree(ROOT / "agents" / "client", tmp_path / "watchkeeper_client")
    shutil.copy(Path(__file__).with_name("openai_worker.py"), tmp_path)
    env = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    env["PYTHONPATH"] = str(tmp_path)
    command = [sys.executable, "openai_worker.py", address, secret_of(user)]
    run = start()
    with shift(), subprocess.Popen(command, cwd=tmp_path, env=env) as process:
        decided(run)
        eventually(lambda: finished(run))
        assert process.wait(30) == 0
    assert task(run, "work").output == {"text": "paid 5"}


def test_product_starts_without_any_bridge():
    code = (
        "import sys; blocked = {'langgraph', 'autogen_agentchat', 'autogen_core'}\n"
        "sys.meta_path.insert(0, type('No', (), {'find_spec': staticmethod("
        "lambda n, *_: (_ for _ in ()).throw(ImportError(n)) if n.split('.')[0] in blocked else None)}))\n"
        "import django; django.setup()\n"
        "from agents import registry; registry.autodiscover()\n"
        "import config.urls, agents.adapters.http\n"
        "print('up')"
    )
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
    ended = subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT, env=env, capture_output=True, text=True)
    assert ended.stdout.strip().endswith("up"), ended.stderr
