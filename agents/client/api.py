"""The worker's side of the REST API, one typed method each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from types import TracebackType
from typing import Any, Self

import httpx

from .errors import CallOver, Refused

_PATIENCE = 15.0  # seconds for an answer, beyond what a fetch waits


@dataclass(frozen=True)
class Registration:
    """One version of an agent: JSON Schemas of what it takes and gives, and its limits."""

    name: str
    input: Mapping[str, Any]
    output: Mapping[str, Any]
    version: int = 1
    title: str = ""
    description: str = ""
    capabilities: Sequence[str] = ()
    tags: Sequence[str] = ()
    timeout: float = 60
    max_concurrency: int | None = None
    rate_per_minute: int | None = None

    def body(self) -> dict[str, Any]:
        """As it is sent."""
        own = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in own.items()}


@dataclass(frozen=True)
class Call:
    """One call, leased to this worker. `key` is stable across attempts: send it as the idempotency key."""

    id: int
    attempt: int
    agent: str
    version: int
    input: dict[str, Any]
    key: str
    note: str = ""
    approvals: Sequence[Mapping[str, Any]] = ()
    correlation_id: str = ""
    traceparent: str = ""  # send it with what you do outside, and your spans lie in the run's trace
    timeout: float = 60.0
    lease_until: str = ""
    cancelled: Event = field(default_factory=Event, compare=False)  # set when it is over: stop, the answer is dropped

    def approval(self, action: Mapping[str, Any]) -> dict[str, Any] | None:
        """What people answered to `Ask(action, ...)`; None: they have not been asked, so ask."""
        found = [one["answer"] for one in self.approvals if one["action"] == action]
        return dict(found[-1]) if found else None

    def granted(self, nth: int) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The `nth` thing, from 0, that people agreed to in this call: the action and their answer; None: ask.

        For frameworks that begin anew after a question, whose models may word it differently then: what is done is
        what was approved, and once.
        """
        if nth >= len(self.approvals):
            return None
        found = self.approvals[nth]
        return dict(found["action"]), dict(found["answer"])


@dataclass(frozen=True)
class Renewed:
    """The next secret of a token, and how many seconds it lives."""

    secret: str
    seconds: float


@dataclass(frozen=True)
class Standing:
    """What to do about a call: anything but `go_on` means to stop."""

    id: int
    attempt: int
    state: str
    lease_until: str | None = None


class Client:
    """Calls one Watchkeeper. Raises Refused, CallOver, and httpx.TransportError when it cannot be reached."""

    def __init__(self, url: str, token: str, *, http: httpx.Client | None = None) -> None:
        self._http = http or httpx.Client()
        self._root = url.rstrip("/") + "/api/v1/workers"
        self._headers = {"Authorization": f"Bearer {token}"}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def renew(self) -> Renewed:
        """Fetch the token's next secret, and use it from now on. Refused, `token_not_renewable`: it needs none."""
        found = _known(Renewed, self._post("/token", {}))
        self._headers = {"Authorization": f"Bearer {found.secret}"}
        return found

    def register(self, registration: Registration) -> float:
        """Record an agent; returns the seconds that a lease lasts."""
        return float(self._post("/agents", registration.body())["lease_seconds"])

    def fetch(
        self, agents: Sequence[str], *, worker: str, limit: int = 1, wait: float = 20, lease: float | None = None
    ) -> list[Call]:
        """Lease calls, for `lease` seconds where the link may be away; waits up to `wait` seconds for the first."""
        body = {"agents": list(agents), "worker": worker, "limit": limit, "wait": wait, "lease": lease}
        return [_known(Call, call) for call in self._post("/calls", body, wait=wait)["calls"]]

    def heartbeat(self, calls: Sequence[Call], *, lease: float | None = None) -> list[Standing]:
        """Renew the leases of all calls that are worked on."""
        body = {"calls": [{"id": call.id, "attempt": call.attempt} for call in calls], "lease": lease}
        return [_known(Standing, one) for one in self._post("/heartbeat", body)["calls"]]

    def complete(
        self,
        call: Call,
        output: Mapping[str, Any],
        *,
        confidence: float | None = None,
        usage: Mapping[str, Any] | None = None,
    ) -> str:
        """Settle with an output; returns "completed", or "failed" if it breaks the contract."""
        return self.settle(call.id, call.attempt, completed(output, confidence=confidence, usage=usage))

    def fail(self, call: Call, kind: str, message: str, *, code: str = "", retry_after: float | None = None) -> str:
        """Settle with a failure: transient, permanent or business."""
        return self.settle(call.id, call.attempt, failed(kind, message, code=code, retry_after=retry_after))

    def ask(self, call: Call, action: Mapping[str, Any], reason: str, proposal: Mapping[str, Any] | None = None) -> str:
        """End this attempt with a question to people; approved, the call is handed out again."""
        return self.settle(call.id, call.attempt, asked(action, reason, proposal))

    def release(self, call: Call) -> None:
        """Give a call back unjudged."""
        self._post(f"/calls/{call.id}/release", {"attempt": call.attempt})

    def settle(self, call: int, attempt: int, how: Mapping[str, Any]) -> str:
        """Send what `completed`, `failed` or `asked` has made; returns what it was judged to be."""
        found = self._post(f"/calls/{call}/settle", {"attempt": attempt, **how})
        return str(found["outcome"])

    def _post(self, path: str, body: dict[str, Any], *, wait: float = 0) -> Any:
        response = self._http.post(self._root + path, json=body, headers=self._headers, timeout=wait + _PATIENCE)
        if response.is_success:
            return response.json() if response.content else {}
        raise _refusal(response)


def completed(
    output: Mapping[str, Any], *, confidence: float | None = None, usage: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """An answer: the output."""
    return {"output": dict(output), "confidence": confidence, "usage": dict(usage or {})}


def failed(kind: str, message: str, *, code: str = "", retry_after: float | None = None) -> dict[str, Any]:
    """An answer: a failure."""
    return {"failure": {"kind": kind, "message": message, "code": code, "retry_after": retry_after}}


def asked(action: Mapping[str, Any], reason: str, proposal: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An answer: a question to people."""
    return {"question": {"action": dict(action), "reason": reason, "proposal": dict(proposal or {})}}


def _known[T](kind: type[T], sent: Mapping[str, Any]) -> T:
    """What this client knows of what was sent: a newer server may say more."""
    names = kind.__dataclass_fields__  # type: ignore[attr-defined]
    return kind(**{name: value for name, value in sent.items() if name in names})


def _refusal(response: httpx.Response) -> Refused:
    try:
        said = response.json()["error"]
        facts = (response.status_code, said["code"], said["message"], said["remedy"])
    except (ValueError, KeyError, TypeError):
        facts = (response.status_code, "unreadable", f"The server answered {response.status_code}", "")
    kind = CallOver if facts[1] == "call_over" else Refused
    return kind(*facts, retry_after=float(response.headers.get("Retry-After", 0) or 0))
