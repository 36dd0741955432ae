"""Every engine test starts with people's queues and with the test agents' memory empty."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from approvals.models import Queue
from orchestrator import failpoints
from tests import engine
from tests.hands import Hand


@pytest.fixture(autouse=True)
def _fresh(transactional_db: None, settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.DATA_DIR = tmp_path  # the ledger's anchors
    engine.calls.clear()
    engine.gates_open.clear()
    for name in ("default", "operations", "leads"):
        Queue.objects.get_or_create(name=name, defaults={"title": name})
    yield
    failpoints.configure("")
    Hand.close_all()
