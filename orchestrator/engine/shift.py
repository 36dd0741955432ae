"""A shift: one worker process's bounded stay at the engine. Runs inside the Celery task
`orchestrator.tasks.work_shift`.

One loop: settle what finished and claim what may start in one transaction, run it, sleep when there is nothing to do.
A second connection holds the shift's session lock, renews its lease and listens: `wk_ready` wakes the loop,
`wk_control` makes it look at stops and cancelled runs. Signals can be lost, so the loop also looks by itself every
second.
"""

import asyncio
import os
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from time import monotonic
from typing import Any

import psycopg
import structlog
from django.conf import settings
from django.db import OperationalError

from agents import closing
from agents.health import HealthMeter, record_health
from agents.tools.meter import write_down
from orchestrator import db, failpoints
from orchestrator.db import Claimed
from orchestrator.engine import before, delivery, threads
from orchestrator.engine.assignment import BARE, Assignment
from orchestrator.engine.connecting import connect, reconnect
from orchestrator.engine.endings import end_unread, fail_abruptly
from orchestrator.engine.host import Host
from orchestrator.engine.lanes import room_for
from orchestrator.engine.opener import Opener
from orchestrator.engine.overdue import give_up, overdue
from orchestrator.engine.plans import own_step, plan_of
from orchestrator.engine.work import work
from orchestrator.settled import Settled

log = structlog.get_logger(__name__)

POLL_SECONDS = 1.0  # a lost signal costs at most this
NAP_SECONDS = 0.005  # shorter sleeps are not worth saying that the shift is idle
RELOCK_SECONDS = 0.05
VIEW_SECONDS = 0.2  # between looks whether what calls look at is to be read again
STOP_SECONDS = 2.0  # so long a cancel waits for agents to stop
BATCH = 512  # tasks claimed in one turn
DATABASE_AWAY = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.QueryCanceled, failpoints.Injected)


class ShiftEnded(Exception):
    """The sweep ended this shift: its tasks belong to others now."""


class Shift:
    """See the module. `draining()` is true once the process has been asked to leave."""

    def __init__(
        self, *, capacity: int, seconds: float, lease: float, draining: Callable[[], bool], most: int | None = None
    ) -> None:
        self._terms: dict[str, Any] = {"capacity": capacity, "lease": lease, "most": most, "pool": settings.POOL}
        self._capacity = capacity
        self._seconds = seconds
        self._lease = lease
        self._draining = draining
        self._wake = asyncio.Event()
        self._look_at_controls = False
        self._running: dict[int, Assignment] = {}
        self._busy: Counter[str] = Counter()  # how many places of each lane are taken
        self._settled = Settled()
        self._idle = False
        self._closed = False
        self._ended = False
        self._locked = True  # open_shift has taken the session lock
        self.settled_total = 0

    async def run(self) -> int | None:
        """Work until the time is over and everything claimed has ended; return how many tasks were settled.

        None, at once, when `most` shifts are open already.
        """
        self._main = await connect()
        self._direct = await connect()
        opened = await db.open_shift(self._direct, process=f"{socket.gethostname()}:{os.getpid()}", **self._terms)
        if opened is None:
            await self._hang_up()
            return None
        self._id = opened
        self._host = Host(
            shift=self._id,
            threads=threads.agents(),
            processes=threads.processes(),
            meter=HealthMeter(),
            in_thread=threads.database,
            opener=Opener(self._id, threads.database),
        )
        background = [asyncio.create_task(each()) for each in (self._listen, self._report_health, self._keep_fresh)]
        try:
            await self._loop()
        except ShiftEnded:
            log.warning("shift_ended_by_sweep", shift=self._id)
        finally:
            await self._leave(background)
        return self.settled_total

    def holds(self, task: int) -> bool:
        """Whether a task's agent is running here right now."""
        return task in self._running

    async def _leave(self, background: list[asyncio.Task[None]]) -> None:
        self._closed = True
        for task in background:
            task.cancel()
        await self._cancel(list(self._running))
        await asyncio.gather(*background, return_exceptions=True)
        await closing.close_all()
        with suppress(*DATABASE_AWAY):
            if self._settled.tasks:  # the sweep ended this shift: these are late, and kept as such
                await db.turn(self._main, shift=self._id, settled=self._settled, room={})
            await db.close_shift(self._main, shift=self._id)
        with suppress(OperationalError):
            await threads.database(record_health, self._host.meter.drain())
            await threads.database(write_down)
        await asyncio.to_thread(threads.close)
        await self._hang_up()

    async def _hang_up(self) -> None:
        for conn in (self._main, self._direct):
            with suppress(psycopg.Error):
                await conn.close()

    # The loop

    async def _loop(self) -> None:
        until = monotonic() + self._seconds
        polled = 0.0
        while True:
            leaving = self._draining() or monotonic() > until
            if leaving and not self._running and not self._settled.tasks:
                return
            if leaving and self._draining() and monotonic() > until + settings.DRAIN_SECONDS:
                await self._give_back([*self._running], reason="drained")
            if self._draining():
                until = min(until, monotonic())
            elif monotonic() > until + 2:  # long tasks: do not let them idle the process
                until = monotonic() + self._seconds
            self._wake.clear()
            if self._ended:
                raise ShiftEnded
            if self._look_at_controls or monotonic() - polled > POLL_SECONDS:
                self._look_at_controls = False
                polled = monotonic()
                await self._obey_controls()
            await self._turn(accept=not leaving)
            await self._rest()

    async def _rest(self) -> None:
        """Let the agents run; sleep until something finishes, a signal comes or a poll is due."""
        if self._settled.tasks:
            return
        await asyncio.sleep(0)
        if self._settled.tasks or self._wake.is_set() or await self._woken_within(NAP_SECONDS):
            return
        if self._idle:
            await self._woken_within(POLL_SECONDS)
        else:
            # Say so, then look once more: work made ready in between is either seen by that turn or rings.
            await self._database(db.mark_idle, shift=self._id)
            self._idle = True

    async def _woken_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return False
        return True

    async def _turn(self, *, accept: bool) -> None:
        settled, self._settled = self._settled, Settled()
        free = self._capacity - len(self._running)
        room = room_for(free, self._busy, BATCH, pool=settings.POOL) if accept else {}
        if not settled.tasks and not room:
            return
        claimed = await self._turn_surely(settled, room)
        self.settled_total += len(settled.tasks)
        if claimed:
            self._idle = False
            await self._start(claimed)

    async def _turn_surely(self, settled: Settled, room: dict[str, int]) -> list[Claimed]:
        """One turn, repeated until the database has answered.

        A turn that errored may have committed. Settling the same attempts again is harmless; what its claim took is
        found among the tasks that the database says this shift holds.
        """
        while True:
            try:
                claimed = await db.turn(self._main, shift=self._id, settled=settled, room=room)
            except DATABASE_AWAY as problem:
                log.warning("turn_repeated", shift=self._id, problem=type(problem).__name__)
                await self._reconnect_main()
                return await self._turn_after_doubt(settled)
            except psycopg.errors.TransactionRollback:
                continue
            except psycopg.DataError:
                await self._settle_singly(settled)
                return []
            else:
                return claimed

    async def _turn_after_doubt(self, settled: Settled) -> list[Claimed]:
        if settled.tasks:
            await self._turn_surely(settled, {})
        known = {(job.claimed.id, job.claimed.attempt) for job in self._running.values()}
        for batch in (settled, self._settled):
            known.update(zip(batch.tasks, batch.attempts, strict=True))
        held = await self._database(db.held_tasks, shift=self._id)
        return [claimed for claimed in held if (claimed.id, claimed.attempt) not in known]

    async def _settle_singly(self, settled: Settled) -> None:
        """One result in the batch is not storable: settle the others, give that one back to fail by itself."""
        for position, task in enumerate(settled.tasks):
            one = settled.pick(position)
            try:
                await self._database(db.turn, shift=self._id, settled=one, room={})
            except psycopg.DataError as problem:
                log.error("output_not_storable", task_id=task, problem=str(problem))
                await threads.database(fail_abruptly, self._id, task, one.attempts[0], "output_not_storable")

    # Work

    async def _start(self, claimed: list[Claimed]) -> None:
        jobs = await self._assign(claimed)
        loop, now = asyncio.get_running_loop(), monotonic()
        for job in jobs:
            if job.claimed.id in self._running:  # an earlier attempt that was taken away before we heard of it
                await self._cancel([job.claimed.id])
            self._running[job.claimed.id] = job
            self._busy[job.take_place(now)] += 1
            # Begun at once: an agent that waits for nothing has ended when this returns, a turn of the loop earlier.
            job.handle = asyncio.Task(self._work(job), loop=loop, name=_NAME, eager_start=True)

    async def _assign(self, claimed: list[Claimed]) -> list[Assignment]:
        """Brief each claimed task; one that cannot be briefed (its plan or an output is unreadable) fails alone."""
        try:
            return await self._brief(claimed)
        except ShiftEnded:
            raise
        except Exception as problem:
            if len(claimed) > 1:
                return [job for one in claimed for job in await self._assign([one])]
            log.exception("task_unreadable", task_id=claimed[0].id, attempt=claimed[0].attempt)
            await threads.database(end_unread, self._id, claimed[0].id, claimed[0].attempt, problem)
            return []

    async def _brief(self, claimed: list[Claimed]) -> list[Assignment]:
        """Bring each claimed task together with its step and the values that its expressions read."""
        plans = {version: await self._plan(version) for version in {c.version_id for c in claimed}}
        steps = {c.id: own_step(plans[c.version_id], c.id, c.spec) for c in claimed}
        needs = {c.id: steps[c.id].needs for c in claimed if steps[c.id].needs}
        outputs = await self._database(db.contexts, wanted=needs) if needs else {}
        runs = {c.run_id for c in claimed if steps[c.id].needs_run_input}
        facts = await self._database(db.run_facts, runs=list(runs)) if runs else {}
        jobs = []
        for c in claimed:
            given, correlation_id = facts.get(c.run_id, _NO_FACTS)
            job = Assignment(c, plans[c.version_id], steps[c.id], BARE, correlation_id)
            if given:
                job.know({"input": given})
            if c.id in outputs:
                job.know({"steps": await delivery.unpack_all(outputs[c.id])})
            if bound := (c.spec or {}).get("bind"):
                job.know(await delivery.unpack_all(bound))
            jobs.append(job)
        return jobs

    async def _plan(self, version: int) -> Any:
        if version not in _known_plans:
            _known_plans[version] = await threads.database(plan_of, version)
        return _known_plans[version]

    async def _work(self, job: Assignment) -> None:
        finished = None
        try:
            finished = await work(job, self._host)
        except Exception:
            log.exception("work_failed", task_id=job.claimed.id, attempt=job.claimed.attempt)
            await threads.database(fail_abruptly, self._id, job.claimed.id, job.claimed.attempt, "engine_error")
        finally:
            self._forget(job.claimed)
            self._wake.set()
        if finished is not None:
            self._settled.add(finished)

    def _forget(self, claimed: Claimed) -> None:
        held = self._running.get(claimed.id)
        if held is not None and held.claimed.attempt == claimed.attempt:
            self._drop(claimed.id)

    def _drop(self, task: int) -> Assignment:
        job = self._running.pop(task)
        self._busy[job.lane] -= 1
        return job

    # Controls

    async def _obey_controls(self) -> None:
        """Cancel what a stop covers or what is no longer ours; write down how long that took."""
        if not self._running:
            return
        for job in overdue(self._running.values()):
            self._forget(job.claimed)
            if job.handle is not None:
                job.handle.cancel()
            await give_up(job, self._id)
        gone = await self._database(db.cancelled_among, shift=self._id, tasks=[*self._running])
        await self._cancel(gone)
        for stop, scope, ref in await self._database(db.active_stops):
            covered = await self._database(db.covered_by, tasks=[*self._running], scope=scope, ref=ref)
            if covered:
                await self._give_back(covered, reason="stopped")
                await self._database(db.measure_stop, stop=stop, shift=self._id, tasks=covered)

    async def _give_back(self, tasks: list[int], *, reason: str) -> None:
        fences = [(task, self._running[task].claimed.attempt) for task in tasks if task in self._running]
        await self._cancel(tasks)
        await self._database(db.release, shift=self._id, tasks=fences, reason=reason)

    async def _cancel(self, tasks: Iterable[int]) -> None:
        dropped = [self._drop(task) for task in tasks if task in self._running]
        cancelled = [job.handle for job in dropped if job.handle is not None]
        for handle in cancelled:
            handle.cancel()
        if cancelled:  # one that will not stop holds up nobody: what it returns later is late
            await asyncio.wait(cancelled, timeout=STOP_SECONDS)

    # Connections

    async def _listen(self) -> None:
        """Keep the lease, the session lock and the ears of this shift until it is cancelled."""
        while not self._closed:
            try:
                await self._hear()
            except (psycopg.Error, failpoints.Injected):
                self._locked = False
                self._direct = await reconnect(self._direct)

    async def _hear(self) -> None:
        await self._direct.execute("SET synchronous_commit = off")  # a lease is worth no wait for the disk
        await self._direct.execute("LISTEN wk_ready")
        await self._direct.execute("LISTEN wk_control")
        while True:
            # The sweep itself may hold the lock for a moment while it looks whether it is free.
            self._locked = self._locked or await db.relock_shift(self._direct, shift=self._id)
            if not await db.heartbeat(self._direct, shift=self._id, lease=self._lease):
                self._ended = True
                self._wake.set()
            async for note in self._direct.notifies(timeout=self._lease / 3 if self._locked else RELOCK_SECONDS):
                self._look_at_controls |= note.channel == "wk_control"
                self._wake.set()

    async def _report_health(self) -> None:
        """Apart from the lease: it waits for a thread, of which a flood of failures leaves none free."""
        while not self._closed:
            await asyncio.sleep(self._lease / 3)
            with suppress(OperationalError):
                await threads.database(record_health, self._host.meter.drain())
                await threads.database(write_down)

    async def _keep_fresh(self) -> None:
        """What calls look at is read beside them: a call would wait for its statements, and its decision with it."""
        while not self._closed:
            await asyncio.sleep(VIEW_SECONDS)
            with suppress(OperationalError):
                await before.keep_fresh(threads.database)

    async def _database(self, function: Callable[..., Awaitable[Any]], **arguments: Any) -> Any:
        """Call a `db` function on the main connection, again and again while the database is away."""
        while True:
            if self._ended:
                raise ShiftEnded
            try:
                return await function(self._main, **arguments)
            except DATABASE_AWAY:
                await self._reconnect_main()
            except psycopg.errors.TransactionRollback:
                continue

    async def _reconnect_main(self) -> None:
        if self._ended:
            raise ShiftEnded
        if self._main.broken or self._main.closed:
            self._main = await reconnect(self._main)


_known_plans: dict[int, Any] = {}
_NO_FACTS: tuple[dict[str, Any], str] = ({}, "")
_NAME = "work"  # of its tasks on the loop: one text for ten thousand
