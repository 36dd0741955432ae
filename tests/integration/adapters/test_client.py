"""The Python client and its command, against the real web server and a real shift."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from agents.client import Agent, Answer, Ask, Call, Client, Permanent, Refused, Worker, agent
from approvals.models import Gate
from approvals.services import decide
from orchestrator import services
from tests import people
from tests.engine import eventually, finished, publish, shift, start, task
from tests.outside import ECHO, STEP, secret_of, worker

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[3]
cancelled = threading.Event()


@agent("outside", input=ECHO["input"], output=ECHO["output"], timeout=20)
def echo(given: dict[str, Any], call: Call) -> Any:
    match given["text"]:
        case "ask" if call.approval({"pay": 5}) is None:
            raise Ask({"pay": 5}, "it is money", {"pay": 5})
        case "fail":
            raise Permanent("it cannot be", code="hopeless")
        case "wait":
            call.cancelled.wait(20)
            cancelled.set()
    return Answer({"said": given["text"]}, confidence=0.75)


@contextmanager
def working(address: str, secret: str) -> Iterator[Worker]:
    made = Worker(address, secret, agents=[echo], wait=0.2, concurrency=2)
    thread = threading.Thread(target=made.run)
    thread.start()
    try:
        yield made
    finally:
        made.stop()
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def secret(settings: Any) -> str:
    settings.WORKER_LEASE_SECONDS = 2
    user, api = worker()
    api.post("/workers/agents", ECHO)
    publish(STEP)
    return secret_of(user)


def test_worker_answers_asks_and_fails(address: str, secret: str):
    boss = people.person("boss", "Human Oversight Coordinator")
    with shift(), working(address, secret):
        done, asked, failed = start(text="hello"), start(text="ask"), start(text="fail")
        eventually(lambda: finished(done))
        eventually(lambda: Gate.objects.filter(run=asked, status="open").exists())
        gate = Gate.objects.get(run=asked, status="open")
        decide(gate_id=gate.pk, by=boss, verdict="approve", gate_version=gate.version, note="")
        eventually(lambda: finished(asked))
        eventually(lambda: Gate.objects.filter(run=failed).exists() or finished(failed))
    work = task(done, "work")
    assert (work.output, work.confidence) == ({"said": "hello"}, 0.75)
    assert asked.status == "succeeded"


def test_worker_hears_that_its_run_was_cancelled(address: str, secret: str):
    cancelled.clear()
    with shift(), working(address, secret):
        run = start(text="wait")
        eventually(lambda: hasattr(task(run, "work"), "remote_call") and task(run, "work").remote_call.leased_at)
        services.cancel_run(run_id=run.pk, by=people.person("boss", "Administrator"), reason="enough")
        assert cancelled.wait(15)


def test_worker_that_is_killed_loses_its_call_to_the_next(address: str, secret: str):
    with Client(address, secret) as client, shift():
        run = start(text="hello")
        [lost] = _fetched(client)
        with working(address, secret):  # the first never renews: after two seconds the call is another's
            eventually(lambda: finished(run))
        with pytest.raises(Refused, match=r"handed out again|was answered"):
            client.complete(lost, {"said": "late"})
    assert task(run, "work").losses == 1


def _fetched(client: Client) -> list[Call]:
    return client.fetch(["outside"], worker="w0", wait=20)


def test_long_poll_answers_as_soon_as_there_is_work(address: str, secret: str):
    found: list[Call] = []
    with Client(address, secret) as client, shift():
        waiting = threading.Thread(target=lambda: found.extend(_fetched(client)))
        waiting.start()
        start(text="hello")
        waiting.join(15)
    assert [call.input for call in found] == [{"text": "hello"}]


class Link(httpx.HTTPTransport):
    """A way to the server that can be cut."""

    is_up = True

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not self.is_up:
            raise httpx.ConnectError("the link is away", request=request)
        return super().handle_request(request)


@contextmanager
def running(made: Worker) -> Iterator[None]:
    thread = threading.Thread(target=made.run)
    thread.start()
    try:
        yield
    finally:
        made.stop()
        thread.join(20)
        assert not thread.is_alive()


def test_worker_whose_link_is_away_keeps_its_answer_and_catches_up(address: str, secret: str, tmp_path: Path):
    link, kept = Link(), tmp_path / "kept"

    def far(given: dict[str, Any], call: Call) -> Any:
        link.is_up = False
        return {"said": given["text"]}

    def made() -> Worker:
        one = Worker(address, secret, agents=[Agent(echo.registration, far)], wait=0.2).when_away(lease=60, keep=kept)
        one._client._http = httpx.Client(transport=link)
        return one

    with shift():
        run = start(text="hello")
        with running(made()):
            eventually(lambda: list(kept.glob("*.json")))
        assert [file.stat().st_mode & 0o077 for file in kept.iterdir()] == [0]
        time.sleep(2.5)  # longer than a lease would last that nobody asked to be longer
        assert task(run, "work").wait_for == "answer"
        link.is_up = True
        with running(made()):  # the machine was switched off meanwhile
            eventually(lambda: finished(run))
    assert (task(run, "work").output, task(run, "work").losses) == ({"said": "hello"}, 0)
    assert not list(kept.iterdir())


def test_command_runs_a_function_without_django(address: str, secret: str, tmp_path: Path):
    (tmp_path / "mine.py").write_text(
        "import sys\n"
        "from agents.client import agent\n"
        f"@agent('outside', input={ECHO['input']!r}, output={ECHO['output']!r}, timeout=20)\n"
        "def echo(given, call):\n"
        "    return {'said': given['text'] + (' with django' if 'django' in sys.modules else '')}\n"
    )
    command = [sys.executable, "-m", "agents.client", "run", "mine:echo", "--url", address, "--calls", "1"]
    env = {**os.environ, "WATCHKEEPER_TOKEN": secret, "PYTHONPATH": str(ROOT)}
    env.pop("DJANGO_SETTINGS_MODULE", None)
    with shift():
        run = start(text="hello")
        process = subprocess.Popen(command, cwd=tmp_path, env=env)
        eventually(lambda: finished(run))
        assert process.wait(20) == 0
    assert task(run, "work").output == {"said": "hello"}


def test_wrong_token_is_refused_in_a_sentence(address: str, transactional_db: None):
    with Client(address, "wk_nonsense") as client, pytest.raises(Refused, match="misspelt") as refusal:
        client.fetch(["outside"], worker="w", wait=0)
    assert refusal.value.status == 401
