"""Workloads that ask what volume does: scale (1x, 2x, 5x of one mix) and soak (half load for long).

Runs are submitted at a steady rate, however the earlier ones do (open loop), so that a slow engine shows as latency.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from config.bench import definitions
from config.bench.measure import Result, percentile, rss_mb
from config.bench.plan import Bench
from config.bench.stack import Stack

BASE_RATE: Final = 10.0  # runs a second at 1x; a run of the mix has 10 tasks on average
FACTORS: Final = (1, 2, 5)
LEVEL_S: Final = 15.0
SOAK_S: Final = 1800.0
SOAK_FACTOR: Final = 2.5  # half of the largest volume of `scale`
_MIX: Final = ("short", "long", "wide")
_WINDOW_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Window:
    """One stretch of a soak."""

    p95_ms: float
    rss_mb: float
    dead_share: float  # of the task table's rows
    backlog: int  # live runs at its end


def scale(bench: Bench) -> Result:
    """The same mix at 1x, 2x and 5x: the 95th percentile of a run's duration at each, and the worst ratio to 1x."""
    seconds = LEVEL_S * bench.scale if bench.scale < 1 else LEVEL_S
    with bench.running("scale") as stack:
        _publish(stack)
        _submit(stack, rate=BASE_RATE, seconds=min(3.0, seconds))  # settles caches and plans
        stack.quiet()
        p95: dict[int, float] = {}
        for factor in FACTORS:
            bench.say(f"scale: {factor}x for {seconds:.0f} s")
            ids = _submit(stack, rate=BASE_RATE * factor, seconds=seconds)
            stack.finish(ids)
            stack.quiet()
            p95[factor] = percentile(_durations(stack, ids), 0.95)
        return bench.result(
            stack,
            parameters={"runs_per_s": BASE_RATE, "seconds_each": seconds, "tasks_per_run": 10},
            seconds=seconds,
            figures={
                **{f"p95_ms_{factor}x": value for factor, value in p95.items()},
                "ratio_2x": p95[2] / p95[1],
                "ratio_5x": p95[5] / p95[1],
            },
            spread={},
            basis_ms=p95[1],
        )


def soak(bench: Bench) -> Result:
    """Half load for long: does memory, the share of dead rows or latency grow from the first third to the last?"""
    seconds = SOAK_S * bench.scale if bench.scale < 1 else SOAK_S
    with bench.running("soak") as stack:
        _publish(stack)
        _submit(stack, rate=BASE_RATE, seconds=min(3.0, seconds))
        windows = _soak(stack, seconds=seconds, say=bench.say)
        third = max(1, len(windows) // 3)
        early, late = windows[:third], windows[-third:]
        return bench.result(
            stack,
            parameters={"runs_per_s": BASE_RATE * SOAK_FACTOR, "minutes": round(seconds / 60, 1)},
            seconds=seconds,
            figures={
                "p95_ms_first": _mean(early, lambda window: window.p95_ms),
                "p95_ms_last": _mean(late, lambda window: window.p95_ms),
                "p95_growth": _mean(late, lambda w: w.p95_ms) / _mean(early, lambda w: w.p95_ms),
                "rss_growth": _mean(late, lambda w: w.rss_mb) / _mean(early, lambda w: w.rss_mb),
                "dead_share_last": _mean(late, lambda window: window.dead_share),
                "backlog_last": _mean(late, lambda window: window.backlog),
            },
            spread={},
            basis_ms=_mean(early, lambda window: window.p95_ms),
        )


def _soak(stack: Stack, *, seconds: float, say: Callable[[str], None]) -> list[Window]:
    windows = []
    length = min(_WINDOW_S, seconds / 3)
    until = time.monotonic() + seconds
    while time.monotonic() < until - length / 2:
        ids = _submit(stack, rate=BASE_RATE * SOAK_FACTOR, seconds=length)
        stack.finish(ids[: len(ids) // 2])  # the later half may still be under way
        done = [one for one in _durations(stack, ids) if one > 0]
        windows.append(Window(percentile(done, 0.95), _rss(stack), _dead_share(stack), _backlog(stack)))
        last = windows[-1]
        say(f"soak: {until - time.monotonic():.0f} s left, p95 {last.p95_ms:.0f} ms, {last.rss_mb:.0f} MB")
    stack.quiet()
    return windows


def _publish(stack: Stack) -> None:
    stack.publish("short", definitions.chain("short", 4))
    stack.publish("long", definitions.chain("long", 16))
    stack.publish("wide", definitions.fan("wide", 8))


def _submit(stack: Stack, *, rate: float, seconds: float) -> list[int]:
    """Start runs of the mix in turn at a steady rate; what fell behind is caught up at once."""
    began = time.monotonic()
    ids: list[int] = []
    for number in range(round(rate * seconds)):
        pause = began + number / rate - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        ids += stack.submit(_MIX[number % len(_MIX)])[0]
        stack.tend()
    return ids


def _durations(stack: Stack, ids: list[int]) -> list[float]:
    """Milliseconds from a run's start to its end, by the database's clock; ended runs only."""
    rows = stack.rows(
        "SELECT started_at, ended_at FROM orchestrator_run WHERE id = ANY(%s) AND ended_at IS NOT NULL", ids
    )
    return [(ended - started).total_seconds() * 1000 for started, ended in rows]


def _rss(stack: Stack) -> float:
    return sum(rss_mb(pid) for pid in stack.worker_pids())


def _dead_share(stack: Stack) -> float:
    return float(
        stack.value(
            "SELECT n_dead_tup::float8 / greatest(n_live_tup + n_dead_tup, 1) FROM pg_stat_user_tables"
            " WHERE relname = 'orchestrator_task'"
        )
    )


def _backlog(stack: Stack) -> int:
    return int(stack.value("SELECT count(*) FROM orchestrator_run WHERE ended_at IS NULL"))


def _mean(windows: list[Window], of: Callable[[Window], float]) -> float:
    return sum(of(window) for window in windows) / len(windows)
