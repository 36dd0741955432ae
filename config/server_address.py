"""Checks a `DATABASE_URL` before anything relies on it; each refusal is one sentence with a remedy."""

import psycopg

from config.cluster import OLDEST
from config.datadir import NeedsAttention

_REMEDIES = (
    ("password authentication failed", "the password or user name is wrong; correct them in DATABASE_URL"),
    ("no password supplied", "it wants a password; write it as postgresql://user:password@host:port/name"),
    ("does not exist", "that database or user does not exist; create it or correct the name"),
    ("no pg_hba.conf entry", "the server admits no such client; allow it in pg_hba.conf"),
    ("too many clients", "all connections are taken; raise max_connections"),
    ("could not translate host name", "the host name is unknown; correct it"),
    ("failed to resolve host", "the host name is unknown; correct it"),
    ("Connection refused", "nothing listens there; start that server, or unset DATABASE_URL to use the embedded one"),
    ("timeout", "it did not answer within 5 s; check the host, the port and the firewall"),
)


def server_version(url: str) -> str:
    """The version of the PostgreSQL at an address we may use; NeedsAttention says why not."""
    if not url.startswith(("postgresql://", "postgres://")):
        raise NeedsAttention(_malformed())
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            number = connection.info.server_version
            may_create = connection.execute("SELECT has_schema_privilege('public', 'CREATE')").fetchone()
    except psycopg.ProgrammingError:
        raise NeedsAttention(_malformed()) from None
    except psycopg.OperationalError as error:
        if any(sign in str(error) for sign in ("invalid integer", "invalid port", "invalid URI")):
            raise NeedsAttention(_malformed()) from None
        raise NeedsAttention(f"The PostgreSQL named by DATABASE_URL cannot be used: {_remedy(str(error))}.") from None
    if number < OLDEST * 10_000:
        raise NeedsAttention(
            f"DATABASE_URL names PostgreSQL {number // 10_000}; {OLDEST} or newer is needed, "
            "so upgrade it or unset DATABASE_URL to use the embedded one."
        )
    if may_create != (True,):
        raise NeedsAttention("The user in DATABASE_URL may not create tables; grant it CREATE on schema public.")
    return f"{number // 10_000}.{number % 10_000}"


def _malformed() -> str:
    return (
        "DATABASE_URL is not a PostgreSQL address; write it as postgresql://user:password@host:port/name, "
        "or unset it to use the embedded server."
    )


def _remedy(words: str) -> str:
    return next((remedy for sign, remedy in _REMEDIES if sign in words), words.strip().splitlines()[0])
