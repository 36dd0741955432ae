"""`agents.types.ModelDesk` for one attempt: its tier by the budgets it falls under, its words, what it used."""

import asyncio
from typing import Any, Final
from weakref import WeakKeyDictionary

import structlog
from django.db.models import Q

from agents import counted, histories, models_used
from agents.models import Agent
from agents.models_used import CallOf
from agents.types import Usage
from orchestrator.engine import budgeting
from orchestrator.engine.assignment import Assignment
from orchestrator.engine.effects import InThread
from orchestrator.models import Budget, Task, WorkflowVersion
from orchestrator.states import TASK_TERMINAL

TIGHT: Final = 0.1  # below this share of a budget the cheaper model is used
SHOW_EVERY: Final = 0.5  # seconds: about as fast as people can read
MOST_SHOWN: Final = 200  # calls with each writing: nobody watches more

log = structlog.get_logger(__name__)


class TaskDesk:
    """For the agent of one attempt."""

    __slots__ = ("_in_thread", "_job")

    def __init__(self, job: Assignment, *, in_thread: InThread) -> None:
        self._job = job
        self._in_thread = in_thread

    @property
    def _call(self) -> "CallOf":
        job, claimed = self._job, self._job.claimed
        return CallOf(f"task-{claimed.id}-{claimed.revision}", job.correlation_id, claimed.attempt, job.step.agent)

    async def tier(self) -> str:
        """By the tightest budget of tokens or money that this call falls under."""
        tier: str = await self._in_thread(_tier, self._job)
        return tier

    async def words(self, text: str) -> None:
        """Waits for nothing: the board takes what is newest."""
        _board(self._in_thread).put(self._call, text)

    async def recall(self, about: str) -> dict[str, Any] | None:
        """What was said before people were asked."""
        found: dict[str, Any] | None = await self._in_thread(
            histories.load, self._call.key, self._job.step.agent, about
        )
        return found

    async def remember(self, about: str, said: dict[str, Any]) -> None:
        """Keep it until the task has ended."""
        await self._in_thread(histories.keep, self._call.key, self._job.step.agent, about, said)

    async def forget(self) -> None:
        """The next attempt, if there is one, begins anew."""
        await self._in_thread(histories.forget, [self._call.key])

    async def ended(self, usage: Usage, failure: str, seconds: float = 0.0) -> None:
        """Keep what it used."""
        if seconds:
            counted.default.observe(counted.PROMPT_SECONDS, self._job.step.agent, usage.model, seconds)
        await _board(self._in_thread).drop(self._call)
        await self._in_thread(_keep, self._call, usage, failure, seconds)


class Board:
    """The newest words of a loop's calls, written together: one statement each half second, however many calls."""

    def __init__(self, in_thread: InThread) -> None:
        self._in_thread = in_thread
        self._newest: dict[str, tuple[CallOf, str]] = {}
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def put(self, call: CallOf, text: str) -> None:
        """Show this with the next writing."""
        self._newest[call.key] = (call, text)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write())

    async def drop(self, call: CallOf) -> None:
        """Show no more of it, whatever is being written now."""
        self._newest.pop(call.key, None)
        async with self._writing:
            pass

    async def _write(self) -> None:
        while self._newest:
            async with self._writing:
                words, self._newest = list(self._newest.values())[:MOST_SHOWN], {}
                try:
                    await self._in_thread(models_used.show, words)
                except Exception:
                    log.warning("words_not_shown", calls=len(words), exc_info=True)
            await asyncio.sleep(SHOW_EVERY)


_boards: WeakKeyDictionary[asyncio.AbstractEventLoop, Board] = WeakKeyDictionary()


def _board(in_thread: InThread) -> Board:
    loop = asyncio.get_running_loop()
    if loop not in _boards:
        _boards[loop] = Board(in_thread)
    return _boards[loop]


def _keep(call: CallOf, usage: Usage, failure: str, seconds: float) -> None:
    models_used.keep(call, usage, failure=failure, ms=seconds * 1000 or None)


def forget_ended() -> int:
    """Drop what was said in calls whose tasks have ended, or were sent back; how many."""
    kept = {key: (int(task), int(revision)) for key in histories.all_keys() for _, task, revision in [key.split("-")]}
    live = Task.objects.filter(pk__in=[task for task, _revision in kept.values()]).exclude(status__in=TASK_TERMINAL)
    revisions = dict(live.values_list("pk", "revision"))
    return histories.forget([key for key, (task, revision) in kept.items() if revisions.get(task) != revision])


def _tier(job: Assignment) -> str:
    run, agent = job.claimed.run_id, job.step.agent
    scopes = (
        Q(scope="agent", agent=None, ref__in=_agent_ids(agent))
        | Q(scope="run", ref=run)
        | Q(scope="run_agent", ref=run, agent__name=agent)
        | Q(scope="workflow", ref__in=_workflow_ids(job))
    )
    found = Budget.objects.filter(scopes, resource__in=("tokens", "cost"), limit__gt=0).select_related("agent")
    remaining = {budgeting.named(row): 1 - row.spent / row.limit for row in found}
    return models_used.note_tiers(agent, remaining, below=TIGHT)


def _agent_ids(name: str) -> list[int]:
    return list(Agent.objects.filter(name=name).values_list("pk", flat=True))


def _workflow_ids(job: Assignment) -> list[int]:
    return list(WorkflowVersion.objects.filter(pk=job.claimed.version_id).values_list("workflow_id", flat=True))
