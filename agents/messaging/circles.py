"""Two ways in which agents could go on for ever: answering each other, and waiting for each other."""

from agents.messaging import db
from agents.messaging.envelope import MOST_HOPS, Envelope
from agents.messaging.errors import MessageLoop, TooManyHops, WaitCycle
from agents.messaging.storing import canonical, digest
from agents.models import Expectation, Message


def cause_of(envelope: Envelope) -> Message | None:
    """The message that this one follows from, as it is stored."""
    if envelope.causation_id is None:
        return None
    return Message.objects.filter(uid=envelope.causation_id).first()


def refuse_circle(envelope: Envelope, cause: Message | None) -> int:
    """How many messages led to this one. Raises TooManyHops, and MessageLoop when one of them said just this."""
    hops = max(envelope.hops, cause.hops + 1 if cause else 0)
    if hops > MOST_HOPS:
        raise TooManyHops(hops=hops, limit=MOST_HOPS)
    mine = digest(envelope, canonical(envelope.payload)) if cause else ""
    chain, earlier = [envelope.agent_id], cause
    while earlier is not None and len(chain) <= MOST_HOPS:
        chain.append(earlier.agent_id)
        if earlier.digest == mine:
            raise MessageLoop(chain=" → ".join(reversed(chain)))
        following = earlier.causation_id
        earlier = Message.objects.filter(uid=following).first() if following else None
    return hops


def refuse_waiting(agent: str, awaited: str, correlation_id: str) -> None:
    """Raise WaitCycle if `awaited`, within this piece of work, waits for `agent` already, directly or by others.

    Holds a lock until the transaction ends, so that two who begin to wait for each other at once do not both pass.
    """
    db.lock(db.CIRCLE, correlation_id)
    edges: dict[str, set[str]] = {}
    open_waits = Expectation.objects.filter(correlation_id=correlation_id, ended_at=None, deadline_at__gt=db.clock())
    for waiter, whom in open_waits.exclude(awaited="").values_list("agent", "awaited"):
        edges.setdefault(waiter, set()).add(whom)
    path = _path(edges, awaited, agent)
    if path is not None:
        raise WaitCycle(chain=" waits for ".join([agent, *path]))


def _path(edges: dict[str, set[str]], start: str, end: str) -> list[str] | None:
    """A shortest way along the edges, both ends included."""
    ways: list[list[str]] = [[start]]
    seen = {start}
    for way in ways:
        if way[-1] == end:
            return way
        for following in sorted(edges.get(way[-1], set()) - seen):
            seen.add(following)
            ways.append([*way, following])
    return None
