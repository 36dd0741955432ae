"""Settings read from the environment: what is wrong is named."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env


@pytest.mark.parametrize(
    ("value", "found"),
    [("high=30s,critical=2m", {"high": 30.0, "critical": 120.0}), ("none", {}), ("low=1h", {"low": 3600.0})],
)
def test_spans_are_read_in_seconds(monkeypatch, value, found):
    monkeypatch.setenv("SPANS", value)

    assert env.spans("SPANS", "", names=("low", "high", "critical"), most=3600.0) == found


@pytest.mark.parametrize("value", ["high=30", "grave=1s", "high=2h", "high", "high=-1s"])
def test_spans_that_cannot_be_read_are_named(monkeypatch, value):
    monkeypatch.setenv("SPANS", value)

    with pytest.raises(ImproperlyConfigured, match="cannot be read at"):
        env.spans("SPANS", "", names=("low", "high"), most=3600.0)
