"""One contract for every adapter: the same words lead to the same outcomes, whoever does the work."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agents.adapters.bridges.autogen import autogen_agent
from agents.adapters.bridges.langgraph import langgraph_agent
from agents.adapters.bridges.pydantic_ai import pydantic_ai_agent
from agents.adapters.http import http_agent
from agents.budgets import AMPLE
from agents.client import Ask, Call, Worker
from agents.client import agent as outside_agent
from agents.client.errors import Business as OutsideBusiness
from agents.client.errors import Permanent as OutsidePermanent
from agents.client.errors import Transient as OutsideTransient
from approvals.models import Gate
from approvals.services import decide
from orchestrator import services
from orchestrator.models import Attempt
from tests import bridged, people
from tests.contracted import SCHEMAS, keys
from tests.crew import INSTALL_SECONDS, crew, install
from tests.engine import eventually, finished, publish, shift, start, task
from tests.outside import secret_of, worker
from tests.remote_agent import ACTION, SECRET, remote_agent
from tests.scripted_model import scripted_model

pytestmark = pytest.mark.django_db(transaction=True)
http_agent("contract-http", **SCHEMAS, url="TEST_REMOTE_URL", secret="TEST_REMOTE_SECRET", budget=AMPLE)
langgraph_agent(
    "contract-langgraph", bridged.graph, **SCHEMAS, answer=lambda s: {"said": s["said"]}, facts={"budget": AMPLE}
)
pydantic_ai_agent(
    "contract-pydantic",
    bridged.model_agent,
    **SCHEMAS,
    prompt=lambda g: g["do"],
    answer=bridged.said,
    facts={"budget": AMPLE},
)
autogen_agent(
    "contract-autogen",
    bridged.team,
    **SCHEMAS,
    prompt=lambda g: g["do"],
    answer=bridged.last_word,
    facts={"budget": AMPLE},
)


@outside_agent("contract-external", **SCHEMAS)
def outside(given: dict[str, Any], call: Call) -> Any:
    keys.setdefault(given["do"], []).append(call.key)
    kinds: Any = {"permanent": OutsidePermanent, "business": OutsideBusiness, "transient": OutsideTransient}
    match given["do"]:
        case "breach":
            return {"said": 5}
        case "slow":
            call.cancelled.wait(10)
        case "ask" if call.approval(ACTION) is None:
            raise Ask(ACTION, "it is money", {"pay": 5})
        case "transient" if keys["transient"][1:]:
            return {"said": "transient"}
        case do if do in kinds:
            raise kinds[do](f"it is {do}", code="told", retry_after=0.01)
    return {"said": given["do"]}


ADAPTERS = [
    *("loop", "thread", "process", "http", "external", "langgraph", "pydantic", "autogen"),
    pytest.param("crewai", marks=pytest.mark.timeout(2 * INSTALL_SECONDS)),  # the first use installs it
]
ONCE = {"langgraph", "pydantic", "autogen", "crewai"}  # fail the same way in every attempt


@contextmanager
def remote(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[None]:
    with remote_agent() as made:
        settings.REMOTE_AGENT_HOSTS = [made.host]
        monkeypatch.setenv("TEST_REMOTE_URL", f"http://{made.host}/work")
        monkeypatch.setenv("TEST_REMOTE_SECRET", SECRET)
        yield
        keys["transient"] = [one["key"] for one in made.heard]


@contextmanager
def external(address: str) -> Iterator[None]:
    made = Worker(address, registered("contract-external"), agents=[outside], wait=0.2)
    runs = threading.Thread(target=made.run)
    runs.start()
    yield
    made.stop()
    runs.join(20)


@contextmanager
def crew_at_work(address: str, folder: Path) -> Iterator[None]:
    install()
    token = registered("contract-crewai")
    with scripted_model() as model, crew(folder, address=address, token=token, model=model) as tried:
        yield
    assert tried.read_text() == ""  # it reached for no other machine


def registered(name: str) -> str:
    """The token of a worker for this agent."""
    user, api = worker()
    body = {"name": name, **SCHEMAS, "budget": AMPLE}
    assert api.post("/workers/agents", {**body, "timeout": 60}).status_code == 201
    return secret_of(user)


@pytest.fixture(params=ADAPTERS)
def adapter(
    request: pytest.FixtureRequest, address: str, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[str]:
    keys.clear()
    bridged.visited.clear()
    settings.WORKER_LEASE_SECONDS = 2
    around = {
        "http": partial(remote, monkeypatch, settings),
        "external": partial(external, address),
        "crewai": partial(crew_at_work, address, tmp_path),
    }
    with around.get(request.param, nullcontext)():
        yield request.param


def flow(adapter: str, *, timeout: float = 30) -> None:
    step = f"  - {{key: work, type: automated, agent: contract-{adapter}, timeout: {timeout},"
    publish(f'{step} retry: {{attempts: 2, base: 0.01}}, inputs: {{do: "${{input.do}}"}}}}')


def failed(run: Any) -> Any:
    eventually(lambda: task(run, "work").failures > 0 or finished(run))
    return Attempt.objects.filter(task=task(run, "work"), status="failed").order_by("number").first()


def approve(run: Any, boss: Any) -> None:
    eventually(lambda: Gate.objects.filter(run=run, status="open").exists())
    gate = Gate.objects.get(run=run, status="open")
    decide(gate_id=gate.pk, by=boss, verdict="approve", gate_version=gate.version, note="")


def test_every_adapter_keeps_the_contract(adapter: str):
    """Valid output, breach, the failure classes, and one approval with its resumption."""
    flow(adapter)
    with shift():
        runs = {do: start(do=do) for do in ("hello", "ask")}
        eventually(lambda: finished(runs["hello"]) and Gate.objects.filter(run=runs["ask"], status="open").exists())
        runs |= {do: start(do=do) for do in ("breach", "permanent", "business", "transient")}
        assert task(runs["hello"], "work").output["said"] == "hello"
        assert failed(runs["breach"]).error["code"] == "contract_output"
        for kind in ("permanent", "business", "transient"):
            error = failed(runs[kind]).error
            told = kind if adapter == "autogen" else "told"  # a team hands on the class and the message, not the code
            assert (error["kind"], error["code"]) == (kind, told)
        if adapter in ONCE:  # with the breach, three failures in a row: no breaker may hold back what comes next
            lost = Attempt.objects.filter(task=task(runs["transient"], "work"), status="failed")
            eventually(lambda: lost.count() == 2)
        else:
            eventually(lambda: finished(runs["transient"]))
            assert runs["transient"].status == "succeeded"
        approve(runs["ask"], people.person("boss", "Human Oversight Coordinator"))
        eventually(lambda: finished(runs["ask"]))
    # One question, also where a model words its call anew, as CrewAI's does here.
    assert (runs["ask"].status, Gate.objects.filter(run=runs["ask"]).count()) == ("succeeded", 1)
    assert task(runs["ask"], "work").output["said"] in {"ask", "paid 5", "paid"}
    if adapter in {"loop", "thread", "external"}:
        assert len(keys["transient"]) == 2
        assert len(set(keys["transient"])) == 1
        assert len(set(keys["ask"])) == 1


def test_what_an_adapter_is_given_stays_out_of_the_logs(adapter: str, caplog: pytest.LogCaptureFixture):
    """Frameworks log whole messages, and HTTP clients whole addresses, if nobody stops them."""
    caplog.set_level(logging.DEBUG)
    caplog.handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    flow(adapter)
    with shift():
        run = start(do="the plan for Tuesday")
        eventually(lambda: finished(run))
    assert run.status == "succeeded"
    assert [line for line in caplog.text.splitlines() if "Tuesday" in line] == []


def test_every_adapter_is_stopped_at_its_time(adapter: str):
    flow(adapter, timeout=1)
    run = start(do="slow")
    with shift():
        assert failed(run).error["code"] == "timeout"
        services.cancel_run(run_id=run.pk, by=people.person("boss", "Administrator"), reason="enough")


def test_every_adapter_lets_go_of_a_cancelled_run(adapter: str):
    flow(adapter)
    run = start(do="slow")
    with shift() as working:
        eventually(lambda: task(run, "work").status == "running" or task(run, "work").wait_for == "answer")
        services.cancel_run(run_id=run.pk, by=people.person("boss", "Administrator"), reason="enough")
        eventually(lambda: not working.holds(task(run, "work").pk))
        assert task(run, "work").status == "cancelled"
    assert task(run, "work").output is None
