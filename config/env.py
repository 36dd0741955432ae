"""Read settings from the environment; a bad value is one sentence that names variable, value and remedy."""

import os
import re
from ipaddress import ip_network
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_RATE = re.compile(r"\d{1,6}(\.\d{1,6})?")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


def text(name: str, default: str) -> str:
    """The variable's value, or `default` when unset or empty."""
    return os.environ.get(name) or default


def flag(name: str, *, default: bool) -> bool:
    """A yes/no variable; anything but 1/0, true/false, yes/no raises ImproperlyConfigured."""
    value = text(name, "1" if default else "0").lower()
    if value in {"1", "true", "yes"}:
        return True
    if value in {"0", "false", "no"}:
        return False
    raise ImproperlyConfigured(f"{name}={value!r} is not a yes/no value; set it to 1 or 0.")


def integer(name: str, default: int, *, low: int, high: int) -> int:
    """A whole number between `low` and `high`; anything else raises ImproperlyConfigured."""
    value = text(name, str(default))
    if value.lstrip("-").isdigit() and low <= int(value) <= high:
        return int(value)
    raise ImproperlyConfigured(f"{name}={value!r} is not a whole number from {low} to {high}; correct or unset it.")


def name(variable: str, default: str) -> str:
    """A name as definitions write it: lower-case letters, digits and -, at most 40 of them."""
    value = text(variable, default)
    if _NAME.fullmatch(value):
        return value
    raise ImproperlyConfigured(f"{variable}={value!r} is not a name; write it like eu-west or unset it.")


def counts(variable: str) -> dict[str, int]:
    """Names with whole numbers, "eu=2,us=1"; none when it is unset."""
    found: dict[str, int] = {}
    for part in filter(None, text(variable, "").split(",")):
        key, _, count = part.strip().partition("=")
        if not _NAME.fullmatch(key) or not count.isdigit() or not 1 <= int(count) <= 256:
            raise ImproperlyConfigured(f"{variable} has {part!r}; write it like eu=2,us=1 or unset it.")
        found[key] = int(count)
    return found


def choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    """One of `choices`; anything else raises ImproperlyConfigured."""
    value = text(name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name}={value!r} is not one of {', '.join(choices)}; correct or unset it.")
    return value


def log_level() -> str:
    """LOG_LEVEL, in capitals."""
    level = text("LOG_LEVEL", "INFO").upper()
    if level not in _LEVELS:
        raise ImproperlyConfigured(f"LOG_LEVEL={level!r} is not one of {', '.join(_LEVELS)}; correct or unset it.")
    return level


def feed_rate() -> str:
    """FEED_RATE as it is written: runs a minute, or nothing if it is not set."""
    rate = text("FEED_RATE", "")
    if rate and not (_RATE.fullmatch(rate) and float(rate) <= 6000):
        raise ImproperlyConfigured(
            f"FEED_RATE={rate!r} is not a number of runs a minute up to 6000; write 6, 0.5 or 0, or unset it."
        )
    return rate


def spans(name: str, default: str, *, names: tuple[str, ...], most: float) -> dict[str, float]:
    """Lengths of time by name, `high=30s,critical=2m`, in seconds; `none` for no length at all."""
    value = text(name, default)
    found: dict[str, float] = {}
    for part in value.split(",") if value != "none" else ():
        key, _equals, span = part.strip().partition("=")
        number, unit = span[:-1], {"s": 1, "m": 60, "h": 3600}.get(span[-1:])
        if key not in names or unit is None or not number.isdigit() or int(number) * unit > most:
            remedy = f"write {names[-1]}=30s, with at most {most:g} s for any of {', '.join(names)}, or none"
            raise ImproperlyConfigured(f"{name}={value!r} cannot be read at {part!r}; {remedy}.")
        found[key] = float(int(number) * unit)
    return found


def drain_seconds() -> int:
    """How long workers that were asked to stop go on with what they run: DRAIN_SECONDS."""
    return integer("DRAIN_SECONDS", 8, low=0, high=3600)


def database(name: str, default: str) -> dict[str, Any]:
    """A `postgresql://user:password@host:port/name` URL as Django's DATABASES entry."""
    value = text(name, default)
    remedy = f"{name} is not a PostgreSQL address; write it as postgresql://user:password@host:port/name or unset it."
    try:
        url = urlsplit(value)
        port = url.port or 5432
    except ValueError as error:
        raise ImproperlyConfigured(remedy) from error
    if url.scheme not in {"postgres", "postgresql"} or not url.path.strip("/"):
        raise ImproperlyConfigured(remedy)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(url.path.strip("/")),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": url.hostname or "",
        "PORT": port,
    }


def mailers(name: str) -> dict[str, Any]:
    """`smtp://user:password@host:port` as Django's MAILERS; one that sends nothing if there is none.

    `smtps://` is TLS from the start, `?tls=1` is STARTTLS.
    """
    value = text(name, "")
    if not value:
        return {"default": {"BACKEND": "django.core.mail.backends.dummy.EmailBackend"}}
    remedy = f"{name} is not a mail server's address; write it as smtp://user:password@host:port?tls=1 or unset it."
    try:
        url = urlsplit(value)
        port = url.port or (465 if url.scheme == "smtps" else 25)
    except ValueError as error:
        raise ImproperlyConfigured(remedy) from error
    if url.scheme not in {"smtp", "smtps"} or not url.hostname or url.query not in {"", "tls=1"}:
        raise ImproperlyConfigured(remedy)
    options = {
        "host": url.hostname,
        "port": port,
        "username": unquote(url.username or ""),
        "password": unquote(url.password or ""),
        "use_ssl": url.scheme == "smtps",
        "use_tls": url.query == "tls=1",
        "timeout": 10,
    }
    return {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}}


def words(name: str, default: str = "") -> list[str]:
    """What a variable lists, with commas between."""
    return [word for word in (part.strip() for part in text(name, default).split(",")) if word]


def networks(name: str, default: str = "") -> list[str]:
    """Addresses and networks that a variable lists, with commas between. Never everybody: that would be no list."""
    found = words(name, default)
    for one in found:
        try:
            everybody = ip_network(one).prefixlen == 0
        except ValueError:
            everybody = True
        if everybody:
            raise ImproperlyConfigured(
                f"{name}={one!r} is no address or network; write it as 10.0.0.7 or 10.0.0.0/24, with commas between."
            )
    return found


def openid_provider(prefix: str) -> dict[str, Any]:
    """django-allauth's settings for the provider at PREFIX_ISSUER, with its client's id and secret; {} without one."""
    issuer = text(f"{prefix}_ISSUER", "").rstrip("/")
    if not issuer:
        return {}
    client, secret = text(f"{prefix}_CLIENT_ID", ""), text(f"{prefix}_CLIENT_SECRET", "")
    if urlsplit(issuer).scheme not in {"http", "https"} or not client or not secret:
        raise ImproperlyConfigured(
            f"{prefix}_ISSUER needs an https:// address, and {prefix}_CLIENT_ID and {prefix}_CLIENT_SECRET beside it."
        )
    app = {
        "provider_id": "sso",
        "name": text(f"{prefix}_NAME", urlsplit(issuer).hostname or "SSO"),
        "client_id": client,
        "secret": secret,
        "settings": {"server_url": issuer, "oauth_pkce_enabled": True},
    }
    return {"openid_connect": {"APPS": [app], "OAUTH_PKCE_ENABLED": True}}


def openid_origins(prefix: str) -> list[str]:
    """Where signing in with the provider leads the browser, as scheme, host and port."""
    found = urlsplit(text(f"{prefix}_ISSUER", ""))
    return [f"{found.scheme}://{found.netloc}"] if found.netloc else []


def web_address(name: str, *, holds: str = "") -> str:
    """An http:// or https:// address, without a name and password in it; empty when unset."""
    value = text(name, "").strip()
    if not value:
        return ""
    try:
        url = urlsplit(value)
        _ = url.port
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is not an address; write it as https://host/path or unset it.") from error
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise ImproperlyConfigured(f"{name} is not an address; write it as https://host/path or unset it.")
    if url.username or url.password:
        raise ImproperlyConfigured(f"{name} holds a name or password; put what proves who you are into its headers.")
    if holds not in value:
        raise ImproperlyConfigured(f"{name} does not say {holds}; put it where that belongs in the address.")
    return value


def traces() -> dict[str, Any]:
    """Where spans go and how many of them, by OpenTelemetry's own names: `endpoint` empty for nowhere."""
    base = web_address("OTEL_EXPORTER_OTLP_ENDPOINT")
    endpoint = web_address("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or (f"{base.rstrip('/')}/v1/traces" if base else "")
    protocol = text("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", text("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"))
    if endpoint and protocol != "http/protobuf":
        raise ImproperlyConfigured(
            f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol!r} is not spoken here; use the collector's port for http/protobuf, "
            "usually 4318, and unset it."
        )
    known = ("always_on", "always_off", "traceidratio")
    sampler = choice(
        "OTEL_TRACES_SAMPLER", "parentbased_always_on", (*known, *(f"parentbased_{one}" for one in known))
    ).removeprefix("parentbased_")
    is_off = sampler == "always_off" or flag("OTEL_SDK_DISABLED", default=False)
    return {
        "endpoint": "" if is_off or text("OTEL_TRACES_EXPORTER", "otlp") == "none" else endpoint,
        "share": _share("OTEL_TRACES_SAMPLER_ARG") if sampler == "traceidratio" else 1.0,
    }


def _share(name: str) -> float:
    value = text(name, "1")
    try:
        share = float(value)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ImproperlyConfigured(f"{name}={value!r} is not a share from 0 to 1; write 0.1 for a tenth, or unset it.")
    return share


def siem(name: str) -> str:
    """`https://host/path`, `syslog+tcp://host:port`, `syslog+tls://` or `syslog+udp://`; empty when unset."""
    value = text(name, "").strip()
    if value.startswith(("http://", "https://")):
        return web_address(name)
    if not value:
        return ""
    try:
        url = urlsplit(value)
        is_good = url.scheme in {"syslog+tcp", "syslog+tls", "syslog+udp"} and url.hostname and not url.username
        _ = url.port
    except ValueError:
        is_good = False
    if not is_good:
        raise ImproperlyConfigured(
            f"{name} is not where a SIEM listens; write https://host/path, syslog+tls://host:6514 or syslog+udp://host:514."
        )
    return value
