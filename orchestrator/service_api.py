"""REST v1: how an agent stands (its heartbeat, last work and health), and who does agents' work from outside."""

from datetime import datetime
from typing import Literal

from django.contrib.auth.models import User
from django.http import Http404, HttpRequest
from ninja import Router, Schema
from pydantic import Field

from agents.models import Agent
from orchestrator import agent_service
from orchestrator.agent_service import Outside, Standing
from orchestrator.api_errors import ERRORS, Forbidden, Name, caller
from orchestrator.ports import rights

agents = Router(tags=["Agents"])
workers = Router(tags=["Workers"])


class HeldOut(Schema):
    """Who holds it, and why."""

    by: str
    reason: str
    at: datetime


class InHandOut(Schema):
    """What it has to do now, in steps."""

    running: int
    ready: int
    retries: int = Field(description="That wait for their next try.")
    outside: int = Field(description="That wait for an answer from outside.")


class ServiceOut(Schema):
    """One agent as it stands. Times are null where there is nothing to tell."""

    name: str
    state: Literal["in_service", "paused", "stopped", "terminated", "out_of_service", "silent"]
    heartbeat_at: datetime | None = Field(description="Of who does its work: external workers, or workers here.")
    last_work_at: datetime | None
    silent_since: datetime | None
    health: str = Field(description="Of the last five minutes: idle, healthy, degraded or failing.")
    calls: int
    failures: int
    mean_ms: float | None
    in_hand: InHandOut
    workers: int = Field(description="External ones that are heard.")
    held: HeldOut | None

    @staticmethod
    def of(found: Standing) -> "ServiceOut":
        """As the page shows it."""
        stop, health, hand = found.stop, found.health, found.in_hand
        by = stop.stopped_by.get_username() if stop and stop.stopped_by else "engine"
        return ServiceOut(
            name=found.agent.name, state=found.state,  # type: ignore[arg-type]  # agent_service knows these words only
            heartbeat_at=found.heard_at, last_work_at=health.seen_at, silent_since=found.silent_since,
            health=health.status, calls=health.calls, failures=health.failures, mean_ms=health.mean_ms,
            in_hand=InHandOut(running=hand.running, ready=hand.ready, retries=hand.retries, outside=hand.outside),
            workers=found.workers, held=HeldOut(by=by, reason=stop.reason, at=stop.stopped_at) if stop else None,
        )  # fmt: skip


class WorkerOut(Schema):
    """One external worker of one agent, or a remote agent itself (`worker` and `holder` are empty then)."""

    agent: str
    worker: str
    holder: str
    state: Literal["running", "idle", "silent"]
    polled_at: datetime | None
    heard_at: datetime
    silent_since: datetime | None
    holds: int
    oldest_at: datetime | None = Field(description="Since when it has the oldest of its calls.")
    lease_until: datetime | None = Field(description="The first of its leases to end.")

    @staticmethod
    def of(found: Outside) -> "WorkerOut":
        """As the page shows it."""
        seen = found.presence
        return WorkerOut(
            agent=seen.agent.name, worker=seen.worker, holder=seen.holder.get_username() if seen.holder else "",
            state=found.state, polled_at=seen.polled_at, heard_at=seen.heard_at,  # type: ignore[arg-type]  # as above
            silent_since=seen.silent_since, holds=found.holds, oldest_at=found.oldest_at, lease_until=found.lease_until,
        )  # fmt: skip


@agents.get("/{name}/service", response={200: ServiceOut, **ERRORS}, summary="Monitor an agent")
def service(request: HttpRequest, name: Name) -> ServiceOut:
    """Whether it is in service, its heartbeat, last work and health, and what it has in hand."""
    _may_see(caller(request))
    found = Agent.objects.filter(name=name).first()
    if found is None:
        raise Http404
    return ServiceOut.of(agent_service.standing_of(found))


@workers.get("/seen", response={200: list[WorkerOut], **ERRORS}, summary="List external workers")
def seen(request: HttpRequest) -> list[WorkerOut]:
    """Who does agents' work from outside: last poll, what each holds, since when, until when."""
    _may_see(caller(request))
    return [WorkerOut.of(one) for one in agent_service.workers()]


def _may_see(user: User) -> None:
    if not rights().can(user, "see_agents"):
        raise Forbidden(verb="see agents")
