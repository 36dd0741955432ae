"""Read settings from the environment; a bad value is one sentence that names variable, value and remedy."""

import os
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


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


def choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    """One of `choices`; anything else raises ImproperlyConfigured."""
    value = text(name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name}={value!r} is not one of {', '.join(choices)}; correct or unset it.")
    return value


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
