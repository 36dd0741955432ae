"""Settings read from the environment: what is wrong is named."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import commands, env


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


@pytest.mark.parametrize("value", ["10.0.0.7,10.1.0.0/16", "::1"])
def test_networks_are_read_as_they_are_written(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", value)

    assert env.networks("TRUSTED_PROXIES") == value.split(",")


@pytest.mark.parametrize("value", ["*", "0.0.0.0/0", "::/0", "proxy.example.org", "10.0.0.1/16"])
def test_networks_are_never_everybody_nor_a_name(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", value)

    with pytest.raises(ImproperlyConfigured, match="TRUSTED_PROXIES"):
        env.networks("TRUSTED_PROXIES")


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, ["--no-proxy-headers"]),
        ({"HTTPS": "1"}, ["--forwarded-allow-ips", "127.0.0.1"]),
        ({"TRUSTED_PROXIES": "10.0.0.7"}, ["--forwarded-allow-ips", "10.0.0.7"]),
    ],
    ids=["nobody-in-front", "tls-on-this-machine", "a-proxy-elsewhere"],
)
def test_who_a_client_is_is_believed_from_the_proxies_that_are_named_alone(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], told: list[str]
) -> None:
    for name in ("HTTPS", "TRUSTED_PROXIES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    found = commands.web("127.0.0.1", 8000)

    assert " ".join(told) in " ".join(found)
    assert ("--no-proxy-headers" in found) == (told == ["--no-proxy-headers"])
