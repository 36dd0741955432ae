"""Workers outside the engine, for tests: as whom they call, what they register, a flow with one step of theirs."""

from typing import Any

from django.contrib.auth.models import User

from approvals import tokens
from tests import people
from tests.api import Api

OPEN = {"type": "object"}
ECHO = {
    "name": "outside",
    "input": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    "output": {"type": "object", "properties": {"said": {"type": "string"}}, "required": ["said"]},
    "timeout": 20,
}
STEP = """
  - {key: work, type: automated, agent: outside, inputs: {text: "${input.text}"}}
"""


def worker(name: str = "robot") -> tuple[User, Api]:
    """Somebody who may register agents and work as any, with a token of the scope `work`."""
    user = people.person(name, "Agent Development Specialist")
    return user, with_token(user)


def with_token(user: User, *scopes: str) -> Api:
    """A client with a new token of this user."""
    return Api(secret_of(user, *scopes))


def secret_of(user: User, *scopes: str) -> str:
    """A new token of this user."""
    return tokens.create(user=user, name="worker", scopes=list(scopes) or ["work"])[1]


def registered(api: Api, **changed: Any) -> dict[str, Any]:
    """Register the echo agent."""
    answer = api.post("/workers/agents", {**ECHO, **changed})
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()
    return found


def fetched(
    api: Api, *, limit: int = 1, wait: float = 0, agents: tuple[str, ...] = ("outside",), worker: str = "w1"
) -> list[Any]:
    """Fetch calls."""
    answer = api.post("/workers/calls", {"agents": list(agents), "worker": worker, "limit": limit, "wait": wait})
    assert answer.status_code == 200, answer.content
    found: list[Any] = answer.json()["calls"]
    return found


def settled(api: Api, call: dict[str, Any], **how: Any) -> Any:
    """The response to an answer."""
    return api.post(f"/workers/calls/{call['id']}/settle", {"attempt": call["attempt"], **how})
