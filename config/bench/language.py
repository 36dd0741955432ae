"""The workload that asks what calls of language models cost a worker: llm."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from config.bench import definitions
from config.bench.measure import Result, median_of
from config.bench.plan import Bench
from config.bench.stack import ROOT, Team
from config.bench.throughput import timed

_CALLS: Final = 1000
_SECONDS: Final = 5.0


def llm(bench: Bench) -> Result:
    """1,000 calls of a model that answers over five seconds, streamed, all at once in one worker process."""
    width, repeats = bench.scaled(_CALLS), bench.repeats(3)
    with _model_server(_SECONDS), bench.running("llm", Team(workers=1, capacity=width + 100)) as stack:
        stack.publish("llm", definitions.side_by_side("llm", width, agent="bench-llm"))
        seconds, spread = median_of([timed(stack, "llm", submitting=False) for _ in range(repeats)])
        used = stack.value("SELECT count(*) FROM agents_modelcall WHERE failure = ''")
        return bench.result(
            stack,
            parameters={"calls": width, "repeats": repeats, "answer_seconds": _SECONDS},
            seconds=seconds,
            figures={"calls_recorded": float(used)},
            spread={"seconds": spread},
            basis_ms=seconds * 1000,
        )


@contextmanager
def _model_server(seconds: float) -> Iterator[None]:
    command = [sys.executable, "-m", "config.bench.model_server", "0", str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        assert server.stdout is not None
        os.environ["BENCH_LLM_URL"] = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        import config.bench.model_agent  # noqa: F401, PLC0415 - registers it in this process, too

        try:
            yield
        finally:
            del os.environ["BENCH_LLM_URL"]
            server.terminate()
