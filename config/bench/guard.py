"""What contracts and guardrails add to a call of an agent that does nothing, in one process without an engine."""

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import orjson

from agents.budgets import AMPLE
from agents.calling import call
from agents.context import AgentContext
from agents.process import ProcessPool
from agents.registry import Registry, agent
from agents.types import AgentRequest, Completed, Json
from config.bench.measure import Result, median_of, peak_rss_mb, percentile
from config.bench.plan import Bench

_CALLS: Final = 5000
_PROSE: Final = (
    "The customer writes that the parcel of last week has not arrived, although the carrier says that it was handed to "
    "a neighbour. He asks for a new delivery or for his money back, and wants to hear by Friday. "
)
_SCHEMA: Final[dict[str, Json]] = {
    "type": "object",
    "properties": {
        "ticket": {"type": "string", "maxLength": 40},
        "opened": {"type": "string"},
        "amount": {"type": "number", "minimum": 0},
        "text": {"type": "string", "maxLength": 20_000},
        "lines": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"sku": {"type": "string"}, "count": {"type": "integer"}},
                "additionalProperties": False,
            },
        },
    },
    "required": ["ticket", "text"],
    "additionalProperties": False,
}
_EVERYTHING: Final[dict[str, Json]] = {"sees": [], "hides": ["pii", "pci", "phi"], "injection": "refuse"}


def given() -> dict[str, Json]:
    """A ticket of about 1 kB, as a step would hand it over."""
    lines: list[Json] = [{"sku": f"A-{number}", "count": number} for number in range(4)]
    return {"ticket": "T-20714", "opened": "2026-11-28", "amount": 49.9, "text": (_PROSE * 4)[:800], "lines": lines}


def guard(bench: Bench) -> Result:
    """Each call through everything around an agent, against the bare function on the same loop."""
    count, repeats = bench.scaled(_CALLS), bench.repeats(5)
    measured = [asyncio.run(_measure(count)) for _ in range(repeats)]
    figures, spread = {}, {}
    for name in measured[0]:
        figures[name], spread[name] = median_of([one[name] for one in measured])
    size = len(orjson.dumps(given()))
    return Result(
        workload=bench.workload,
        parameters={"calls": count, "input_bytes": size, "repeats": repeats},
        seconds=figures["overhead_ms"] * count / 1000,
        figures=figures,
        spread=spread,
        basis_ms=figures["overhead_ms"],
        peak_rss_mb=peak_rss_mb(os.getpid()),
    )


async def _measure(count: int) -> dict[str, float]:
    bare = await _bare(count)
    plain = await _called(count, {})
    full = await _called(count, {"guard": _EVERYTHING})
    far = await _called(count, {"kind": "llm"})
    return {
        "overhead_ms": percentile(full, 0.5) - bare,
        "p99_ms": percentile(full, 0.99),
        "undeclared_ms": percentile(plain, 0.5) - bare,
        "external_ms": percentile(far, 0.5) - bare,
    }


async def _noop(value: dict[str, Json], ctx: AgentContext) -> dict[str, Json]:
    return value


async def _bare(count: int) -> float:
    value = given()
    request = AgentRequest("noop", None, value, "k", 1, 60)
    context = AgentContext(request)
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        await _noop(value, context)
        taken.append((time.perf_counter() - began) * 1000)
    return percentile(taken, 0.5)


async def _called(count: int, facts: dict[str, Any]) -> list[float]:
    """Milliseconds of each call of a no-op agent that is registered with these facts."""
    registry, value = Registry(), given()
    agent("noop", input=_SCHEMA, output=_SCHEMA, registry=registry, budget=AMPLE, **facts)(_noop)
    processes, taken = ProcessPool(1), []
    with ThreadPoolExecutor(1) as threads:
        for number in range(count):
            request = AgentRequest("noop", None, value, f"k{number}", 1, 60)
            began = time.perf_counter()
            outcome = await call(request, threads=threads, processes=processes, registry=registry)
            taken.append((time.perf_counter() - began) * 1000)
            assert isinstance(outcome, Completed)
            assert outcome.output == value
    return taken
