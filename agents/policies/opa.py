"""The same questions put to Open Policy Agent over its data API: `POST <url> {"input": ...}` -> `{"result": ...}`.

`result` is `{"allow": true, "queue": "leads", "entitlement": "...", "reason": "..."}`; `allow` must be true, nothing
else allows. Whatever is not a clear yes in time is a no. The address comes from the settings only.
https://www.openpolicyagent.org/docs/rest-api#get-a-document-with-input
"""

import asyncio
from typing import Any, Final

import httpx
import orjson
import structlog

from agents.closing import before_loop_ends
from agents.policies.documents import ASKS
from agents.policies.rules import Question, Ruling

log = structlog.get_logger(__name__)
LARGEST: Final = 64 * 1024  # bytes of an answer

_clients: dict[asyncio.AbstractEventLoop, httpx.AsyncClient] = {}


class Opa:
    """A policy engine at one address. `timeout` in seconds."""

    def __init__(self, url: str, *, timeout: float = 0.5, token: str = "") -> None:
        self._url = url
        self._timeout = timeout
        self._headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})

    async def decide(self, question: Question) -> Ruling:
        """Ask OPA; anything but a clear yes in time is a denial."""
        client = _client()  # made outside of the time limit: its certificates are read from disk
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._ask(client, question)
        except (TimeoutError, httpx.HTTPError, ValueError, OSError) as error:
            log.warning("policy_engine_failed", engine="opa", problem=type(error).__name__)
            return _no("policy_engine", f"the policy service gave no answer ({type(error).__name__})")
        return _ruling(answer, question)

    async def _ask(self, client: httpx.AsyncClient, question: Question) -> Any:
        body = orjson.dumps({"input": _input(question)})
        async with client.stream(
            "POST", self._url, content=body, headers=self._headers, follow_redirects=False
        ) as response:
            if response.status_code != 200:
                raise ValueError(f"status {response.status_code}")
            parts = bytearray()
            async for part in response.aiter_bytes():
                parts += part
                if len(parts) > LARGEST:
                    raise ValueError("too large")
        found = orjson.loads(parts)
        return found.get("result") if isinstance(found, dict) else None


def _input(question: Question) -> dict[str, Any]:
    return {
        "agent": question.agent,
        "tool": {"name": question.tool, "version": question.version, "risk": question.risk},
        "scopes": list(question.scopes),
        "arguments": dict(question.arguments),
        "run": dict(question.run),
    }


def _ruling(answer: Any, question: Question) -> Ruling:
    if not isinstance(answer, dict) or answer.get("allow") is not True:
        reason = answer.get("reason") if isinstance(answer, dict) else None
        words = reason[:300] if isinstance(reason, str) and reason else "the policy service does not allow it"
        return _no("no_entitlement" if isinstance(answer, dict) else "policy_engine", words)
    queue = answer.get("queue", ASKS[question.risk])
    if not isinstance(queue, str) or (queue in ("", "none") and question.risk == "critical"):
        queue = ASKS["critical"]
    entitlement = answer.get("entitlement")
    return Ruling(
        allowed=True,
        queue="" if queue == "none" else queue[:50],
        policy="opa",
        entitlement=entitlement[:100] if isinstance(entitlement, str) else "",
    )


def _no(code: str, why: str) -> Ruling:
    return Ruling(allowed=False, policy="opa", code=code, why=why, remedy="ask whoever keeps the policy service")


def _client() -> httpx.AsyncClient:
    loop = asyncio.get_running_loop()
    if loop not in _clients:
        for ended in [known for known in _clients if known.is_closed()]:
            del _clients[ended]
        _clients[loop] = httpx.AsyncClient(trust_env=False)
    return _clients[loop]


async def close_clients() -> None:
    """Close the running loop's connections."""
    if client := _clients.pop(asyncio.get_running_loop(), None):
        await client.aclose()


before_loop_ends(close_clients)
