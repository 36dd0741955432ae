"""agents.llm against `llmock`, a provider that fails on purpose: busy, stalled and cut off. A process of its own."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from agents.calling import call
from agents.llm import close_models, llm_agent
from agents.process import ProcessPool
from agents.registry import Registry
from agents.types import AgentRequest, Failed, Outcome, Usage

FIELDS: dict[str, Any] = {"type": "object", "properties": {"text": {"type": "string"}}}
LABEL: dict[str, Any] = {"type": "object", "properties": {"label": {"enum": ["a", "b"]}}, "required": ["label"]}


class Desk:
    """Remembers; that there is one makes the call stream."""

    def __init__(self) -> None:
        self.ends: list[tuple[Usage, str]] = []

    async def tier(self) -> str:
        return "standard"

    async def words(self, text: str) -> None:
        """Nobody looks."""

    async def ended(self, usage: Usage, failure: str, seconds: float = 0.0) -> None:
        self.ends.append((usage, failure))


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Start llmock with these options and point TEST_LLM_URL at it."""
    running: list[subprocess.Popen[bytes]] = []

    def start(*options: str) -> None:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        command = [str(Path(sys.executable).parent / "llmock"), "serve", "--host", "127.0.0.1", "--port", str(port)]
        running.append(subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        monkeypatch.setenv("TEST_LLM_URL", f"http://127.0.0.1:{port}/v1")
        deadline = time.monotonic() + 60
        while not listens(port):
            assert time.monotonic() < deadline
            time.sleep(0.05)

    yield start
    for process in running:
        process.terminate()
        process.wait(10)


def listens(port: int) -> bool:
    with socket.socket() as found:
        return found.connect_ex(("127.0.0.1", port)) == 0


async def ask(desk: Desk, *, seconds: float = 30) -> Outcome:
    registry = Registry()
    llm_agent(
        "label",
        model="openai-compatible:gpt-4o@TEST_LLM_URL",
        instructions="Answer in JSON.",
        prompt="{text}",
        input=FIELDS,
        output=LABEL,
        registry=registry,
    )
    request = AgentRequest("label", None, {"text": "x"}, "k", 1, seconds, desk=desk)
    try:
        with ThreadPoolExecutor(1) as threads:
            return await call(request, threads=threads, processes=ProcessPool(), registry=registry)
    finally:
        await close_models()


async def test_busy_provider_is_transient(provider: Callable[..., None]) -> None:
    provider("--error-rate", "429=1.0")
    desk = Desk()

    outcome = await ask(desk)

    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.code) == ("transient", "model_busy")
    assert [failure for _, failure in desk.ends] == ["model_busy"]


def break_streams(kind: str) -> None:
    """After the first piece of each. A fault by chance may lie behind the end of so short an answer."""
    fault = {"type": "stream_fault", "kind": kind, "after_chunks": 1, "stall_seconds": 60.0, "times": None}
    root = os.environ["TEST_LLM_URL"].removesuffix("/v1")
    httpx.post(f"{root}/_llmock/scenario", json={"behaviors": [fault]}).raise_for_status()


@pytest.mark.parametrize("fault", ["stall", "disconnect", "truncate", "malformed"])
async def test_broken_stream_is_transient_and_ends_in_time(provider: Callable[..., None], fault: str) -> None:
    provider()
    break_streams(fault)
    desk = Desk()
    began = asyncio.get_running_loop().time()

    outcome = await ask(desk, seconds=4)

    assert isinstance(outcome, Failed)
    assert outcome.kind == "transient"
    assert asyncio.get_running_loop().time() - began < 10
    assert len(desk.ends) == 1
    assert desk.ends[0][1]
