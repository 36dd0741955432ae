"""The workflows that the bench publishes, as JSON sources."""

import json
from itertools import pairwise
from typing import Any

QUEUE = "bench"


def chain(name: str, steps: int) -> str:
    """`steps` steps, each after the one before."""
    keys = [f"s{number}" for number in range(steps)]
    return _source(name, [_noop(key) for key in keys], {key: [before] for before, key in pairwise(keys)})


def fan(name: str, width: int, *, middle: dict[str, Any] | None = None) -> str:
    """1 -> `width` -> 1. `middle` says what the steps in between run; nothing by default."""
    keys = [f"m{number}" for number in range(width)]
    steps = [_noop("first"), *({**_noop(key), **(middle or {})} for key in keys), _noop("last")]
    return _source(name, steps, {**{key: ["first"] for key in keys}, "last": keys})


def side_by_side(name: str, width: int, *, seconds: float | None = None, agent: str = "bench-noop") -> str:
    """`width` steps that wait for nothing: no-ops, another agent, or agents that wait `seconds`."""
    what = {"agent": agent} if seconds is None else pause(seconds)
    return _source(name, [{**_noop(f"m{number}"), **what} for number in range(width)], {})


def pause(seconds: float) -> dict[str, Any]:
    """The fields of a step whose agent waits."""
    return {"agent": "bench-sleep", "inputs": {"seconds": seconds}}


def gated(name: str) -> str:
    """A step that a person must approve, and one whose agent tells when it was called."""
    gate = {
        "when": "true",
        "title": "Bench",
        "queue": QUEUE,
        "deadline": "24h",
        "on_timeout": "reject",
        "allow": ["approve", "reject"],
    }
    steps = [{**_noop("propose"), "gate": gate}, {"key": "act", "type": "automated", "agent": "bench-stamp"}]
    return _source(name, steps, {"act": ["propose"]})


def proposing(name: str, queue: str) -> str:
    """A step whose agent proposes something with evidence and alternatives, which a person must approve."""
    gate = {
        "when": "true",
        "title": "Act on ${output.host}",
        "queue": queue,
        "risk": "medium",
        "deadline": "24h",
        "on_timeout": "escalate",
        "consequence": "${output.host} loses its network for an hour.",
        "action": {"host": "${output.host}", "amount": "${output.amount}"},
        "evidence": "${output.evidence}",
        "alternatives": "${output.alternatives}",
        "allow": ["approve", "edit", "request_changes", "reject"],
    }
    propose = {"key": "propose", "type": "automated", "agent": "bench-proposer", "gate": gate}
    act = {"key": "act", "type": "automated", "agent": "bench-stamp"}
    steps: list[dict[str, Any]] = [{**propose, "inputs": {"n": "${input.n}"}}, act]
    return _source(name, steps, {"act": ["propose"]})


def _noop(key: str) -> dict[str, Any]:
    return {"key": key, "type": "automated", "agent": "bench-noop"}


def _source(name: str, steps: list[dict[str, Any]], dependencies: dict[str, list[str]]) -> str:
    document = {
        "metadata": {"name": name, "title": f"Bench: {name}"},
        "steps": steps,
        "dependencies": dependencies,
        # Longer than any workload: a time-out would be a failure of the bench, not of an agent.
        "error_handling": {"timeout": "10m"},
    }
    return json.dumps(document)
