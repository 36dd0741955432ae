"""The table that people read: on the terminal, and in docs/benchmarks.md between its markers."""

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from config.bench.measure import Result, rounded
from config.datadir import NeedsAttention

BEGIN: Final = "<!-- measured: begin (written by `make bench`) -->"
END: Final = "<!-- measured: end -->"
HEADING: Final = ("Workload", "Figure", "Measured", "From - to", "Must reach", "Aim", "")


@dataclass(frozen=True, slots=True)
class Target:
    """What one figure of one workload must reach, and what we aim for. `at` tells apart sizes of a workload."""

    workload: str
    key: str
    unit: str
    side: Literal["at most", "at least"]
    must: float
    aim: float
    at: tuple[str, int] | None = None

    def is_for(self, result: Result) -> bool:
        """Whether it is about this workload at this size."""
        return self.workload == result.workload and (self.at is None or result.parameters[self.at[0]] == self.at[1])

    def holds(self, value: float) -> bool:
        """Whether the figure is where it must be."""
        return value <= self.must if self.side == "at most" else value >= self.must


TARGETS: Final = (
    Target("chain", "ms_per_step", "ms", "at most", 0.8, 0.5),
    Target("fanout", "tasks_per_s", "tasks/s", "at least", 8000, 20_000),
    Target("fanout", "growth", "", "at least", 0.7, 0.9),
    Target("runs", "tasks_per_s", "tasks/s", "at least", 5000, 10_000),
    Target("gate", "p99_ms", "ms", "at most", 40, 15),
    Target("gate", "engine_p99_ms", "ms", "at most", 10, 5),
    Target("wait", "seconds", "s", "at most", 1.15, 1.05, at=("agents", 1000)),
    Target("wait", "peak_rss_mb", "MB", "at most", 150, 150, at=("agents", 1000)),
    Target("wait", "seconds", "s", "at most", 2.5, 2.5, at=("agents", 10_000)),
    Target("wait", "peak_rss_mb", "MB", "at most", 150, 150, at=("agents", 10_000)),
    Target("workers", "ratio", "", "at least", 1.8, 2.0),
    Target("crash", "lost", "tasks", "at most", 0, 0),
    Target("crash", "recovery_s", "s", "at most", 3, 1.5),
    Target("fair", "start_ms", "ms", "at most", 250, 50),
    Target("halt", "last_start_ms", "ms", "at most", 250, 100),
    Target("desk", "decision_p95_ms", "ms", "at most", 100, 50),
    Target("desk", "inbox_p95_ms", "ms", "at most", 80, 40),
    Target("live", "p95_ms", "ms", "at most", 1000, 500),
    Target("live", "peak_rss_mb", "MB", "at most", 600, 600),
    Target("live", "storm_s", "s", "at most", 20, 20),
    Target("flood", "events_per_s", "events/s", "at least", 9_500, 10_000),
    Target("flood", "most_frames_per_s", "", "at most", 4, 4),
    Target("flood", "browser_frames_per_s", "", "at most", 4, 4),
    Target("flood", "heap_growth", "", "at most", 1.1, 1.02),
    Target("pages", "p95_ms", "ms", "at most", 80, 40),
    Target("pages", "step_growth", "", "at most", 1.2, 1.1),
    Target("guard", "overhead_ms", "ms", "at most", 0.3, 0.15),
    Target("llm", "peak_rss_mb", "MB", "at most", 400, 400),
    Target("scale", "ratio_2x", "", "at most", 1.2, 1.1),
    Target("scale", "ratio_5x", "", "at most", 1.2, 1.1),
    Target("soak", "p95_growth", "", "at most", 1.2, 1.05),
    Target("soak", "rss_growth", "", "at most", 1.05, 1.02),
    Target("soak", "dead_share_last", "", "at most", 0.2, 0.1),
    Target("halt", "all_cancelled_ms", "ms", "at most", 1000, 100),
)


def table(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """Rows of cells, the heading first: every figure that has a target, then the others of its workload."""
    return [HEADING, *(row for result in results for row in _rows(result))]


def _rows(result: Result) -> Iterable[tuple[str, ...]]:
    figures = {"seconds": result.seconds, "peak_rss_mb": result.peak_rss_mb, **result.figures}
    # What a machine without a browser cannot say has no row.
    targets = [target for target in TARGETS if target.is_for(result) and target.key in figures]
    for target in targets:
        yield _row(result, target.key, figures[target.key], target)
    for key, value in result.figures.items():
        if key not in {target.key for target in targets}:
            yield _row(result, key, value, None)


def _row(result: Result, key: str, value: float, target: Target | None) -> tuple[str, ...]:
    name = f"{result.workload} {result.parameters['agents']:,}" if result.workload == "wait" else result.workload
    low, high = result.spread.get(key, (value, value))
    span = f"{_figure(low)} - {_figure(high)}" if low != high else ""
    if target is None:
        return name, key, _figure(value), span, "", "", ""
    sign = "<=" if target.side == "at most" else ">="
    must, aim = (f"{sign} {_figure(bound)} {target.unit}".strip() for bound in (target.must, target.aim))
    return name, key, _figure(value), span, must, aim, "reached" if target.holds(value) else "missed"


def _figure(value: float) -> str:
    return f"{rounded(value):,}"


def write(path: Path, results: Sequence[Result], *, postgres: str) -> None:
    """Replace what stands between the markers of the page."""
    text = path.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise NeedsAttention(f"{path} lacks its markers; put the lines {BEGIN} and {END} back where the table belongs.")
    path.write_text(f"{before}{BEGIN}\n{_section(results, postgres)}\n{END}{after}")


def _section(results: Sequence[Result], postgres: str) -> str:
    lines = [
        f"Measured by `make bench` on {datetime.now(UTC):%d %B %Y}.",
        f"{machine()}; PostgreSQL {postgres}, Python {platform.python_version()}.",
        "",
        "| " + " | ".join(HEADING[:-1]) + " | |",
        "|---" * len(HEADING) + "|",
        *("| " + " | ".join(row) + " |" for row in table(results)[1:]),
        "",
        "| Workload | Parameters | Seconds | Memory of the workers | One durable commit | Ratio to it |",
        "|---|---|---|---|---|---|",
        *(_facts(result) for result in results),
    ]
    return "\n".join(lines)


def _facts(result: Result) -> str:
    told = result.as_dict()
    parameters = ", ".join(f"{name} {value}" for name, value in result.parameters.items())
    memory, floor = f"{told['peak_rss_mb']} MB", f"{told['floor_ms']} ms"
    return f"| {result.workload} | {parameters} | {told['seconds']} | {memory} | {floor} | {told['ratio']} |"


def machine() -> str:
    """Cores, processor and memory of this machine; nothing that names it."""
    processor = _first_value("/proc/cpuinfo", "model name") or platform.processor() or platform.machine()
    memory = _first_value("/proc/meminfo", "MemTotal")
    size = f", {round(int(memory.split()[0]) / 1024**2)} GB" if memory else ""
    return f"{os.cpu_count()} cores of {processor}{size}"


def _first_value(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "")
