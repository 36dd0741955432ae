"""What the orchestrator stores, by room: `core` (workflows, runs, tasks, events), `waiting`, `control` and so on."""

from orchestrator.models.billing import Bill
from orchestrator.models.choosing import PatternChoice, TeamAdvice, Workshop
from orchestrator.models.control import AgentRate, Breaker, Budget, Doorbell, Reservation, StartPace, Stop
from orchestrator.models.core import (
    TASK_BITS,
    Attempt,
    Event,
    Lane,
    LedgerEntry,
    Run,
    Shift,
    Step,
    Task,
    TaskQuerySet,
    Workflow,
    WorkflowVersion,
    task_id,
)
from orchestrator.models.drafts import WorkflowDraft
from orchestrator.models.memory import (
    Artifact,
    CachedResult,
    CacheUse,
    Checkpoint,
    Conflict,
    Content,
    Effect,
    Rehearsal,
    StateEntry,
)
from orchestrator.models.remote import Presence, RemoteCall
from orchestrator.models.schedules import Schedule, ScheduledStart
from orchestrator.models.waiting import ConsumerGroup, Signal, Timer, Wait

__all__ = [
    "TASK_BITS",
    "AgentRate",
    "Artifact",
    "Attempt",
    "Bill",
    "Breaker",
    "Budget",
    "CacheUse",
    "CachedResult",
    "Checkpoint",
    "Conflict",
    "ConsumerGroup",
    "Content",
    "Doorbell",
    "Effect",
    "Event",
    "Lane",
    "LedgerEntry",
    "PatternChoice",
    "Presence",
    "Rehearsal",
    "RemoteCall",
    "Reservation",
    "Run",
    "Schedule",
    "ScheduledStart",
    "Shift",
    "Signal",
    "StartPace",
    "StateEntry",
    "Step",
    "Stop",
    "Task",
    "TaskQuerySet",
    "TeamAdvice",
    "Timer",
    "Wait",
    "Workflow",
    "WorkflowDraft",
    "WorkflowVersion",
    "Workshop",
    "task_id",
]
