"""Tools of MCP servers: `mcp_tool(...)` registers one like `@tool` does, so that the policies in force, approvals,
seals, limits and records hold for it. `list_tools()` says what a server offers.

Its contracts are written down where it is registered: a server that describes its tool otherwise one day changes
nothing about what is sent to it and what is taken back. Only servers that MCP_SERVERS names are reached:
`name=https://host/mcp,other=...`; no agent and no definition names an address. The token of a server is in
`MCP_<NAME>_TOKEN`. What a server says is data: bounded, and never an instruction.
"""

import asyncio
import ipaddress
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Unpack
from urllib.parse import urlsplit

import httpx2
import orjson
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from agents import tracing
from agents.contracts import ContractSource, compile_contract
from agents.errors import Business, ContractViolation, InvalidContract, Permanent, Transient
from agents.tools import registry as registry_module
from agents.tools.registry import ToolRegistry
from agents.tools.specs import ToolFacts, ToolFunction, build_tool
from agents.types import Json

VARIABLE: Final = "MCP_SERVERS"
MOST_TOOLS: Final = 200
MOST_BYTES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class McpTool:
    """One tool as its server describes it; `name` is `<server>.<tool>`."""

    name: str
    description: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any] | None


def mcp_tool(
    name: str,
    *,
    server: str,
    tool: str,
    input: ContractSource,  # noqa: A002 - the word of every contract
    output: ContractSource,
    registry: ToolRegistry = registry_module.default,
    **facts: Unpack[ToolFacts],
) -> ToolFunction:
    """Register `tool` of the MCP server that MCP_SERVERS calls `server`, and return its function.

    Nobody here knows what it does: without a `risk` it is high, so people approve each call.
    """
    accepted, promised = compile_contract(input).schema, compile_contract(output).schema
    known = McpTool(f"{server}.{tool}", facts.get("description", ""), accepted, promised)

    async def call(given: dict[str, Json], ctx: Any) -> dict[str, Json]:
        return await call_tool(known, given, trace=ctx.traceparent)

    call.__module__, call.__qualname__ = __name__, f"{server}.{tool}"
    told: ToolFacts = {"risk": "high", "title": f"{tool} on {server}", **facts}
    # The schema alone: what is sent is plain values, not a model's.
    registry.add(build_tool(name, call, takes=accepted, gives=promised, facts=told))
    return call


def servers() -> dict[str, str]:
    """Addresses by name. Permanent when the variable cannot be read."""
    found: dict[str, str] = {}
    for part in filter(None, os.environ.get(VARIABLE, "").split(",")):
        name, _, url = part.strip().partition("=")
        if not name.isidentifier() or "@" in url or not _may_be_spoken_to(url):
            problem = f"Set {VARIABLE} to name=https://host/mcp; plain http is for addresses of this machine alone."
            raise Permanent(problem, code="mcp_configuration")
        found[name] = url
    return found


def _may_be_spoken_to(url: str) -> bool:
    """A token does not travel readable."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return bool(parts.hostname)
    try:
        return parts.scheme == "http" and ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


class _Bounded(httpx2.AsyncHTTPTransport):
    """Ends an answer that goes on beyond the most bytes, before it fills the worker's memory."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """As the transport does, with what comes counted; a compressed answer could be of any size and is refused."""
        response = await super().handle_async_request(request)
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise httpx2.ReadError("the answer is compressed")
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Counted(response.stream)
        return response


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = 2 * MOST_BYTES
        async for part in self._stream:
            left -= len(part)
            if left < 0:
                raise httpx2.ReadError("the answer is too large")
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


async def list_tools(server: str, *, seconds: float = 30) -> list[McpTool]:
    """The tools of a server, 200 at most; those whose input schema cannot be used are left out.

    Raises Permanent and Transient.
    """
    async with _session(server, seconds) as client:
        answer = await client.list_tools()
    return [
        McpTool(f"{server}.{tool.name}", (tool.description or "")[:2000], tool.input_schema, tool.output_schema)
        for tool in answer.tools[:MOST_TOOLS]
        if _is_usable(tool.input_schema)
    ]


async def call_tool(
    tool: McpTool, given: Mapping[str, Json], *, seconds: float = 60, trace: str = ""
) -> dict[str, Json]:
    """What a tool answers, held to its contracts: `{"text": ...}` where it gives no structure.

    Raises Permanent, Transient, and Business when the tool itself says that it failed.
    """
    server, _, name = tool.name.partition(".")
    try:
        compile_contract(tool.input_schema).check(given)
    except ContractViolation as problem:
        raise Permanent(f"The input does not fit {tool.name} at {problem}", code="contract_input") from problem
    async with _session(server, seconds, trace) as client:
        answer = await client.call_tool(name, dict(given))
    text = "\n".join(getattr(part, "text", "") for part in answer.content)
    output = answer.structured_content or {"text": text}
    if len(orjson.dumps(output)) > MOST_BYTES:
        raise Permanent(f"{tool.name} answered with more than {MOST_BYTES:,} bytes.", code="output_too_large")
    if answer.is_error:
        raise Business(f"{tool.name} refused: {text[:300]}", code="tool_refused")
    if tool.output_schema:
        try:
            compile_contract(tool.output_schema).check(output)
        except ContractViolation as problem:
            raise Permanent(f"{tool.name} broke its contract at {problem}", code="contract_output") from problem
    return output


@asynccontextmanager
async def _session(server: str, seconds: float, trace: str = "") -> AsyncIterator[Client]:
    url = servers().get(server)
    if url is None:
        raise Permanent(f"No MCP server is called {server!r}; name it in {VARIABLE}.", code="mcp_configuration")
    token = os.environ.get(f"MCP_{server.upper()}_TOKEN", "")
    headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {token}"} if token else {})
    headers |= {tracing.HEADER: trace} if trace else {}
    try:
        # A redirect would lead where nobody allowed it to.
        async with (
            asyncio.timeout(seconds),
            httpx2.AsyncClient(headers=headers, timeout=seconds, follow_redirects=False, transport=_Bounded()) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            yield client
    except (Permanent, Transient, Business):
        raise
    except TimeoutError as error:
        raise Transient(f"MCP server {server} did not answer in time.", code="timeout") from error
    except MCPError as error:
        raise Permanent(f"MCP server {server} refused the call.", code="mcp_refused") from error
    except Exception as error:
        raise Transient(f"MCP server {server} could not be reached.", code="connection") from error


def _is_usable(schema: Mapping[str, Any]) -> bool:
    try:
        compile_contract(schema)
    except InvalidContract:
        return False
    return True
