"""The inside of a sandbox: `python -I sandbox_host.py PARENT` reads one order from its input and answers it.

Started as a file, so that nothing is imported before the walls are up. `agents.tools.sandbox` is the other side.
"""

import asyncio
import ctypes
import importlib
import inspect
import json
import os
import resource
import signal
import struct
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446  # the same on every architecture
READ = 1 << 0 | 1 << 2 | 1 << 3  # execute, read file, read folder
LIST = 1 << 3
FILE_ONLY = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15
RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # of files, by version
MEGABYTE = 1024 * 1024
SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/localtime", "/etc/ssl")
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")

_libc = ctypes.CDLL(None, use_errno=True)


def main(parent: int) -> None:
    """Put up the walls, run the order, answer it."""
    out = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        return
    order = json.loads(_exactly(0, struct.unpack(">I", _exactly(0, 4))[0]))
    os.dup2(nothing, 0)
    enforced = _namespaces(network=order["limits"]["network"])
    child = os.fork()
    if child:  # the first process of the namespace is the child: it takes all others with it
        os.close(out)
        status = os.waitpid(child, 0)[1]
        os.kill(os.getpid(), signal.SIGKILL) if os.WIFSIGNALED(status) else os._exit(os.waitstatus_to_exitcode(status))
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    _limit(order["limits"])
    enforced |= {"cpu": True, "memory": True} | _landlock(order, network=order["limits"]["network"])
    enforced["network"] = bool(order["limits"]["network"]) or enforced["network"] or enforced.pop("tcp", False)
    answer = {"enforced": enforced} if "probe" in order else _run(order)
    body = json.dumps(answer).encode()
    _write(out, struct.pack(">I", len(body)) + body)
    os._exit(0)


def _namespaces(*, network: bool) -> dict[str, bool]:
    """As many as the kernel grants: in a user namespace of our own, else with the rights that we have."""
    net = 0 if network else os.CLONE_NEWNET
    uid, gid = os.getuid(), os.getgid()
    for flags in (os.CLONE_NEWUSER | net | os.CLONE_NEWPID | os.CLONE_NEWIPC, net | os.CLONE_NEWPID | os.CLONE_NEWIPC):
        try:
            os.unshare(flags)
        except OSError:
            continue
        if flags & os.CLONE_NEWUSER:
            _map_user(uid, gid)
        return {"network": not network, "children": True}
    return {"network": False, "children": False}


def _map_user(uid: int, gid: int) -> None:
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    except OSError:
        return  # it runs as nobody, then


def _limit(limits: dict[str, Any]) -> None:
    for name, value in (
        (resource.RLIMIT_CPU, limits["cpu"]),
        (resource.RLIMIT_AS, limits["memory"] * MEGABYTE),
        (resource.RLIMIT_FSIZE, limits["disk"] * MEGABYTE),
        (resource.RLIMIT_NOFILE, limits["files"]),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(name, (value, value))


def _landlock(order: dict[str, Any], *, network: bool) -> dict[str, bool]:
    """Files: read what Python needs, write the scratch folder, nothing else. TCP too, where the kernel can."""
    _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    version = _libc.syscall(LANDLOCK_CREATE, None, 0, 1)
    if version < 1:
        return {"files": False, "tcp": False}
    rights = (1 << RIGHTS.get(version, 16)) - 1
    tcp = 0 if network or version < 4 else 3
    wanted = struct.pack("QQ", rights, tcp)[: 8 if version < 4 else 16]
    rules = _libc.syscall(LANDLOCK_CREATE, wanted, len(wanted), 0)
    if rules < 0:
        return {"files": False, "tcp": False}
    _allow(rules, order["scratch"], rights)
    for path in (*SYSTEM, sys.prefix, sys.base_prefix, str(Path(sys.executable).resolve().parent.parent)):
        _allow(rules, path, READ & rights)
    for path in DEVICES:
        _allow(rules, path, (READ | 2) & rights)
    for folder in order["path"]:
        _allow(rules, folder, LIST & rights)  # else nothing in it is found
        for inner in _modules(folder):
            _allow(rules, inner, READ & rights)
    done = _libc.syscall(LANDLOCK_RESTRICT, rules, 0) == 0
    os.close(rules)
    return {"files": done, "tcp": done and tcp != 0}


def _modules(folder: str) -> list[str]:
    """What of a folder of modules may be read: not its hidden files, which hold settings and data."""
    if not Path(folder).is_dir():
        return [folder]
    return [entry.path for entry in os.scandir(folder) if not entry.name.startswith(".")]


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    allowed = rights if os.path.isdir(path) else rights & FILE_ONLY  # noqa: PTH112 - before anything is imported
    _libc.syscall(LANDLOCK_ADD, rules, 1, struct.pack("=Qi", allowed, fd), 0)
    os.close(fd)


def _run(order: dict[str, Any]) -> dict[str, Any]:
    sys.path[:] = [*order["path"], *(part for part in sys.path if part not in order["path"])]
    try:
        result = _call(order)
    except MemoryError:
        return {"raised": "MemoryError"}
    except Exception as error:  # noqa: BLE001 - whatever a tool raises is an answer
        if any(kind.__name__ == "AgentFailure" for kind in type(error).__mro__):
            return _failure(error)
        return {"raised": type(error).__name__}
    try:
        json.dumps(result)
    except (TypeError, ValueError, RecursionError):
        return {"raised": "a result that is not JSON"}
    return {"result": result}


def _call(order: dict[str, Any]) -> Any:
    module, _, name = order["entrypoint"].partition(":")
    function: Any = importlib.import_module(module)
    for part in name.split("."):
        function = getattr(function, part)
    context = SimpleNamespace(**order["context"], scratch=order["scratch"])
    returned = function(_argument(order), context)
    if inspect.isawaitable(returned):
        returned = asyncio.run(_awaited(returned))
    return returned.model_dump(mode="json") if hasattr(returned, "model_dump") else returned


def _argument(order: dict[str, Any]) -> Any:
    registry = sys.modules.get("agents.tools.registry")
    if registry is None:
        return order["arguments"]
    model = registry.default.get(*order["tool"]).input.model
    return model.model_validate(order["arguments"]) if model else order["arguments"]


async def _awaited(work: Any) -> Any:
    return await work


def _failure(error: Any) -> dict[str, Any]:
    kinds = {"transient": "Transient", "business": "Business"}
    about = {"message": str(error.message), "code": str(error.code), "retry_after": error.retry_after}
    return {"failed": kinds.get(error.kind, "Permanent"), **about}


def _exactly(fd: int, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = os.read(fd, size - len(parts))
        if not part:
            os._exit(1)
        parts += part
    return bytes(parts)


def _write(fd: int, body: bytes) -> None:
    while body:
        body = body[os.write(fd, body) :]


if __name__ == "__main__":
    main(int(sys.argv[1]))
