"""Remote agents over HTTP: each call is one signed POST; the answer comes with the response or later.

The request carries the headers of Standard Webhooks (https://www.standardwebhooks.com) and an Idempotency-Key that is
stable across attempts. 200 answers at once; 202 means that the answer will be sent to the signed address `answer_to`.
Retries are the engine's. Redirects are not followed, and what comes back is bounded in size and time.
"""

import asyncio
import inspect
import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final, Required, Unpack

import httpx
import orjson
from pydantic import ValidationError
from standardwebhooks import Webhook

from agents import registry as registry_module
from agents import tracing
from agents.adapters import destinations
from agents.adapters.answers import AnswerIn
from agents.adapters.destinations import Destination
from agents.closing import before_loop_ends
from agents.context import AgentContext
from agents.contracts import ContractSource, compile_contract
from agents.errors import Permanent, Transient
from agents.registry import Registry
from agents.specs import Facts, build_spec
from agents.types import AgentFunction, Completed, Deferred, Failed, Json, NeedsApproval

MOST_BYTES: Final = 2_000_000
BUSY: Final = {408, 409, 425, 429}
# One loop's connections cannot serve another, and every shift has its own loop.
_clients: dict[asyncio.AbstractEventLoop, httpx.AsyncClient] = {}


class RemoteFacts(Facts, total=False):
    """What the registration of a remote agent says besides name and contracts."""

    url: Required[str]
    secret: Required[str]


def http_agent(
    name: str,
    *,
    input: ContractSource,  # noqa: A002 - the word of every definition and page
    output: ContractSource,
    registry: Registry = registry_module.default,
    **facts: Unpack[RemoteFacts],
) -> AgentFunction:
    """Register a remote agent and return its function.

    `url` is its address, or the name of the environment variable that holds it; `secret` names the variable that holds
    the key which both sides share (`whsec_...`). Where it may be is the operator's to say: see `destinations`.
    """
    place, variable = facts["url"], facts["secret"]

    async def work(given: Any, ctx: AgentContext) -> Completed | NeedsApproval | Failed | Deferred:
        url = place if "://" in place else _from_environment(place)
        signer = Webhook(_from_environment(variable))
        return await _post(await destinations.resolve(url), signer, _body(name, given, ctx), ctx)

    caller = inspect.stack(context=0)[1]
    work.place = f"{caller.filename}:{caller.lineno}"  # type: ignore[attr-defined]
    told: Facts = {key: value for key, value in facts.items() if key in Facts.__annotations__}  # type: ignore[assignment]
    module = caller.frame.f_globals.get("__name__", caller.filename)
    told |= {"kind": "http", "isolation": "loop", "entrypoint": f"{module}:{name}", "config": _config(facts)}
    # The schema alone: a request is made of plain values, not of a model's attributes.
    schema = compile_contract(input).schema
    registry.add(build_spec(name, work, takes=schema, gives=output, facts=told))
    return work


def _config(facts: RemoteFacts) -> Mapping[str, Json]:
    return {**facts.get("config", {}), "url": facts["url"], "secret": facts["secret"]}


def _from_environment(variable: str) -> str:
    found = os.environ.get(variable, "")
    if not found:
        raise Permanent(
            f"Set the environment variable {variable}, which this agent needs.", code="remote_configuration"
        )
    return found


def _body(name: str, given: Any, ctx: AgentContext) -> bytes:
    facts = {"agent": name, "input": given, "key": ctx.key, "attempt": ctx.attempt, "timeout": ctx.timeout}
    facts |= {"note": ctx.note, "correlation_id": ctx.correlation_id, "approvals": [asdict(a) for a in ctx.approvals]}
    return orjson.dumps({**facts, "answer_to": ctx.answer_to() if ctx.answer_to else None})


async def _post(
    to: Destination, signer: Webhook, body: bytes, ctx: AgentContext
) -> Completed | NeedsApproval | Failed | Deferred:
    now = datetime.now(UTC)
    sent_as = f"{ctx.key}-{ctx.attempt}"
    headers = {
        "Host": to.authority,
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
        "Idempotency-Key": ctx.key,
        "webhook-id": sent_as,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signer.sign(sent_as, now, body.decode()),
    }
    if trace := ctx.traceparent:
        headers[tracing.HEADER] = trace
    request = _client().build_request("POST", to.pinned, content=body, headers=headers, timeout=ctx.timeout)
    request.extensions["sni_hostname"] = to.host
    try:
        response = await _client().send(request, stream=True)
        try:
            return _answered(response, await _bounded(response), ctx)
        finally:
            await response.aclose()
    except httpx.TimeoutException as error:
        raise Transient(f"{to.host} did not answer in time.", code="timeout") from error
    except httpx.HTTPError as error:
        raise Transient(f"{to.host} could not be reached, or broke off.", code="connection") from error


async def _bounded(response: httpx.Response) -> bytes:
    if response.headers.get("Content-Encoding", "identity") != "identity":  # a small answer could become a huge one
        raise Permanent("The remote agent's answer is compressed, which is not accepted.", code="remote_answer")
    found = bytearray()
    async for part in response.aiter_raw():
        found += part
        if len(found) > MOST_BYTES:
            raise Permanent(f"The remote agent's answer has more than {MOST_BYTES} bytes.", code="output_too_large")
    return bytes(found)


def _answered(
    response: httpx.Response, body: bytes, ctx: AgentContext
) -> Completed | NeedsApproval | Failed | Deferred:
    match response.status_code:
        case 200:
            return _read(body)
        case 202 if ctx.answer_to is not None:
            return Deferred(pulled=False)
        case status if 300 <= status < 400:
            raise Permanent("The remote agent answered with a redirect, which is not followed.", code="remote_redirect")
        case status if status in BUSY or status >= 500:
            message = f"The remote agent answered {status}."
            raise Transient(message, code="remote_busy", retry_after=_seconds(response.headers.get("Retry-After")))
        case status:
            raise Permanent(f"The remote agent refused the call with {status}.", code="remote_refused")


def _read(body: bytes) -> Completed | NeedsApproval | Failed:
    try:
        return AnswerIn.model_validate(orjson.loads(body)).said()
    except (orjson.JSONDecodeError, ValidationError) as error:
        # Transient: it may be a proxy's page while the agent itself is being restarted.
        raise Transient(
            "The remote agent's answer is not one of output, failure, question.", code="remote_answer"
        ) from error


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() and len(text) < 6 else None


def _client() -> httpx.AsyncClient:
    loop = asyncio.get_running_loop()
    found = _clients.get(loop)
    if found is None:
        limits = httpx.Limits(max_connections=1000, max_keepalive_connections=100)
        found = _clients[loop] = httpx.AsyncClient(follow_redirects=False, trust_env=False, limits=limits)
    return found


async def _close() -> None:
    client = _clients.pop(asyncio.get_running_loop(), None)
    if client is not None:
        await client.aclose()


before_loop_ends(_close)
