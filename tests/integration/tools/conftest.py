"""Tools are recorded, and nothing is allowed yet."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from approvals.models import Queue
from orchestrator.engine import threads
from tests import toolbox


@pytest.fixture(autouse=True)
def _toolbox(transactional_db: None, settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.DATA_DIR = tmp_path
    for name in ("default", "operations", "leads"):
        Queue.objects.get_or_create(name=name, defaults={"title": name})
    toolbox.forget()
    yield
    threads.processes().close()
    toolbox.forget()
