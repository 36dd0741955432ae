"""The one way up: what the engine asks of whoever keeps the gates, and the pages of whoever keeps the rights.

Settings name the implementations.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib import import_module
from typing import Protocol, cast

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, Group, User
from django.db.models import Model, QuerySet
from django.utils.module_loading import import_string

from agents.types import Json
from orchestrator.definitions.plan import GateTerms as GateTerms
from orchestrator.definitions.serialise import terms_from_json as terms_from_json
from orchestrator.definitions.serialise import terms_to_json as terms_to_json
from orchestrator.models import Workflow


@dataclass(frozen=True, slots=True)
class GateRequest:
    """A waiting task's question to people, with everything they will see. `deadline_s` in seconds."""

    task_id: int | None  # None: it is about the whole run, and nothing waits for it
    run_id: int
    workflow_id: int
    kind: str  # approval | manual | exception | quarantine | deadline
    title: str
    queue: str  # people's queue (approvals.Queue.name)
    rule: str  # the rule that opened it, verbatim
    risk: str  # low | medium | high | critical
    proposal: dict[str, Json]  # the output under review ({} for manual work)
    input: dict[str, Json]  # what the agent, or the person, was given
    action: dict[str, Json]  # canonical: what happens on approval, from stored arguments, never from prose
    allowed: tuple[str, ...]  # verdicts offered
    deadline_s: float
    on_timeout: str  # escalate | reject
    escalate_to: str = ""  # queue name
    confidence: float | None = None
    agent: str = ""
    agent_version: int | None = None
    form: dict[str, Json] = field(default_factory=dict)  # JSON Schema of the answer (manual)
    revision: int = 0
    requested_by: int | None = None  # user id of who started the run
    evidence: tuple[dict[str, Json], ...] = ()  # {claim, source, quote, status}
    alternatives: tuple[dict[str, Json], ...] = ()
    consequence: str = ""  # what happens if approved, one sentence from the definition
    matched: tuple[dict[str, Json], ...] = ()  # the clauses of the rule that hold (definitions.clauses)
    terms: GateTerms = field(default_factory=GateTerms)  # who must agree, and how


@dataclass(frozen=True, slots=True)
class GateFact:
    """What a run's pages say about one gate: who is asked what, since when and until when."""

    id: int
    task_id: int | None  # None: about the whole run
    run_id: int
    title: str
    kind: str
    status: str
    queue: str  # its title, as people know it
    risk: str
    opened_at: datetime
    deadline_at: datetime
    settled_at: datetime | None
    on_timeout: str
    verdict: str | None = None
    note: str | None = None
    releases_at: datetime | None = None  # of one that is approved, and can be taken back until then


class Gatekeeper(Protocol):
    """Implemented by `approvals.gatekeeper.Gatekeeper`.

    Each call runs inside the engine's transaction, after the run's lock.
    """

    def open_gate(self, request: GateRequest) -> int:
        """Open one gate and return its id."""
        ...

    def withdraw_gates(self, task_ids: Sequence[int], *, reason: str) -> int:
        """Close the open gates of tasks that will not go on; return how many."""
        ...

    def withdraw_run_gate(self, run_id: int, *, reason: str) -> int:
        """Close the open gate about a whole run, if there is one; return how many."""
        ...

    def deadline_reached(self, gate_id: int) -> None:
        """A gate's deadline has passed by the database's clock; owns its transaction, takes run -> task -> gate."""
        ...

    def remind(self, gate_id: int) -> None:
        """A gate's deadline is near; owns its transaction, takes run -> gate."""
        ...

    def release_reached(self, gate_id: int) -> None:
        """The time to take an approval back is over; owns its transaction, takes run -> gate."""
        ...

    def gates_of(self, run_ids: Sequence[int], *, only_open: bool, limit: int = 500) -> list[GateFact]:
        """The gates of these runs, the nearest deadline first: for pages, outside any engine transaction."""
        ...

    def hidden_tasks(self, user: User, run_ids: Collection[int]) -> frozenset[int]:
        """The tasks of these runs that this person is to judge before they see what machines and others say."""
        ...

    def answers_about(self, task_ids: Sequence[int], *, after: int = 0) -> dict[int, str]:
        """How the last question about each task's work ended: "approved" if people agreed. Without tasks nobody was
        asked about since the gate with the id `after`, and without questions about failures.
        """
        ...

    def approved_calls(self, task_id: int, *, after: int = 0) -> Mapping[str, dict[str, Json] | None]:
        """The seals of the calls of tools that people have approved for a task, since the gate with the id `after`,
        each with the arguments that they put in the place of its own; None where they left them.
        """
        ...

    def queue_names(self) -> frozenset[str]:
        """The queues that definitions may name."""
        ...

    def queue_titles(self) -> dict[str, str]:
        """What people call each queue, by its name."""
        ...

    def make_queues(self, names: Sequence[str]) -> None:
        """Make queues that are missing, for a definition whose publisher may; inside the publishing's transaction."""
        ...


@cache
def gatekeeper() -> Gatekeeper:
    """The configured gatekeeper."""
    keeper: Gatekeeper = import_string(settings.GATEKEEPER)()
    return keeper


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody, or everybody in a role, who may do something with one workflow; `may` are the verbs in words."""

    name: str
    is_role: bool
    may: tuple[str, ...]


class Rights(Protocol):
    """Implemented by the module `approvals.permissions`: every view of this app asks it, and nothing else."""

    def can(self, user: User | AnonymousUser, verb: str, obj: Model | None = None) -> bool:
        """Whether the user may do `verb` on `obj`; without an object, whether they may do it everywhere."""
        ...

    def can_somewhere(self, user: User | AnonymousUser, verb: str) -> bool:
        """Whether the user may do `verb` on at least one object."""
        ...

    def visible_workflows(self, user: User | AnonymousUser, verb: str = "see_runs") -> QuerySet[Workflow]:
        """The workflows on which the user may do `verb`."""
        ...

    def teams_of(self, user: User | AnonymousUser) -> frozenset[str]:
        """The teams, by name, whose steps of a run the user may see without seeing the run as a whole."""
        ...

    def who_may(self, workflow: Workflow) -> list[Holder]:
        """Roles and people with a right on this workflow, as its page lists them."""
        ...


class Access(Protocol):
    """Implemented by the module `approvals.access`: who belongs to which team, and what that lets them do."""

    def is_role(self, team: Group) -> bool:
        """Whether the team stands for a role."""
        ...

    def team_names(self) -> frozenset[str]:
        """The teams that definitions may name: no roles."""
        ...

    def gains(self, user: User, team: Group) -> list[str]:
        """What being in the team lets somebody do who is not in it, in words; what they lose if they are."""
        ...

    def holds_rights(self, team: Group) -> bool:
        """Whether rights on single workflows, queues or agents are granted to the team."""
        ...

    def set_member(self, *, user_id: int, team_id: int, by: User | None, held: bool) -> int:
        """Put somebody into a team, or take them out; the number of this change of rights. Appends no event.

        Raises NotPermitted, SelfGrant, UnknownName.
        """
        ...


@cache
def access() -> Access:
    """The configured keeper of teams."""
    return cast("Access", import_module(settings.ACCESS))


@cache
def upkeep() -> tuple[Callable[[], None], ...]:
    """What whoever keeps the gates has done regularly, broker or no broker; safe to repeat or do twice at once."""
    return tuple(import_string(name) for name in settings.UPKEEP)


@cache
def rights() -> Rights:
    """The configured rights."""
    return cast("Rights", import_module(settings.RIGHTS))
