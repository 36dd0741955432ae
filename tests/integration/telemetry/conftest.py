"""Outlets that lead to servers of the tests' own."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from monitoring.telemetry import otlp, own_spans, pump, ways
from tests.receivers import Receiver, receiving


@pytest.fixture(autouse=True)
def _spans_of_this_test_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What earlier tests' requests put aside is not counted here, and no thread writes beside a test's transaction."""
    monkeypatch.setattr(own_spans, "_waiting", deque())
    monkeypatch.setattr(own_spans, "_lost", 0)
    monkeypatch.setattr(own_spans, "_begin_writing", lambda: None)


@pytest.fixture
def collector() -> Iterator[Receiver]:
    """What takes OTLP and lines."""
    with receiving() as found:
        yield found


@pytest.fixture
def lead(settings: Any) -> Iterator[Callable[..., None]]:
    """Switch outlets on: `lead(traces=url)`, `lead(siem=url, form="cef")`."""

    def switch(*, traces: str = "", siem: str = "", form: str = "json", share: float = 1.0, log: bool = False) -> None:
        settings.TRACES = {"endpoint": f"{traces}/v1/traces" if traces else "", "share": share}
        settings.SIEM_URL, settings.SIEM_FORMAT = siem, form
        settings.OUTLETS = [name for name, on in (("traces", traces), ("siem", siem), ("log", log)) if on]
        otlp.sender.cache_clear()
        for name in settings.OUTLETS:
            pump.outlet_of(name)

    yield switch
    otlp.sender.cache_clear()


@pytest.fixture
def send() -> Callable[[], int]:
    """Send on, as the control worker's thread does."""
    return lambda: pump.run(ways.WAYS)
