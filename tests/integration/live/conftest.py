"""Sockets against a real server."""

from tests.live import live

__all__ = ["live"]
