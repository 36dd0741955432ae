"""A process of its own for one call of a sandboxed tool: little time, CPU and memory, no network, one scratch folder.

What the kernel grants is enforced by user, network and process namespaces, Landlock and resource limits; `report()`
says which of it this machine does not enforce. The process inherits no environment of the worker's, and is killed with
its children when its time is over, when its call is cancelled and when the worker dies.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from agents.errors import Business, Permanent, ToolFailed, Transient
from agents.tools.specs import Sandbox, ToolFunction, ToolSpec
from agents.wire import LENGTH

LARGEST: Final = 4 * 1024 * 1024  # bytes of an answer
HOST: Final = Path(__file__).with_name("sandbox_host.py")
FAILURES: Final = {kind.__name__: kind for kind in (Transient, Permanent, Business)}


async def run(spec: ToolSpec, function: ToolFunction, given: dict[str, Any], context: Any) -> Any:
    """The raw result of one function of the tool. Raises AgentFailure or ToolFailed."""
    assert spec.sandbox is not None
    entrypoint = f"{function.__module__}:{function.__qualname__}"
    about = {name: getattr(context, name) for name in ("agent", "tool", "scopes", "key", "correlation_id")}
    order = {"entrypoint": entrypoint, "tool": [spec.name, spec.version], "arguments": given, "context": about}
    answer = await _in_process(order, spec.sandbox, spec.name)
    if "failed" in answer:
        kind = FAILURES[answer["failed"]]
        raise kind(answer["message"], code=answer["code"], retry_after=answer["retry_after"])
    if "raised" in answer:
        raise ToolFailed(tool=spec.name, problem=f"it raised {answer['raised']}")
    return answer["result"]


async def _in_process(order: dict[str, Any], limits: Sandbox, name: str) -> dict[str, Any]:
    scratch = tempfile.mkdtemp(prefix="watchkeeper-tool-")
    try:
        frame = orjson.dumps({**order, "limits": asdict(limits), "scratch": scratch, "path": _path()})
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-I", str(HOST), str(os.getpid())),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            cwd=scratch,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": scratch, "TMPDIR": scratch},
        )
        try:
            return await _talk(process, frame, name)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    finally:
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)


async def _talk(process: asyncio.subprocess.Process, frame: bytes, name: str) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(LENGTH.pack(len(frame)) + frame)
        await process.stdin.drain()
        size = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))[0]
        if size > LARGEST:
            raise ToolFailed(tool=name, problem=f"its answer has {size:,} bytes, more than {LARGEST:,}")
        answer: dict[str, Any] = orjson.loads(await process.stdout.readexactly(size))
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        code = await process.wait()
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        problem = f"its sandbox ended with {how}; it used too much CPU or memory, or crashed"
        raise ToolFailed(tool=name, problem=problem) from error
    return answer


def _path() -> list[str]:
    return [str(Path(part or ".").resolve()) for part in sys.path if Path(part or ".").exists()]


@cache
def report() -> dict[str, bool]:
    """What this machine enforces of a sandbox, found out by starting one."""
    return asyncio.run(_in_process({"probe": True}, Sandbox(), "(probe)"))["enforced"]  # type: ignore[no-any-return]
