"""A sandboxed tool gets its arguments and a scratch folder, and gets at nothing else."""

import asyncio
import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from agents.errors import ToolFailed
from agents.tools import sandbox
from agents.tools.registry import default as registry
from agents.tools.running import ToolContext, run
from agents.tools.specs import Sandbox
from tests import sandboxed_tools

assert sandboxed_tools.TRICKS  # registered by its import


def call(do: str, **arguments: Any) -> Any:
    spec = registry.get("test.sandboxed")
    context = ToolContext("a", "test.sandboxed", (), "key-1")
    return asyncio.run(run(spec, spec.function, {"do": do, **arguments}, context))


def test_this_machine_enforces_all_of_it() -> None:
    assert all(sandbox.report().values()), sandbox.report()


def test_it_answers_and_may_write_its_scratch_folder() -> None:
    assert call("echo", text="a") == {"do": "echo", "text": "a"}
    assert call("write") == {"written": True}


def test_it_reads_no_file_of_ours(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("canary")
    for path in (
        tmp_path / "secret",
        Path("/etc/passwd"),
        Path(f"/proc/{os.getpid()}/environ"),
        Path("/proc/1/cmdline"),
    ):
        with pytest.raises(ToolFailed, match=r"PermissionError|FileNotFoundError"):
            call("read", path=str(path))


def test_it_writes_nowhere_else(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed, match="PermissionError"):
        call("write", path=str(tmp_path / "note"))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ToolFailed):
        call("write", size=2 * 1024 * 1024)


def test_it_has_no_network() -> None:
    refused = pytest.raises(ToolFailed, match=r"OSError|ConnectionRefusedError|PermissionError")
    with socket.create_server(("127.0.0.1", 0)) as server, refused:
        call("connect", port=server.getsockname()[1])


def test_it_inherits_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "canary")
    assert call("env") == {"names": ["HOME", "LANG", "LC_CTYPE", "PATH", "TMPDIR"]} or call("env") == {
        "names": ["HOME", "LANG", "PATH", "TMPDIR"]
    }


def test_cpu_memory_and_time_are_bounded() -> None:
    with pytest.raises(ToolFailed, match=r"SIGKILL|SIGXCPU|exit code"):
        call("spin")
    with pytest.raises(ToolFailed, match=r"MemoryError|SIGKILL"):
        call("eat")
    with pytest.raises(ToolFailed, match=r"crash|SIG"):
        call("crash")


def test_it_is_killed_with_children_that_left_its_session() -> None:
    spec = registry.get("test.sandboxed")
    quick = Sandbox(seconds=1.0)

    async def begin() -> None:
        order = {"entrypoint": "tests.sandboxed_tools:sandboxed", "tool": [spec.name, 1], "arguments": {"do": "spawn"}}
        about = {"agent": "a", "tool": spec.name, "scopes": [], "key": "k", "correlation_id": ""}
        async with asyncio.timeout(quick.seconds):
            await sandbox._in_process({**order, "context": about}, quick, spec.name)

    before = _hosts()
    with pytest.raises(TimeoutError):
        asyncio.run(begin())
    until = time.monotonic() + 10
    while _hosts() - before and time.monotonic() < until:
        time.sleep(0.01)
    assert not _hosts() - before


def _hosts() -> set[int]:
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if b"sandbox_host" in (entry / "cmdline").read_bytes():
                    found.add(int(entry.name))
            except OSError:
                continue
    return found
