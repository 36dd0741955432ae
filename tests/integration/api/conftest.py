"""Fresh rate limits for every test, and a way to seal events."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db.models import Max

from config.api.limits import buckets
from orchestrator import db
from orchestrator.models import Event, LedgerEntry
from orchestrator.sequencer import Sequencer


@pytest.fixture(autouse=True)
def full_buckets() -> Iterator[None]:
    buckets.clear()
    yield
    buckets.clear()


@pytest.fixture
def sealed(transactional_db: None, settings: Any, tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Seal what has been committed."""
    settings.DATA_DIR = tmp_path
    with psycopg.connect(**db.connection_parameters()) as connection:
        sequencer = Sequencer(connection)
        sequencer.open()

        def seal() -> None:
            last = Event.objects.aggregate(last=Max("id"))["last"] or 0
            deadline = time.monotonic() + 20
            while LedgerEntry.objects.filter(event_id=last).count() == 0:
                assert time.monotonic() < deadline, f"event {last} was not sealed"
                sequencer.turn()

        yield seal
