"""Watchkeeper as an MCP server: what programs may do by REST, as tools for agents of others."""

from collections.abc import Awaitable, Callable
from typing import Any

PATH = "/mcp"


def beside(django: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """An HTTP application that serves MCP at its path and everything else by Django."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"].rstrip("/") != PATH:
            await django(scope, receive, send)
            return
        from config.mcp_server import app  # noqa: PLC0415 - a second of imports that few processes need

        await app.serve(scope, receive, send)

    return serve
