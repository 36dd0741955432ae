"""Arithmetic and readings that every workload shares."""

import contextlib
import math
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg

type Value = int | float | str | list[int]
FLOOR_COMMITS: Final = 200


@dataclass(slots=True)
class Result:
    """What one workload gave. `spread` holds, for figures measured repeatedly, the least and the largest."""

    workload: str
    parameters: dict[str, Value]
    seconds: float
    figures: dict[str, float]
    basis_ms: float  # what `ratio` compares with the floor
    spread: dict[str, tuple[float, float]] = field(default_factory=dict)
    peak_rss_mb: float = 0.0
    floor_ms: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        return {
            "workload": self.workload,
            **self.parameters,
            "seconds": round(self.seconds, 4),
            **{name: rounded(value) for name, value in self.figures.items()},
            "peak_rss_mb": round(self.peak_rss_mb, 1),
            "floor_ms": round(self.floor_ms, 4),
            "ratio": round(self.basis_ms / self.floor_ms, 3) if self.floor_ms else 0.0,
            "spread": {name: [rounded(low), rounded(high)] for name, (low, high) in self.spread.items()},
        }


def rounded(value: float) -> float:
    """Four significant digits, whole numbers as such."""
    if value == int(value):
        return int(value)
    return round(value, max(0, 3 - math.floor(math.log10(abs(value)))))


def median_of(values: Sequence[float]) -> tuple[float, tuple[float, float]]:
    """The median, and the least and the largest."""
    return statistics.median(values), (min(values), max(values))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def floor_ms(connection: psycopg.Connection[Any]) -> float:
    """The median time of committing one row of a plain table, durably: nothing that is kept can cost less."""
    connection.execute("CREATE TABLE IF NOT EXISTS bench_floor (id int, at timestamptz DEFAULT clock_timestamp())")
    taken = []
    for number in range(FLOOR_COMMITS):
        began = time.perf_counter()
        connection.execute("INSERT INTO bench_floor (id) VALUES (%s)", [number], prepare=True)
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def children_of(pid: int) -> list[int]:
    """The processes that a process has started and that still run; none where there is no /proc."""
    found = []
    # Listed by the thread that forked: Celery replaces a dead pool process from a thread of its own.
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in thread.read_text().split()]
    return found


def peak_rss_mb(pid: int) -> float:
    """The most memory that a process has held, in MB; 0 where that is not known."""
    return _status_mb(pid, "VmHWM:")


def rss_mb(pid: int) -> float:
    """The memory that a process holds now, in MB; 0 where that is not known."""
    return _status_mb(pid, "VmRSS:")


def cpu_s(pid: int) -> float:
    """Processor time that a process has used so far, in seconds; 0 where that is not known."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _status_mb(pid: int, name: str) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name)), 0.0)
