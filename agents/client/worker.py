"""A worker: fetches calls, runs functions in threads, keeps leases, answers."""

import logging
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

import httpx

from . import api
from .api import Call, Client, Registration
from .errors import Ask, CallOver, Failure, Refused
from .keeping import Kept
from .renewing import Renewing

log = logging.getLogger("watchkeeper.worker")
type Function = Callable[[dict[str, Any], Call], object]

_LONGEST_PAUSE = 30.0
_AWAY = {429, 502, 503, 504}


@dataclass(frozen=True)
class Answer:
    """An output with what belongs to it. `usage`: tokens_in, tokens_out, cost in US dollars."""

    output: Mapping[str, Any]
    confidence: float | None = None
    usage: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Agent:
    """A function with its registration; calling it calls the function."""

    registration: Registration
    function: Function

    def __call__(self, given: dict[str, Any], call: Call) -> object:
        return self.function(given, call)


def agent(
    name: str,
    *,
    input: Mapping[str, Any],  # noqa: A002 - the word of every definition
    output: Mapping[str, Any],
    **facts: Any,
) -> Callable[[Function], Agent]:
    """Make `function(given, call)` an agent; `facts` as in Registration."""
    return lambda function: Agent(Registration(name=name, input=input, output=output, **facts), function)


class Worker:
    """Does the work of some agents until it is stopped. Threads: `concurrency` calls at once."""

    def __init__(
        self, url: str, token: str, *, agents: Sequence[Agent], name: str = "", concurrency: int = 4, wait: float = 20
    ) -> None:
        self._lease: float | None = None
        self._kept: Kept | None = None
        self._client = Client(url, token)
        self._renewing = Renewing(self._client)
        self._agents = {one.registration.name: one for one in agents}
        self.name = name or f"{socket.gethostname()}:{os.getpid()}"
        self._concurrency = concurrency
        self._wait = wait
        self._held: dict[tuple[int, int], Call] = {}
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self.settled = 0

    def when_away(self, *, lease: float | None, keep: Path | None) -> Self:
        """For links that come and go: lease calls for so many seconds, keep answers in a folder until it is back.

        A folder belongs to one worker.
        """
        self._lease, self._kept = lease, Kept(keep) if keep else None
        return self

    def keep_token(self, path: Path) -> Self:
        """Keep each renewed secret in a file, readable by its owner alone: a restart goes on with it."""
        self._renewing.path = path
        return self

    def stop(self) -> None:
        """Fetch no more; `run` returns when what is worked on has ended. Safe in a signal handler's thread."""
        self._stopping.set()

    def run(self, *, calls: int | None = None) -> int:
        """Register, then work until `stop()`, or until so many calls are answered; returns how many were."""
        lease = self._registered()
        self._renewing.look()
        keeper = threading.Thread(target=self._keep_leases, args=(lease / 3,), daemon=True)
        keeper.start()
        with self._client, ThreadPoolExecutor(self._concurrency) as pool:
            self._loop(pool, calls)
            with self._changed:
                self._changed.wait_for(lambda: not self._held)
            self._stopping.set()
            keeper.join()
        return self.settled

    def _registered(self) -> float:
        """Register all; with a folder to keep answers in, also wait for a link that is away at the start."""
        while True:
            try:
                return min(self._client.register(one.registration) for one in self._agents.values())
            except httpx.TransportError as problem:
                if self._kept is None or self._stopping.wait(_LONGEST_PAUSE / 6):
                    raise
                log.warning("cannot register, trying again: %s", problem)

    def _loop(self, pool: ThreadPoolExecutor, calls: int | None) -> None:
        pause = 0.5
        while not self._stopping.is_set() and (calls is None or self.settled + len(self._held) < calls):
            try:
                if self._kept:
                    self._kept.deliver(self._client)
                found = self._fetch(calls)
            except (httpx.TransportError, Refused) as problem:
                if not _is_away(problem):
                    raise
                log.warning("cannot fetch, trying again: %s", problem)
                self._stopping.wait(max(pause * random.uniform(0.5, 1.5), getattr(problem, "retry_after", 0)))
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            pause = 0.5
            for call in found:
                pool.submit(self._work, call)

    def _fetch(self, calls: int | None) -> list[Call]:
        with self._changed:
            self._changed.wait_for(lambda: len(self._held) < self._concurrency)
            room = self._concurrency - len(self._held)
        if calls is not None:
            room = max(1, min(room, calls - self.settled - len(self._held)))
        found = self._client.fetch(list(self._agents), worker=self.name, limit=room, wait=self._wait, lease=self._lease)
        with self._changed:
            self._held.update({(call.id, call.attempt): call for call in found})
        return found

    def _work(self, call: Call) -> None:
        try:
            self._answer(call)
        except CallOver as over:
            log.info("call %s attempt %s is over: %s", call.id, call.attempt, over)
        except (httpx.TransportError, Refused) as problem:  # its lease runs out, and somebody gets it again
            log.warning("call %s could not be answered: %s", call.id, problem)
        finally:
            with self._changed:
                self._held.pop((call.id, call.attempt), None)
                self.settled += 1
                self._changed.notify_all()

    def _answer(self, call: Call) -> None:
        how = self._judged(call)
        try:
            _surely(partial(self._client.settle, call.id, call.attempt, how), tries=1 if self._kept else 5)
        except (httpx.TransportError, Refused) as problem:
            if self._kept is None or not _is_away(problem):
                raise
            log.warning("call %s is answered once the link is back: %s", call.id, problem)
            self._kept.add(call, how)

    def _judged(self, call: Call) -> dict[str, Any]:
        """Call the agent; returns its answer as it is sent."""
        try:
            returned = self._agents[call.agent](call.input, call)
        except Ask as asked:
            return api.asked(asked.action, asked.reason, asked.proposal)
        except Failure as failed:
            return api.failed(failed.kind, failed.message, code=failed.code, retry_after=failed.retry_after)
        except Exception as error:
            log.exception("call %s failed", call.id)
            message = f"{call.agent} raised {type(error).__name__}; the worker's log has the traceback."
            return api.failed("transient", message, code="unexpected")
        if isinstance(returned, Mapping):
            returned = Answer(returned)
        if not isinstance(returned, Answer):
            message = f"{call.agent} returned {type(returned).__name__}; it must return a dictionary."
            return api.failed("permanent", message, code="contract_output")
        return api.completed(returned.output, confidence=returned.confidence, usage=returned.usage)

    def _keep_leases(self, every: float) -> None:
        while not self._stopping.wait(every) or self._held:
            self._renewing.look()
            with self._changed:
                held = list(self._held.values())
            if not held:
                continue
            try:
                standings = self._client.heartbeat(held, lease=self._lease)
            except (httpx.TransportError, Refused) as problem:
                log.warning("leases not renewed: %s", problem)
                continue
            for call, standing in zip(held, standings, strict=True):
                if standing.state != "go_on":
                    call.cancelled.set()


def _surely(send: Callable[[], object], *, tries: int = 5) -> None:
    """Send an answer, again while the server cannot be reached: settling is fenced, so twice does no harm."""
    for left in reversed(range(tries)):
        try:
            send()
        except (httpx.TransportError, Refused) as problem:
            if not _is_away(problem) or not left:
                raise
            time.sleep(max(0.2 * 2 ** (tries - left), getattr(problem, "retry_after", 0)))
        else:
            return


def _is_away(problem: Exception) -> bool:
    """Whether the server cannot be reached or is busy, in place of having said no."""
    return not isinstance(problem, Refused) or problem.status in _AWAY
