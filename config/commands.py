"""The command lines of the product's processes, as `make up` starts them on one machine and anybody on many."""

import sys

from config import env

_CELERY = (sys.executable, "-m", "config.celery_command")
_QUIETLY = ("--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "WARNING")


def web(host: str, port: int) -> list[str]:
    """A web server. Any number may serve one database."""
    address = ["--host", host, "--port", str(port)]
    # Frames are a hundred bytes: compressing them costs each socket memory and each frame time, and saves nothing.
    limits = ["--ws-max-size", "65536", "--ws-per-message-deflate", "false", "--timeout-graceful-shutdown", "3"]
    # Only whoever stands in front of us may say who a client is: believed from anybody, it defeats every throttle.
    proxies = env.networks("TRUSTED_PROXIES", "127.0.0.1" if env.flag("HTTPS", default=False) else "")
    limits += ["--forwarded-allow-ips", ",".join(proxies)] if proxies else ["--no-proxy-headers"]
    quietly = ["--no-server-header", "--no-access-log", "--log-level", "warning"]
    return [sys.executable, "-m", "uvicorn", "config.asgi:application", *address, *limits, *quietly]


def worker(name: str, *, shifts: int) -> list[str]:
    """A worker with a process for each shift it may hold. SHIFTS limits the shifts of all workers together."""
    return [*_CELERY, "worker", "-P", "prefork", *_QUIETLY, "-Q", "shifts", "-c", str(shifts), "-n", f"{name}@%h"]


def control(name: str) -> list[str]:
    """The worker for upkeep: one process leads the ledger, one keeps the time, one sweeps."""
    return [*_CELERY, "worker", "-P", "prefork", *_QUIETLY, "-Q", "control", "-c", "3", "-n", f"{name}@%h"]


def beat() -> list[str]:
    """The clock that rings. One is enough; two do no harm."""
    return [*_CELERY, "beat", "-l", "WARNING", "--pidfile="]
