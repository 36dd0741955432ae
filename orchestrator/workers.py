"""What external workers do: register agents, fetch calls, keep their leases, answer. See `engine.remote`.

Every verb is fenced by (task, attempt) and by who holds the lease: what comes late, or from another, changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q, QuerySet

from agents import cleaning, registry, tracing
from agents.adapters import external
from agents.errors import ContractViolation, InvalidRegistration, OutputRejected
from agents.guardrails import guarding
from agents.models import Agent, AgentVersion
from agents.outcomes import failure_of, known_usage, outcome_of
from agents.specs import AgentSpec, Facts
from agents.types import Completed, Failed, Json, NeedsApproval, Outcome
from orchestrator import answer_tokens, db, events, presence, services
from orchestrator.engine import remote
from orchestrator.errors import OrchestratorError
from orchestrator.models import TASK_BITS, RemoteCall, Stop, Task
from orchestrator.ports import rights
from orchestrator.states import RunStatus, TaskStatus

VERB: Final = "work_as_agent"
MOST_CALLS: Final = 100  # fetched at once
LONGEST_LEASE: Final = 86_400.0  # seconds that a worker may be out of reach


class RegistrationRefused(OrchestratorError):
    """Agent {name!r} was not registered: {problem}; correct the registration and send it again."""

    code = "registration_refused"
    status = 422


class AgentTaken(OrchestratorError):
    """Agent {name!r} is not an external agent; choose another name."""

    code = "agent_taken"


class AgentVersionChanged(OrchestratorError):
    """Agent {name!r} version {version} is recorded with other contracts or capabilities; register version {next}."""

    code = "version_changed"


class UnknownAgents(OrchestratorError):
    """There is no external agent {name!r} that you may work as; register it, or ask for the right to work as it."""

    code = "agent_not_found"
    status = 404


class CallOver(OrchestratorError):
    """Call {call} attempt {attempt} is over: {why}; drop its work and fetch the next call."""

    code = "call_over"


type State = Literal["go_on", "cancelled", "stopped", "over"]


@dataclass(frozen=True, slots=True)
class Standing:
    """What a worker is told about one of its calls: go_on, cancelled, stopped or over."""

    task: int
    attempt: int
    state: State
    lease_until: datetime | None = None


# Registering


def register(*, name: str, takes: dict[str, Any], gives: dict[str, Any], facts: Facts, by: User) -> AgentVersion:
    """Record one version of an external agent; the same again changes nothing.

    Raises RegistrationRefused, AgentTaken, AgentVersionChanged.
    """
    for side, schema in (("input", takes), ("output", gives)):
        _refuse_unstorable(name, side, schema)
    try:
        spec = external.spec_from(name, takes=takes, gives=gives, facts=facts)
    except InvalidRegistration as refusal:
        raise RegistrationRefused(name=name, problem=str(refusal.facts["problem"])) from refusal
    with transaction.atomic():
        agent, _ = Agent.objects.get_or_create(name=name, defaults=_described(spec, by))
        Agent.objects.select_for_update(no_key=True).get(pk=agent.pk)
        newest = agent.versions.order_by("-number").first()
        known = registry.find(name)
        if {found.kind for found in (newest, known) if found is not None} - {external.KIND}:
            raise AgentTaken(name=name)
        return _recorded(agent, spec, by)


def _refuse_unstorable(name: str, side: str, schema: dict[str, Any]) -> None:
    try:
        changes = cleaning.clean(schema).changes
    except OutputRejected as flaw:
        raise RegistrationRefused(name=name, problem=f"its {side} contract is refused: {flaw}") from flaw
    if changes:
        problem = f"its {side} contract holds characters that cannot be stored ({changes[0]})"
        raise RegistrationRefused(name=name, problem=problem)


def _described(spec: AgentSpec, by: User) -> dict[str, Any]:
    return {
        "title": spec.title,
        "description": spec.description if spec.description != external.hand_out.__doc__ else "",
        "owner": spec.owner or by.username,
        "domain_tags": list(spec.tags),
        "max_concurrency": spec.max_concurrency,
        "rate_per_minute": spec.rate_per_minute,
    }


def _recorded(agent: Agent, spec: AgentSpec, by: User) -> AgentVersion:
    found = agent.versions.filter(number=spec.version).first()
    if found is not None:
        if found.digest != spec.digest:
            highest = agent.versions.order_by("-number").values_list("number", flat=True)[0]
            raise AgentVersionChanged(name=agent.name, version=spec.version, next=highest + 1)
        return found
    made = registry.version_row(spec, agent.pk)
    made.save(force_insert=True)
    data: dict[str, Json] = {"agent": agent.name, "version": spec.version, "kind": spec.kind}
    events.append("agent.registered", actor=services.actor_of(by), data=data)
    return made


def agents_of(user: User, names: Sequence[str]) -> list[Agent]:
    """External agents that the user may work as. Raises UnknownAgents, for one that does not exist just the same."""
    found = {agent.name: agent for agent in Agent.objects.filter(name__in=names, versions__kind=external.KIND)}
    for name in names:
        if name not in found or not rights().can(user, VERB, found[name]):
            raise UnknownAgents(name=name)
    return list(found.values())


# Fetching


def fetch(
    *, agents: Sequence[Agent], worker: str, limit: int, by: User, lease: float | None = None
) -> list[RemoteCall]:
    """Lease up to `limit` calls of these agents to a worker, the most urgent first; for `lease` seconds, if it asks.

    Nothing that a stop covers, of a paused run, or over an agent's own limit is handed out.
    """
    limited = [agent.pk for agent in agents if agent.max_concurrency]
    with transaction.atomic():
        # Before the stops' lock, as whoever freezes an agent takes the two; so that no two workers count at once.
        list(Agent.objects.select_for_update(no_key=True).filter(pk__in=limited).order_by("pk"))
        db.share_stops()
        stopped = _stopped(Stop.objects.filter(lifted_at=None))
        if stopped is None:
            return []
        taken: list[RemoteCall] = []
        for agent in agents:
            taken += _lease(agent, stopped, worker=worker, limit=limit - len(taken), by=by, seconds=lease)
        return taken


def _lease(agent: Agent, stopped: Q, *, worker: str, limit: int, by: User, seconds: float | None) -> list[RemoteCall]:
    room = min(limit, _room(agent)) if agent.max_concurrency else limit
    if room <= 0:
        return []
    waiting = RemoteCall.objects.filter(
        agent=agent,
        pulled=True,
        leased_at=None,
        answered_at=None,
        ended_at=None,
        task__status=TaskStatus.WAITING,
        task__wait_for=remote.WAITS,
        task__attempt=F("attempt"),
        task__run__status__in=(RunStatus.RUNNING, RunStatus.COMPENSATING),
    ).exclude(stopped)
    locked = waiting.select_for_update(of=("self",), skip_locked=True, no_key=True).order_by("-priority", "id")
    found = list(locked[:room])
    now = db.clock()
    for call in found:
        call.worker, call.holder, call.leased_at = worker, by, now
        call.lease_until = now + timedelta(seconds=seconds or settings.WORKER_LEASE_SECONDS)
        call.due_at = now + timedelta(seconds=call.timeout)
    RemoteCall.objects.bulk_update(found, ["worker", "holder", "leased_at", "lease_until", "due_at"])
    return found


def _room(agent: Agent) -> int:
    """How many calls the agent's own limit leaves; its row is locked."""
    most = Agent.objects.values_list("max_concurrency", flat=True).get(pk=agent.pk)
    leased = RemoteCall.objects.filter(agent=agent, leased_at__isnull=False, answered_at=None, ended_at=None)
    return (most or MOST_CALLS) - leased.count()


def _stopped(stops: QuerySet[Stop]) -> Q | None:
    """What these stops cover, as a condition on calls; None when that is everything."""
    covered = Q(pk__in=[])
    for scope, ref in stops.values_list("scope", "ref"):
        match scope:
            case Stop.Scope.EVERYTHING:
                return None
            case Stop.Scope.WORKFLOW:
                covered |= Q(task__workflow_id=ref)
            case Stop.Scope.AGENT:
                covered |= Q(agent_id=ref)
            case Stop.Scope.RUN:
                covered |= Q(task__run_id=ref)
            case _:
                covered |= Q(task_id=ref)
    return covered


# Keeping and answering


def renew(*, calls: Sequence[tuple[int, int]], by: User, lease: float | None = None) -> list[Standing]:
    """Renew the leases of a worker's calls and tell it which of them are over."""
    presence.heard(calls, by=by)
    return [_renewed(task, attempt, by, lease) for task, attempt in calls]


@transaction.atomic
def _renewed(pk: int, attempt: int, by: User, lease: float | None) -> Standing:
    task = _locked(pk)
    call = remote.open_call(task, attempt) if task is not None else None
    if task is None or call is None or call.holder_id != by.pk:
        gone = task is not None and task.status == TaskStatus.CANCELLED
        return Standing(pk, attempt, "cancelled" if gone else "over")
    stopped = _stopped(Stop.objects.filter(lifted_at=None, lets_finish=False))
    if stopped is None or RemoteCall.objects.filter(stopped, pk=call.pk).exists():
        remote.give_back(call, task, reason="stopped")
        return Standing(pk, attempt, "stopped")
    until = db.clock() + timedelta(seconds=lease or settings.WORKER_LEASE_SECONDS)
    RemoteCall.objects.filter(pk=call.pk).update(lease_until=until)
    return Standing(pk, attempt, "go_on", until)


def settle(*, task_id: int, attempt: int, said: object, by: User) -> Outcome:
    """Take a worker's answer for a call that it holds; returns what that was judged to be. Raises CallOver."""
    held = RemoteCall.objects.select_related("agent").filter(task_id=task_id, attempt=attempt, holder=by).first()
    spec = _recorded_spec(held.agent.name, held.agent_version) if held is not None else None
    # Before any lock is taken: a spike of violations pauses the agent, and a pause may wait for runs.
    outcome = judged(spec, said, key=held.key) if held is not None and spec is not None else None
    with transaction.atomic():
        task = _locked(task_id)
        call = remote.open_call(task, attempt) if task is not None else None
        if task is None or call is None or call.holder_id != by.pk or outcome is None:
            raise CallOver(call=task_id, attempt=attempt, why=_why(task, attempt, by))
        remote.answer(call, task, outcome)
    presence.heard([(task_id, attempt)], by=by)
    return outcome


def release(*, task_id: int, attempt: int, by: User) -> None:
    """A worker gives a call back unjudged: it is shutting down. Raises CallOver."""
    with transaction.atomic():
        task = _locked(task_id)
        call = remote.open_call(task, attempt) if task is not None else None
        if task is None or call is None or call.holder_id != by.pk:
            raise CallOver(call=task_id, attempt=attempt, why=_why(task, attempt, by))
        remote.give_back(call, task, reason="drained")


def is_known(token: str) -> bool:
    """Whether a signed address is one of ours."""
    return answer_tokens.read(token) is not None


def answer_late(*, token: str, said: object) -> Outcome:
    """Take the answer of a remote agent at its signed address, also before its call was parked. Raises CallOver."""
    found = answer_tokens.read(token)
    if found is None:
        raise CallOver(call="(unknown)", attempt=0, why="its address is not one of ours")
    pk, attempt = found
    asked = Task.objects.select_related("agent").filter(pk=pk, agent__isnull=False).first()
    if asked is None:
        raise CallOver(call=pk, attempt=attempt, why="its task does not exist")
    spec = _spec_of_task(asked)
    is_asked = asked.attempt == attempt
    assert asked.agent is not None
    presence.remote_heard(asked.agent)
    # As above: before any lock.
    outcome = judged(spec, said, key=f"task-{pk}-{asked.revision}") if spec is not None and is_asked else None
    with transaction.atomic():
        task = _locked(pk)
        if task is None or task.agent is None:
            raise CallOver(call=pk, attempt=attempt, why="its task does not exist")
        call = remote.open_call(task, attempt)
        if outcome is not None and call is not None and not call.pulled:
            remote.answer(call, task, outcome)
            return outcome
        running = task.status == TaskStatus.RUNNING and task.attempt == attempt
        answered = RemoteCall.objects.filter(task_id=pk, attempt=attempt, answered_at__isnull=False).exists()
        if outcome is None or not running or answered:
            raise CallOver(call=pk, attempt=attempt, why="it was answered, or its run went on without it")
        remote.answer_early(task, attempt, task.agent, outcome)
        return outcome


def judged(spec: AgentSpec, said: object, *, key: str) -> Outcome:
    """An answer, cleaned, held against the contract and screened: a breach is the agent's failure, not a refusal.

    `key` is the call's: what breaks the agent's guard is counted as a violation.
    """
    try:
        return guarding.release_late(spec, outcome_of(spec, said), key)
    except (ContractViolation, OutputRejected) as flaw:
        failed = failure_of(spec, flaw)
        spent = known_usage(said.usage) if isinstance(said, Completed | NeedsApproval) else failed.usage
        return Failed(failed.kind, failed.code, failed.message, spec.version, usage=spent)


def _locked(pk: int) -> Task | None:
    """The task, locked behind its run; None if there is no such task."""
    if not Task.objects.filter(pk=pk).exists():
        return None
    services.lock_run(pk >> TASK_BITS)
    return Task.objects.select_for_update(no_key=True).filter(pk=pk).first()


def _spec_of_task(task: Task) -> AgentSpec | None:
    assert task.agent is not None
    known = registry.find(task.agent.name)
    if known is not None:
        return known
    newest = task.agent.versions.order_by("-number").values_list("number", flat=True).first()
    return _recorded_spec(task.agent.name, newest) if newest is not None else None


def _recorded_spec(name: str, version: int) -> AgentSpec | None:
    row = AgentVersion.objects.select_related("agent").filter(agent__name=name, number=version).first()
    return _compiled(row) if row is not None else None


_specs: dict[tuple[int, str], AgentSpec] = {}  # versions never change: compiled once


def _compiled(row: AgentVersion) -> AgentSpec:
    found = _specs.get((row.pk, row.digest))
    if found is None:
        found = _specs[row.pk, row.digest] = external.spec_of(row)
    return found


def _why(task: Task | None, attempt: int, by: User) -> str:
    if task is None:
        return "its task does not exist"
    if task.status == TaskStatus.CANCELLED:
        return "its run was cancelled"
    if task.attempt != attempt:
        return "its lease ran out and it was handed out again"
    return "it was answered, taken back, or is held by somebody else"


def facts_of(call: RemoteCall) -> Mapping[str, Any]:
    """A leased call as its worker gets it."""
    return {
        "id": call.task_id,
        "attempt": call.attempt,
        "agent": call.agent.name,
        "version": call.agent_version,
        "input": call.input,
        "key": call.key,
        "note": call.note,
        "approvals": [{name: one[name] for name in ("action", "answer", "decided_by")} for one in call.approvals],
        "correlation_id": call.correlation_id,
        "traceparent": tracing.of_call(call.correlation_id, call.key, call.attempt),
        "timeout": call.timeout,
        "lease_until": call.lease_until,
    }
