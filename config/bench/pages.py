"""The workload `pages`: what pages and claims take with 1,000,000 tasks and 20,000 gates stored.

The history is that of `manage.py seed_volume`; pages come through the real web server. A chain is run before it
is stored and after: what a step takes must not grow.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import User

from approvals import access
from approvals.models import Profile
from config.bench import definitions
from config.bench.desk import Browser, signed_in
from config.bench.measure import Result, Value, percentile
from config.bench.plan import Bench
from config.bench.stack import Stack
from config.bench.throughput import timed
from config.volume import filling
from config.volume.rows import Counted
from config.volume.shapes import Sizes

SAMPLES: Final = 60
WARM_UP: Final = 8
_STEPS: Final = 100
_CHAINS: Final = 7
# By name: what must hold for the slowest is DESIGN's "each page's own".
_OWN: Final = ("overview", "inbox", "runs", "run")


@dataclass(frozen=True, slots=True)
class _Places:
    """What there is to look at: newest runs, those that wait among them, and open gates."""

    runs: list[int]
    gates: list[int]


def pages(bench: Bench) -> Result:
    """p50 and p95 of each page of DESIGN 9, and of the audit trail's searches; a chain's step before and after."""
    sizes = _sizes(bench)
    with bench.running("pages") as stack:
        stack.publish("chain", definitions.chain("chain", _STEPS))
        empty = _step_ms(stack, bench)
        began = time.monotonic()
        stored = filling.fill(sizes, say=lambda line: bench.say(f"pages: {line}"))
        filled = time.monotonic() - began
        full = _step_ms(stack, bench)
        stack.collect_static()
        browser = signed_in(stack.serve(), _watcher())
        taken = _measured(browser, _places(stack), bench.scaled(SAMPLES))
        return _result(bench, stack, stored, taken, {"fill_s": filled, "step_ms_empty": empty, "step_ms_full": full})


def _result(
    bench: Bench, stack: Stack, stored: Counted, taken: dict[str, list[float]], others: dict[str, float]
) -> Result:
    figures = {
        f"{name}_{word}_ms": percentile(times, share) for name, times in taken.items() for word, share in _SHARES
    }
    slowest = max(figures[f"{name}_p95_ms"] for name in _OWN)
    return bench.result(
        stack,
        parameters={
            "tasks": stored.tasks,
            "gates": stored.gates,
            "open_gates": stored.open_gates,
            "events": stored.events,
        },
        seconds=sum(sum(times) for times in taken.values()) / 1000,
        figures={
            "p95_ms": slowest,
            **figures,
            **others,
            "step_growth": others["step_ms_full"] / others["step_ms_empty"],
        },
        spread={f"{name}_p50_ms": (min(times), max(times)) for name, times in taken.items()},
        basis_ms=slowest,
    )


def _sizes_of(stored: Counted) -> dict[str, Value]:
    return {"tasks": stored.tasks, "gates": stored.gates, "open_gates": stored.open_gates, "events": stored.events}


_SHARES: Final = (("p50", 0.5), ("p95", 0.95))


def _sizes(bench: Bench) -> Sizes:
    """A million tasks; three events for each, which is what the engine alone writes."""
    usual = Sizes()
    tasks = max(1_000, bench.scaled(usual.tasks)) if bench.scale < 1 else usual.tasks
    return Sizes(tasks=tasks, gates=tasks // 50, open_gates=tasks // 200, events=3 * tasks)


def _step_ms(stack: Stack, bench: Bench) -> float:
    """A chain's step, in ms: the middle of a few chains."""
    return statistics.median(timed(stack, "chain") for _ in range(bench.repeats(_CHAINS))) * 1000 / _STEPS


def _watcher() -> User:
    """Someone who may see every page: a coordinator, who also decides, and reads the trail."""
    user = User.objects.create_user("bench-watcher", first_name="Bench")
    Profile.objects.create(user=user, title="Watcher of the bench")
    access.set_role(user_id=user.pk, role="Human Oversight Coordinator", by=None)
    return User.objects.get(pk=user.pk)


def _places(stack: Stack) -> _Places:
    """Runs of all ages and sizes, and gates of every risk."""
    runs = stack.rows("SELECT id FROM orchestrator_run ORDER BY md5(id::text) LIMIT 50")
    gates = stack.rows("SELECT id FROM approvals_gate WHERE status = 'open' ORDER BY md5(id::text) LIMIT 50")
    return _Places([pk for (pk,) in runs], [pk for (pk,) in gates])


def _measured(browser: Browser, places: _Places, samples: int) -> dict[str, list[float]]:
    """What each page took, in ms, its warm-up left out; the trail's searches among them."""

    def run(n: int) -> float:
        return browser.get(f"/runs/{places.runs[n % len(places.runs)]}/")

    looks: dict[str, Callable[[int], float]] = {
        "overview": lambda _n: browser.get("/"),
        "inbox": lambda _n: browser.get("/inbox/"),
        "runs": lambda _n: browser.get("/runs/"),
        "run": run,
        "card": lambda n: browser.get(f"/inbox/{places.gates[n % len(places.gates)]}/", **{"HX-Request": "true"}),
        "waiting_runs": lambda _n: browser.get("/runs/?status=people"),
        "failed_runs": lambda _n: browser.get("/runs/?status=failed"),
        "narrative": lambda n: browser.get(f"/runs/{places.runs[n % len(places.runs)]}/?tab=narrative"),
        "audit": lambda _n: browser.get("/audit/"),
        "audit_person": lambda _n: browser.get("/audit/?person=volume-lena"),
        "audit_incident": lambda n: browser.get(f"/audit/?incident=INC-{100_000 + n}"),
        "audit_agent": lambda _n: browser.get("/audit/?agent=sample-worker"),
        "audit_correlation": lambda n: browser.get(f"/audit/?correlation=volume-INC-{100_000 + n}"),
        "audit_kind": lambda _n: browser.get("/audit/?kind=run.failed"),
    }
    return {name: [look(n) for n in range(WARM_UP + samples)][WARM_UP:] for name, look in looks.items()}
