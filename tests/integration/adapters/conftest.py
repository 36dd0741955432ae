"""Fresh rate limits for every test, and a real web server."""

import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from django.core.asgi import get_asgi_application

from config.api.limits import buckets


@pytest.fixture(autouse=True)
def full_buckets() -> Iterator[None]:
    buckets.clear()
    yield
    buckets.clear()


@pytest.fixture
def address(transactional_db: None) -> Iterator[str]:
    """The product's web server, at this address of this machine."""
    server = uvicorn.Server(
        uvicorn.Config(get_asgi_application(), host="127.0.0.1", port=0, lifespan="off", log_level="warning")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    while server.server_state.tasks and time.monotonic() < deadline + 40:
        time.sleep(0.005)
    server.should_exit = server.force_exit = True
    thread.join(10)
