"""Workloads that ask how fast: chain, fanout, runs, wait, workers, fair. Times are the database's unless said so."""

from datetime import datetime

from config.bench import definitions
from config.bench.measure import Result, median_of, percentile
from config.bench.plan import Bench
from config.bench.stack import Stack, Team

_WIDE = 5000
_RUNS = 300
_BRANCHES = 8


def chain(bench: Bench) -> Result:
    """One run of steps one after the other, from before it is submitted to its end."""
    steps, repeats = bench.scaled(100), bench.repeats(7)
    with bench.running("chain") as stack:
        stack.publish("chain", definitions.chain("chain", steps))
        seconds, (least, most) = median_of([timed(stack, "chain") for _ in range(repeats)])
        per_step = 1000 / steps
        return bench.result(
            stack,
            parameters={"steps": steps, "repeats": repeats},
            seconds=seconds,
            figures={"ms_per_step": seconds * per_step},
            spread={"ms_per_step": (least * per_step, most * per_step)},
            basis_ms=seconds * per_step,
        )


def fanout(bench: Bench) -> Result:
    """1 -> 5,000 -> 1, then ten such runs at once: does the rate hold when the tables are ten times as large?"""
    width, repeats, many = bench.scaled(_WIDE), bench.repeats(3), 10
    tasks = width + 2
    with bench.running("fanout") as stack:
        stack.publish("fanout", definitions.fan("fanout", width))
        taken = [timed(stack, "fanout") for _ in range(repeats)]
        seconds, (least, most) = median_of(taken)
        at_once = timed(stack, "fanout", times=many)
        rate, large = tasks / seconds, tasks * many / at_once
        return bench.result(
            stack,
            parameters={"width": width, "repeats": repeats, "growth_runs_at_once": many},
            seconds=seconds,
            figures={"tasks_per_s": rate, "growth": large / rate, "large_tasks_per_s": large},
            spread={"tasks_per_s": (tasks / most, tasks / least)},
            basis_ms=1000 / rate,
        )


def runs(bench: Bench) -> Result:
    """300 runs of 1 -> 8 -> 1, submitted in one transaction; the clock starts when it commits."""
    count, repeats = bench.scaled(_RUNS), bench.repeats(3)
    tasks = count * (_BRANCHES + 2)
    with bench.running("runs") as stack:
        stack.publish("runs", definitions.fan("runs", _BRANCHES))
        taken: list[list[float]] = []
        submitted: list[float] = []
        for _ in range(repeats):
            ids, began, committed = stack.submit("runs", times=count)
            stack.finish(ids)
            stack.quiet()
            submitted.append((committed - began).total_seconds())
            taken.append(_durations_ms(stack, ids, committed))
        seconds, (least, most) = median_of([max(durations) / 1000 for durations in taken])
        everything = [duration for durations in taken for duration in durations]
        return bench.result(
            stack,
            parameters={"runs": count, "branches": _BRANCHES, "repeats": repeats},
            seconds=seconds,
            figures={
                "tasks_per_s": tasks / seconds,
                "p50_ms": percentile(everything, 0.5),
                "p99_ms": percentile(everything, 0.99),
                "submit_s": median_of(submitted)[0],
            },
            spread={"tasks_per_s": (tasks / most, tasks / least)},
            basis_ms=seconds * 1000 / tasks,
        )


def wait(bench: Bench, agents: int) -> Result:
    """Agents that each wait one second, all at once in one worker process."""
    width, repeats = bench.scaled(agents), bench.repeats(3)
    with bench.running("wait", Team(workers=1, capacity=agents + 100)) as stack:
        stack.publish("wait", definitions.side_by_side("wait", width, seconds=1.0))
        seconds, spread = median_of([timed(stack, "wait", submitting=False) for _ in range(repeats)])
        return bench.result(
            stack,
            parameters={"agents": width, "repeats": repeats},
            seconds=seconds,
            figures={},
            spread={"seconds": spread},
            basis_ms=seconds * 1000,
        )


def workers(bench: Bench) -> Result:
    """The same run on one worker process and on two, each with room for 20 agents of 20 ms: does nothing between them
    keep the second one from doing as much as the first?
    """
    width, repeats = bench.scaled(2000), bench.repeats(3)
    with bench.running("one", Team(workers=1, capacity=20)) as stack:
        alone = width / _side_by_side(stack, width, repeats)[0]
    with bench.running("two", Team(workers=2, capacity=20)) as stack:
        seconds, (least, most) = _side_by_side(stack, width, repeats)
        both = width / seconds
        return bench.result(
            stack,
            parameters={"width": width, "task_ms": 20, "repeats": repeats},
            seconds=seconds,
            figures={"ratio": both / alone, "tasks_per_s_1": alone, "tasks_per_s_2": both},
            spread={"tasks_per_s_2": (width / most, width / least)},
            basis_ms=1000 / both,
        )


def _side_by_side(stack: Stack, width: int, repeats: int) -> tuple[float, tuple[float, float]]:
    stack.publish("workers", definitions.side_by_side("workers", width, seconds=0.02))
    return median_of([timed(stack, "workers", submitting=False) for _ in range(repeats)])


def fair(bench: Bench) -> Result:
    """One run of one task, submitted while a run of 10,000 is under way."""
    width, repeats = bench.scaled(10_000), bench.repeats(5)
    with bench.running("fair") as stack:
        stack.publish("large", definitions.side_by_side("large", width))
        stack.publish("small", definitions.side_by_side("small", 1))
        measured = [_start_behind(stack) for _ in range(repeats)]
        start_ms, spread = median_of([start for start, _ in measured])
        return bench.result(
            stack,
            parameters={"tasks_ahead": width, "repeats": repeats},
            seconds=start_ms / 1000,
            figures={"start_ms": start_ms, "least_still_ahead": min(ahead for _, ahead in measured)},
            spread={"start_ms": spread},
            basis_ms=start_ms,
        )


def _start_behind(stack: Stack) -> tuple[float, float]:
    """How long the small run waited for its start, and how much of the large one was still to be done then."""
    large, _, _ = stack.submit("large")
    stack.until(lambda: _started(stack, large[0]), what="the large run is under way", seconds=30, pause=0.001)
    small, _, committed = stack.submit("small")
    ahead = stack.value("SELECT remaining FROM orchestrator_run WHERE id = %s", large[0])
    stack.finish([*small, *large])
    stack.quiet()
    started: datetime = stack.value("SELECT started_at FROM orchestrator_task WHERE id = %s", small[0] << 20)
    return (started - committed).total_seconds() * 1000, ahead


def _started(stack: Stack, run: int) -> bool:
    return bool(stack.value("SELECT remaining < total FROM orchestrator_run WHERE id = %s", run))


def timed(stack: Stack, name: str, *, times: int = 1, submitting: bool = True) -> float:
    """Seconds until runs have ended, from before they are submitted or from the commit that submits them."""
    ids, began, committed = stack.submit(name, times=times)
    ended = stack.finish(ids)
    stack.quiet()
    return (ended - (began if submitting else committed)).total_seconds()


def _durations_ms(stack: Stack, ids: list[int], since: datetime) -> list[float]:
    ended = stack.rows("SELECT ended_at FROM orchestrator_run WHERE id = ANY(%s)", ids)
    return [(at - since).total_seconds() * 1000 for (at,) in ended]
